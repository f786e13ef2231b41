"""The first losses of every experiment, as they were when somebody last looked at them.

`scripts/golden` rewrites tests/golden/<experiment>.json; the tests compare. Generated images replace the real
ones, which not every machine has: the test is of the game, not of the data set. Games are chaotic: in fp32 what
processors round otherwise grows to 0.1 within 20 steps. So everything is drawn and computed in fp64, where it
stays below what float32, in which losses are read, can hold.
"""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.overrides import TorchFunctionMode

from ganctl.command_line.explain import config_folder
from ganctl.config import TrainConfig, train_config
from ganctl.data.store import Store
from ganctl.game.build import build_game, open_configured
from ganctl.game.scalars import measure
from ganctl.game.step import train_step
from ganctl.samples import IMAGES
from scripts.tables.runs import composed

FOLDER = Path(__file__).parents[1] / "tests/golden"
EXPERIMENTS = sorted(path.stem for path in (config_folder() / "experiment").glob("*.yaml") if path.stem != "auto")
"""All recipes; `auto` is none, but chooses by the data."""

STEPS = 20
CLASSES = 10
PLAYERS = ("discriminator", "generator")
SCALED_DOWN = {
    "mlp_wide": ["model.generator.hidden=[1568,1568]"],
    "cdcgan_mnist": ["model.generator.width=16", "model.discriminator.width=16"],
    "infogan_mnist": ["model.generator.width=16", "model.discriminator.width=16"],
    "dcgan28_color": ["model.generator.width=16", "model.discriminator.width=16"],
    "dcgan_cifar10": ["model.generator.width=16", "model.discriminator.width=16"],
    "dcgan_mnist": ["model.generator.width=16", "model.discriminator.width=16"],
    "few_images": ["data.resolution=32", "model.generator.width=16", "model.discriminator.width=16"],
    "acgan_cifar10": ["model.generator.width=8", "model.discriminator.width=8", "train.batch_size=16"],
    "sngan_cifar10": [
        "model.generator.width=8",
        "model.discriminator.width=8",
        "train.batch_size=8",
        "train.n_dis=2",
    ],
    "sagan": [
        "data.resolution=32",
        "model.generator={width: 4, attention: 16}",
        "model.discriminator={width: 4, attention: 16}",
        "train.batch_size=8",
    ],
    "fastgan_few": [
        "data.resolution=32",
        "model.generator.width=4",
        "model.discriminator.width=4",
    ],
    "r3gan_cifar10": [
        "model.generator={widths: [8], blocks: [1]}",
        "model.discriminator={widths: [8], blocks: [1]}",
        "train.batch_size=8",
    ],
    "r3gan_ffhq64": [
        "data.resolution=32",
        "model.generator={widths: [8], blocks: [1]}",
        "model.discriminator={widths: [8], blocks: [1]}",
        "train.batch_size=8",
    ],
    "r3gan_stacked_mnist": [
        "model.generator={widths: [8], blocks: [1]}",
        "model.discriminator={widths: [8], blocks: [1]}",
        "train.batch_size=8",
    ],
    "biggan_cifar10": [
        "model.generator.width=4",
        "model.discriminator.width=8",
        "train.batch_size=8",
        "train.n_dis=2",
    ],
    "stylegan2_ada_cifar10": [
        "model.generator={width: 4, max_width: 8, style: 16}",
        "model.discriminator={width: 4, max_width: 8}",
        "train.batch_size=8",
    ],
    "stylegan2_ada_folder": [
        "data.resolution=16",
        "model.generator={width: 4, max_width: 8, style: 16}",
        "model.discriminator={width: 4, max_width: 8}",
        "train.batch_size=8",
    ],
}
"""A smaller size, where the whole would take minutes."""


def golden_config(experiment: str) -> TrainConfig:
    """Return an experiment's config on one CPU thread in fp64."""
    words = [f"experiment={experiment}", *SCALED_DOWN.get(experiment, [])]
    words += ["device=cpu", "device.precision=fp64", "device.threads=1"]
    if "override /data: folder" in (config_folder() / "experiment" / f"{experiment}.yaml").read_text():
        words.append("data.path=images")
    return train_config(composed(["train", *words]))


def stand_in(config: TrainConfig) -> Store:
    """Return 256 smooth images of ten classes, of an experiment's size and channels, or its own points."""
    if config.data.kind is not IMAGES:
        return config.data.load()
    side = getattr(config.data, "resolution", None) or 64
    channels = getattr(
        config.data, "channels", 3 if config.data.name in ("cifar10", "celeba", "stacked_mnist") else 1
    )
    noise = np.random.default_rng(0).integers(0, 256, (256, 4, 4, channels), dtype=np.uint8)
    images = [
        np.stack(
            [np.asarray(Image.fromarray(plane).resize((side, side))) for plane in coarse.transpose(2, 0, 1)], 2
        )
        for coarse in noise
    ]
    labels = torch.arange(len(images)) % CLASSES
    return Store(torch.from_numpy(np.stack(images)), labels, tuple(map(str, range(CLASSES))))


@contextmanager
def weights_in_double() -> Iterator[None]:
    """Have new weights drawn in float64."""
    usual = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(usual)


class DrawnInDouble(TorchFunctionMode):
    """Draws normal numbers in float64, as those of float32 differ by up to 2e-6 between processors."""

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: object,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run a function of torch."""
        named = kwargs or {}
        if func is torch.randn:
            named = named | {"dtype": torch.float64}
        return func(*args, **named)


def first_losses(experiment: str) -> dict[str, list[float]]:
    """Return both players' losses in the first steps."""
    config = golden_config(experiment)
    device = open_configured(config.device, config.data.kind)
    losses: dict[str, list[float]] = {player: [] for player in PLAYERS}
    with weights_in_double(), DrawnInDouble():
        game = build_game(config, stand_in(config), device)
        for step in range(STEPS):
            train_step(game, step)
            numbers = measure(game, step)
            for player in PLAYERS:
                losses[player].append(numbers[f"loss/{player}"])
    return losses


def read(experiment: str) -> dict[str, list[float]]:
    """Return an experiment's golden losses, by player."""
    golden: dict[str, list[float]] = json.loads((FOLDER / f"{experiment}.json").read_text())
    return golden


def main() -> None:
    """Write the golden losses of the experiments named on the command line, or of all."""
    for experiment in sys.argv[1:] or EXPERIMENTS:
        (FOLDER / f"{experiment}.json").write_text(json.dumps(first_losses(experiment), indent=1) + "\n")
        print(f"tests/golden/{experiment}.json", flush=True)


if __name__ == "__main__":
    main()
