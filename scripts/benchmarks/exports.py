"""Sampling from exported files beside ganctl's own sampling of the same generators, untrained, in turns."""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch

from ganctl.config import train_config
from ganctl.game.assemble import build_network
from ganctl.game.sampling import generate
from ganctl.runtime.device import Device, open_device
from ganctl.samples import SampleSpace
from ganctl.uses.deployable import Deployable
from ganctl.uses.file_formats import FORMATS, FormatName
from scripts.benchmarks.table import Column, Row, Table
from scripts.tables.runs import composed

BATCH = 64
GENERATORS = {
    "dcgan, 32×32, grey": (("model=dcgan",), (1, 32, 32)),
    "resnet, 32×32": (("model=resnet",), (3, 32, 32)),
    "stylegan2, 32×32": (("model=stylegan2",), (3, 32, 32)),
    "fastgan, 64×64": (("model=fastgan",), (3, 64, 64)),
}
"""Words of ganctl, and the shape of a sample."""

FILES: tuple[FormatName, ...] = ("onnx", "torch_export")


def sides(words: tuple[str, ...], shape: tuple[int, ...], automatic: Device) -> dict[str, Callable[[], object]]:
    """Return what draws a batch by each means, uint8 images of latents on the CPU."""
    config = train_config(composed(("train", *words)))
    space = config.model.space(SampleSpace.of_shape(shape))
    exact = Device(automatic.torch_device, "fp32", False)
    network = build_network(config, "generator", space, exact).requires_grad_(False)
    latents = torch.randn(BATCH, config.model.latents.width)

    def own(device: Device) -> torch.Tensor:
        return space.kind.store(generate(network, latents, device, BATCH), space.value_range)

    drawing: dict[str, Callable[[], object]] = {"fp32": lambda: own(exact), "auto": lambda: own(automatic)}
    for name in FILES:
        content = FORMATS[name].write(Deployable(network, config.model, space), (latents[:2],), {})
        run = FORMATS[name].open(content)
        drawing[name] = lambda run=run: run(latents)  # type: ignore[misc]
    return drawing


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """Draw a batch by each means in turn; only the first round does not count."""
    torch.set_num_threads(options.threads or 1)
    automatic = open_device("cpu", "auto", False, None)
    for title, (words, shape) in GENERATORS.items():
        took: dict[str, list[float]] = {}
        drawing = sides(words, shape, automatic)
        for turn in range(options.rounds + 1):
            for name, draw in drawing.items():
                started = time.perf_counter()
                with torch.no_grad():
                    draw()
                if turn:
                    took.setdefault(name, []).append(time.perf_counter() - started)
        own = took["fp32"]
        ratios = {
            name: statistics.median(base / each for base, each in zip(own, found, strict=True))
            for name, found in took.items()
        }
        yield {
            "generator": title,
            "speed": BATCH / statistics.median(own),
            "precision": automatic.precision,
            **ratios,
        }


TABLE = Table(
    "exports",
    f"images per second of exported generators beside ganctl's in fp32; batches of {BATCH}, one CPU thread",
    (
        Column("generator", "generator", right=False),
        Column("speed", "ganctl, fp32", "{:,.0f}"),
        Column("auto", "ganctl, auto", "{:.2f}×"),
        Column("precision", "which is"),
        Column("onnx", "onnx", "{:.2f}×"),
        Column("torch_export", "torch_export", "{:.2f}×"),
    ),
    rows,
)
