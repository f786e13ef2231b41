"""Small conditional runs on images whose classes a test names."""

from collections.abc import Sequence

import numpy as np

from tests.conftest import Cli

WORDS = [
    *("data=array", "data.path=labelled.npz", "data.labels=labels", "model=mlp", "model.latent=2"),
    *("model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "train.steps=1", "train.batch_size=4"),
    *("sample.every=0", "device=cpu", "device.precision=fp32", "name=run"),
]


def save_labelled(names: Sequence[str], each: int = 4, side: int = 8) -> None:
    """Write images of chance to labelled.npz, so many of each class."""
    pixels = np.random.default_rng(0).integers(0, 256, (each * len(names), side, side, 1), np.uint8)
    np.savez("labelled.npz", images=pixels, labels=np.array([*names] * each))


def train(cli: Cli, names: Sequence[str], *words: str, each: int = 4, conditional: bool = True) -> None:
    """Train a run named run for a step on images of these classes."""
    save_labelled(names, each)
    outcome = cli("train", *words_of(conditional=conditional), *words)
    assert outcome.code == 0, outcome.err


def words_of(*, conditional: bool = True) -> list[str]:
    """Return the words that train it."""
    return [*WORDS, f"model.conditional={str(conditional).lower()}"]
