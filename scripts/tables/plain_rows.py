"""Plain loops beside which ganctl is measured: python -m scripts.tables.plain_rows <what, as JSON>.

Each is a DCGAN as PyTorch's tutorial and pytorch/examples write it: fp32, binary cross entropy, Adam, no average.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate

from ganctl.runtime.disk import write_whole
from ganctl.samples import IMAGES
from scripts.benchmarks.plain import LATENT, Tutorial, dcgan, resident
from scripts.tables import quality_judge
from scripts.tables.quality_rows import SETS, Places

WIDTH = 64
AT_ONCE = 500


@dataclass(frozen=True)
class Loop:
    """What tells the loops apart: the batch, and the side in pixels at which they train."""

    batch_size: int
    side: int = 32


LOOPS = {"tutorial": Loop(128), "examples": Loop(64), "examples64": Loop(64, 64)}
"""By the keys of their rows."""


class Clock:
    """CPU seconds of this process since `started` of them, less those spent on measuring."""

    def __init__(self, started: float = 0.0) -> None:
        self._left_out = started

    @property
    def seconds(self) -> float:
        """CPU seconds of training, the start and the loading of the data included."""
        return time.process_time() - self._left_out

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Leave out what is done meanwhile."""
        started = time.process_time()
        yield
        self._left_out += time.process_time() - started


def initialise(layer: nn.Module) -> None:
    """Initialise a layer as DCGAN does: weights around 0, scales of batch norm around 1, both by 0.02."""
    if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(layer.weight, 0.0, 0.02)
    elif isinstance(layer, nn.BatchNorm2d):
        nn.init.normal_(layer.weight, 1.0, 0.02)


def enlarged(images: Tensor, side: int) -> Tensor:
    """Return images, uint8 [n, height, width, channels], at another side."""
    if images.shape[1] == side:
        return images
    planes = images.permute(0, 3, 1, 2)
    larger = interpolate(planes, size=(side, side), mode="bilinear", antialias=True)
    return larger.permute(0, 2, 3, 1).contiguous()


@torch.no_grad()
def drawn(generator: nn.Module, count: int) -> Tensor:
    """Return samples of a generator in evaluation mode, uint8 [count, 32, 32, channels]."""
    generator.eval()
    source = torch.Generator().manual_seed(0)
    parts = []
    for start in range(0, count, AT_ONCE):
        samples = generator(torch.randn(min(AT_ONCE, count - start), LATENT, generator=source))
        samples = avg_pool2d(samples, samples.shape[-1] // 32)
        parts.append(IMAGES.store(samples, (-1.0, 1.0)))
    generator.train()
    return torch.cat(parts)


def points(asked: dict[str, Any], clock: Clock) -> list[list[float]]:
    """Train a row on a set; return CPU seconds, steps and FID at each of `marks`, CPU seconds that ascend."""
    loop = LOOPS[asked["row"]]
    (images,) = (each for each in SETS if each.key == asked["images"])
    places = Places(**asked["places"])
    torch.manual_seed(asked["seed"])
    real = enlarged(quality_judge.source(images, places).load().samples[:], loop.side)
    networks = dcgan(images.channels, loop.side, WIDTH)
    for network in networks:
        network.apply(initialise)
    device = torch.device("cpu")
    tutorial = Tutorial(networks, resident(real, loop.batch_size, device), device)
    update, steps = tutorial.cross_entropy(), 0
    found = []
    for mark in asked["marks"]:
        while clock.seconds < mark:
            update()
            steps += 1
        seconds = round(clock.seconds, 1)
        with clock.stopped():
            fid = quality_judge.fid(images, places, drawn(networks[0], asked["samples"]))
        found.append([seconds, steps, fid])
    return found


def main() -> None:
    """Do what the argument asks, and write what was found to its `out`."""
    asked = json.loads(sys.argv[1])
    torch.set_num_threads(1)
    write_whole(Path(asked["out"]), json.dumps(points(asked, Clock())).encode())


if __name__ == "__main__":
    main()
