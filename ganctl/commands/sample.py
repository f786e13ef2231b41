"""ganctl sample: images or points from a checkpoint."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganctl.checkpoints.file import Checkpoint
from ganctl.checkpoints.verify import open_checkpoint
from ganctl.commands.output import is_file, writing
from ganctl.config import FEW, DeviceConfig, SampleCommand, TrainConfig, Which
from ganctl.errors import CheckpointError, ConfigError, counted
from ganctl.folders.find import find_run
from ganctl.folders.run_folder import RunFolder
from ganctl.game.build import build_network, open_configured
from ganctl.game.sampling import generate
from ganctl.images.png import encoded, save
from ganctl.runtime.console import say
from ganctl.runtime.device import Device
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.randomness import generator
from ganctl.samples import POINTS, Kind, SampleSpace

ENDINGS = frozenset({"png", "npy", "npz", "csv"})
"""Of files that samples can be written to: a picture of them, or the numbers themselves."""


def sample(command: SampleCommand) -> None:
    """Draw a picture of samples, and on request single images, or write their numbers, from a run or a checkpoint.

    Raises `CheckpointError` if there is no intact checkpoint, `ConfigError` for what does not go together and for
    a place that cannot be written.
    """
    file = Path(os.path.expanduser(command.out)) if command.out and is_file(command.out, ENDINGS) else None
    _check(command, file)
    keep_freed_memory()
    checkpoint, config, device, network = open_generator(
        command.ckpt, command.device, average=command.ema, which=command.which
    )
    space = _space(checkpoint, config)
    points = space.kind is POINTS
    if points and command.images:
        raise ConfigError("images: this model draws points, which have no single images; leave images=false")
    if file is not None and file.suffix.lower() == ".csv" and not points:
        raise ConfigError(f"out: {file} would be a table, but this model draws images; take .png, .npy or .npz")
    latents = _latents(config.model.latent, command).to(device.torch_device, device.dtype)
    samples = generate(network, latents, device, command.batch_size)
    rows = space.kind.store(samples, space.value_range)
    stem = "-".join([checkpoint.path.stem, _title(command), *([] if command.ema else ["raw"])])
    path = file or _folder(command, checkpoint.path) / f"{stem}.png"
    with writing(path):
        write_whole(path, _content(rows, space.kind, path.suffix.lower()))
    say(f"{counted(len(rows), 'point' if points else 'sample')} of step {checkpoint.header.step:,}: {path}")
    if command.images:
        _write_images(rows.numpy(), path.with_suffix(""), command.seeds)


def _check(command: SampleCommand, file: Path | None) -> None:
    """Raise `ConfigError` for keys that contradict each other."""
    if command.seeds is not None:
        if command.num is not None and command.num != len(command.seeds):
            raise ConfigError(
                f"num: {command.num:,} samples, but seeds has {len(command.seeds):,}, one for each; leave num out"
            )
        if command.seed is not None:
            raise ConfigError("seed: says nothing where seeds has one for each sample; leave seed or seeds out")
    if command.images and file is not None:
        raise ConfigError(f"images: need a folder, but out={file} is a file; name a folder, or leave images=false")


def _content(rows: Tensor, kind: Kind, ending: str) -> bytes:
    """Return a file of samples as a store has them, or of a drawing of them."""
    if ending == ".png":
        return encoded(kind.draw(rows))
    values, content = rows.numpy(), io.BytesIO()
    if ending == ".npy":
        np.save(content, values)
    elif ending == ".npz":
        np.savez(content, samples=values)
    else:
        np.savetxt(content, values, "%.9g", ",")
    return content.getvalue()


def open_generator(
    ckpt: str, wanted: DeviceConfig, *, average: bool, which: Which
) -> tuple[Checkpoint, TrainConfig, Device, torch.nn.Module]:
    """Open `ckpt`: a file, or a run folder's best checkpoint, or the newest whose generator can be read whole.

    Raises `CheckpointError` if there is none, `ConfigError` where there is nothing to choose from.
    """
    path = find_run(ckpt)
    if not path.is_dir():
        if which == "best":
            raise ConfigError(f"which: chooses within a run folder, but ckpt={path} is none; leave it out")
        return _open_one(wanted, average, open_checkpoint(path))
    folder = RunFolder(path)
    if which == "best":
        if not folder.checkpoints.best.exists():
            folder.saved_config()
            raise CheckpointError(
                f"{path}: keeps no best checkpoint; train with evaluate.every=500, or leave which=best out"
            )
        return _open_one(wanted, average, open_checkpoint(folder.checkpoints.best))
    for checkpoint in folder.checkpoints.intact():
        try:
            return _open_one(wanted, average, checkpoint)
        except CheckpointError as error:
            say(f"passed over a damaged checkpoint: {error}")
    for newest in folder.checkpoints.files():
        return _open_one(wanted, average, open_checkpoint(newest))  # raises what is wrong with it
    folder.saved_config()
    raise CheckpointError(f"{path}: a run without a whole checkpoint; train it further first")


def _open_one(
    wanted: DeviceConfig, average: bool, checkpoint: Checkpoint
) -> tuple[Checkpoint, TrainConfig, Device, torch.nn.Module]:
    config = checkpoint.config
    device = open_configured(wanted, _space(checkpoint, config).kind)
    return checkpoint, config, device, load_generator(checkpoint, config, device, average=average)


def load_generator(
    checkpoint: Checkpoint, config: TrainConfig, device: Device, *, average: bool
) -> torch.nn.Module:
    """Return the generator of a checkpoint, its average if there is one and it is wanted.

    Only that network's tensors are read and verified. Raises `CheckpointError` if they are damaged.
    """
    averaged = average and any(name.startswith("ema.") for name in checkpoint.tensors)
    prefix = "ema." if averaged else "generator."
    tensors = checkpoint.read(lambda name: name.startswith(prefix))
    network = build_network(config, "generator", _space(checkpoint, config), device)
    try:
        network.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.path}: its tensors do not fit its config ({error})") from error
    return network.requires_grad_(False)


def _space(checkpoint: Checkpoint, config: TrainConfig) -> SampleSpace:
    return config.model.space(SampleSpace.of_shape(checkpoint.header.shape))


def _latents(dimensions: int, command: SampleCommand) -> Tensor:
    """Return latents [count, dimensions] drawn on the CPU, so that every device samples the same ones."""
    cpu = torch.device("cpu")
    if command.seeds is None:
        source = generator(cpu, "sample", command.seed or 0)
        return torch.randn(command.num or FEW, dimensions, generator=source)
    each = (generator(cpu, "sample", seed) for seed in command.seeds)
    return torch.stack([torch.randn(dimensions, generator=source) for source in each])


def _folder(command: SampleCommand, checkpoint: Path) -> Path:
    if command.out is not None:
        return Path(os.path.expanduser(command.out))
    inside = checkpoint.parent.name == "checkpoints"
    return checkpoint.parent.parent / "samples" if inside else checkpoint.parent


def _write_images(pixels: np.ndarray, folder: Path, seeds: list[int] | None) -> None:
    for number, picture in enumerate(pixels):
        path = folder / (f"seed-{seeds[number]}.png" if seeds else f"{number:05d}.png")
        with writing(path):
            save(picture, path)
    say(f"{counted(len(pixels), 'single image')}: {folder}")


def _title(command: SampleCommand) -> str:
    """Return words for file names that tell apart what was asked for."""
    seeds = command.seeds
    if seeds is None:
        return f"seed-{command.seed or 0}-{command.num or FEW}"
    if seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds-{seeds[0]}-{seeds[-1]}"
    return f"seeds-{len(seeds)}-{hashlib.sha256(repr(seeds).encode()).hexdigest()[:6]}"
