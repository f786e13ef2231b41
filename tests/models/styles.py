"""Small StyleGAN2 networks for tests, and the official names of their tensors."""

from dataclasses import replace
from typing import Any

from ganctl.models import MODELS
from tests.composed import composed
from tests.reference.vectors import Case, read


def styled_model(*overrides: str) -> Any:
    """Return the spec of configs/model/stylegan2.yaml with overrides of keys below `model`."""
    words = (f"model.{word}" for word in overrides)
    return MODELS["stylegan2"].model_validate(composed("model=stylegan2", *words)["model"])


def widths(width: int, most: int) -> list[str]:
    """Return overrides of both networks' widths."""
    sizes = (f"width={width}", f"max_width={most}")
    return [f"{player}.{size}" for player in ("generator", "discriminator") for size in sizes]


def unfiltered(name: str) -> Case:
    """Return a case without the filters, which are no weights of ours."""
    case = read(name)
    return replace(case, tensors={key: case[key] for key in case.tensors if not key.endswith("resample_filter")})


def part(case: Case, prefix: str) -> Case:
    """Return a case of the weights below a prefix alone."""
    return replace(case, tensors={f"w.{key}": values for key, values in case.under(f"w.{prefix}").items()})


def mapping_table(ours: str, theirs: str, layers: int) -> dict[str, str]:
    """Return the names of theirs by ours of a mapping."""
    return {f"{ours}embedding": f"{theirs}embed"} | {
        f"{ours}layers.{level}": f"{theirs}fc{level}" for level in range(layers)
    }


def synthesis_table(side: int, prefix: str = "") -> dict[str, str]:
    """Return the names of theirs by ours of what turns styles into images of a side."""
    table, level, resolution = {"start": f"{prefix}b4.const"}, 0, 4
    while resolution <= side:
        theirs = f"{prefix}b{resolution}"
        for conv in ("conv0", "conv1"):
            ours = f"blocks.{level}.{conv}"
            table |= {ours: f"{theirs}.{conv}", f"{ours}.strength": f"{theirs}.{conv}.noise_strength"}
            table |= {f"{ours}.noise": f"{theirs}.{conv}.noise_const"}
        table |= {f"blocks.{level}.paint": f"{theirs}.torgb", f"blocks.{level}.shortcut.mix": f"{theirs}.skip"}
        level, resolution = level + 1, resolution * 2
    return table


def discriminator_table(side: int, mapping: int = 0, prefix: str = "") -> dict[str, str]:
    """Return the names of theirs by ours of a discriminator of images of a side."""
    table, level, resolution = mapping_table("mapping.", f"{prefix}mapping.", mapping), 0, side
    while resolution > 4:
        table |= block_table(f"blocks.{level}.", f"{prefix}b{resolution}.")
        level, resolution = level + 1, resolution // 2
    names = {"read": "fromrgb", "conv": "conv", "dense": "fc", "judge": "out"}
    return table | {ours: f"{prefix}b4.{theirs}" for ours, theirs in names.items()}


def block_table(ours: str = "", theirs: str = "") -> dict[str, str]:
    """Return the names of theirs by ours of a discriminator's block."""
    names = {"read": "fromrgb", "conv0": "conv0", "conv1": "conv1", "shortcut": "skip"}
    return {f"{ours}{mine}": f"{theirs}{other}" for mine, other in names.items()}
