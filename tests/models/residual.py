"""Small residual networks for tests."""

from typing import Any

from ganctl.models import MODELS
from ganctl.samples import IMAGES, POINTS, SampleSpace
from tests.composed import composed


def model(*overrides: str) -> Any:
    """Return the spec of configs/model/resnet.yaml with overrides of keys below `model`."""
    words = (f"model.{word}" for word in overrides)
    return MODELS["resnet"].model_validate(composed("model=resnet", *words)["model"])


def space(*shape: int, classes: int = 0) -> SampleSpace:
    """Return the space of samples of a shape, with so many classes."""
    kind = IMAGES if len(shape) == 3 else POINTS
    return SampleSpace(kind, shape, classes=tuple(map(str, range(classes))))


def widths(player: str, width: int, most: int) -> list[str]:
    """Return overrides of a player's widths."""
    return [f"{player}.width={width}", f"{player}.max_width={most}"]


def both(width: int) -> list[str]:
    """Return overrides that give every block the same width."""
    return [*widths("generator", width, width), *widths("discriminator", width, width)]
