"""StyleGAN2-ADA's names of tensors as ganctl's, and the settings that give networks of their shapes."""

import re
from collections.abc import Mapping

import numpy as np

from scripts.stylegan.unpickling import RefusedError

Tensors = Mapping[str, np.ndarray]

COMMON = ((r"mapping\.embed\.", "mapping.embedding."), (r"mapping\.fc(\d+)\.", r"mapping.layers.\1."))
OF_GENERATOR = (
    *COMMON,
    (r"mapping\.w_avg$", "mean_style"),
    (r"synthesis\.b4\.const$", "start"),
    (r"synthesis\.b(\d+)\.torgb\.", r"blocks.\1.paint."),
    (r"synthesis\.b(\d+)\.skip\.", r"blocks.\1.shortcut.mix."),
    (r"synthesis\.b(\d+)\.(conv[01])\.noise_strength$", r"blocks.\1.\2.strength"),
    (r"synthesis\.b(\d+)\.(conv[01])\.noise_const$", r"blocks.\1.\2.noise"),
    (r"synthesis\.b(\d+)\.(conv[01])\.", r"blocks.\1.\2."),
)
OF_DISCRIMINATOR = (
    *COMMON,
    (r"b4\.conv\.", "conv."),
    (r"b4\.fc\.", "dense."),
    (r"b4\.out\.", "judge."),
    (r"b4\.fromrgb\.", "read."),
    (r"b(\d+)\.fromrgb\.", r"blocks.\1.read."),
    (r"b(\d+)\.(conv[01])\.", r"blocks.\1.\2."),
    (r"b(\d+)\.skip\.", r"blocks.\1.shortcut."),
)


def generator_names(tensors: Tensors) -> dict[str, np.ndarray]:
    """Return a generator's tensors by ganctl's names."""
    return _renamed(tensors, OF_GENERATOR, largest_first=False)


def discriminator_names(tensors: Tensors) -> dict[str, np.ndarray]:
    """Return a discriminator's tensors by ganctl's names."""
    return _renamed(tensors, OF_DISCRIMINATOR, largest_first=True)


def _renamed(
    tensors: Tensors, table: tuple[tuple[str, str], ...], *, largest_first: bool
) -> dict[str, np.ndarray]:
    renamed: dict[str, np.ndarray] = {}
    for name, values in tensors.items():
        if name.endswith("resample_filter"):
            continue
        ours = next((re.sub(theirs, mine, name) for theirs, mine in table if re.match(theirs, name)), None)
        if ours is None:
            raise RefusedError(f"holds {name[:60]}, which no StyleGAN2 has")
        renamed[ours] = np.array(values, np.float32, order="C")
    sides = {int(name.split(".")[1]) for name in renamed if name.startswith("blocks.")}
    places = {side: place for place, side in enumerate(sorted(sides, reverse=largest_first))}
    return {re.sub(r"^blocks\.(\d+)", lambda m: f"blocks.{places[int(m[1])]}", k): v for k, v in renamed.items()}


def settings(generator: Tensors, discriminator: Tensors, group: object) -> list[str]:
    """Return the words of a run with networks of these shapes, by ganctl's names of the tensors.

    Raises `RefusedError` where the channels do not double from side to side.
    """
    style, layers = len(generator["mean_style"]), _count(generator, r"mapping\.layers\.\d+\.weight")
    embedding = generator.get("mapping.embedding.weight")
    latent = generator["mapping.layers.0.weight"].shape[1] - (0 if embedding is None else len(embedding))
    made = [generator[f"blocks.{n}.conv1.weight"] for n in range(_count(generator, r"blocks\.\d+\.conv1\.weight"))]
    judged = [
        discriminator[f"blocks.{n}.conv0.weight"]
        for n in range(_count(discriminator, r"blocks\.\d+\.conv0\.weight"))
    ]
    last = discriminator["conv.weight"]
    words = [
        "model=stylegan2",
        f"data.resolution={4 << (len(made) - 1)}",
        f"model.latent={latent}",
        f"model.generator.style={style}",
        f"model.generator.mapping={layers}",
        *_widths("generator", [len(weight) for weight in reversed(made)]),
        f"model.generator.architecture={_architecture(generator, 'paint')}",
        *_widths("discriminator", [*(len(weight) for weight in judged), len(last)]),
        f"model.discriminator.architecture={_architecture(discriminator, 'read')}",
    ]
    if embedding is not None:
        words += ["model.conditional=true"]
        words += [f"model.discriminator.mapping={_count(discriminator, r'mapping.layers.[0-9]+.weight')}"]
    if group is None or type(group) is int:
        words.append(f"model.discriminator.group={'null' if group is None else group}")
    return words


def _count(tensors: Tensors, pattern: str) -> int:
    return sum(re.fullmatch(pattern, name) is not None for name in tensors)


def _architecture(tensors: Tensors, pixels: str) -> str:
    if _count(tensors, r"blocks\.\d+\.shortcut\..*weight"):
        return "residual"
    return "skip" if _count(tensors, rf"blocks\.\d+\.{pixels}\.weight") > 1 else "orig"


def _widths(player: str, channels: list[int]) -> list[str]:
    width, most = channels[0], max(channels)
    if channels != [min(width << level, most) for level in range(len(channels))]:
        raise RefusedError(f"its {player} has channels {channels}, which do not double from side to side")
    return [f"model.{player}.width={width}", f"model.{player}.max_width={most}"]
