"""Speed of ganctl's training step beside a plain PyTorch loop, interleaved in one process.

The plain loop is the tutorial's: the same DCGAN written out, binary cross-entropy with logits, Adam, fp32, a
DataLoader over float tensors. Each side runs in turns; medians and their ratio are printed. The allocator
settings that `ganctl train` makes at start hold for a whole process and are left out for both.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent.parent))

import torch
from torch import Tensor, nn

from ganctl import compose
from ganctl.config import train_config
from ganctl.data.store import Store
from ganctl.training.assemble import build_game, open_configured
from ganctl.training.step import train_step

LATENT, WIDTH = 100, 64
PLAIN = "plain PyTorch loop, fp32"


def plain_loop(store: Store, batch_size: int, device: torch.device) -> Callable[[], None]:
    """Return one step of the tutorial's loop for 32×32 pictures."""
    channels = store.shape[0]
    up, down = nn.ConvTranspose2d, nn.Conv2d
    generator = nn.Sequential(
        *(up(LATENT, WIDTH * 4, 4, bias=False), nn.BatchNorm2d(WIDTH * 4), nn.ReLU()),
        *(up(WIDTH * 4, WIDTH * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH * 2), nn.ReLU()),
        *(up(WIDTH * 2, WIDTH, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH), nn.ReLU()),
        *(up(WIDTH, channels, 4, 2, 1), nn.Tanh()),
    ).to(device)
    discriminator = nn.Sequential(
        *(down(channels, WIDTH, 4, 2, 1), nn.LeakyReLU(0.2)),
        *(down(WIDTH, WIDTH * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH * 2), nn.LeakyReLU(0.2)),
        *(down(WIDTH * 2, WIDTH * 4, 4, 2, 1, bias=False), nn.BatchNorm2d(WIDTH * 4), nn.LeakyReLU(0.2)),
        *(down(WIDTH * 4, 1, 4), nn.Flatten(0)),
    ).to(device)
    optimizers = [
        torch.optim.Adam(network.parameters(), 2e-4, (0.5, 0.999)) for network in (generator, discriminator)
    ]
    pictures = store.samples.permute(0, 3, 1, 2).float() / 127.5 - 1
    pictures = pictures.repeat(-(-batch_size // len(pictures)), 1, 1, 1)
    loader = torch.utils.data.DataLoader(pictures, batch_size, shuffle=True, drop_last=True)

    def endless() -> Iterator[Tensor]:
        while True:
            yield from loader

    batches = endless()
    loss = nn.BCEWithLogitsLoss()
    one, zero = torch.ones(batch_size, device=device), torch.zeros(batch_size, device=device)

    def step() -> None:
        real = next(batches).to(device)
        discriminator.zero_grad()
        fake = generator(torch.randn(batch_size, LATENT, 1, 1, device=device))
        (loss(discriminator(real), one) + loss(discriminator(fake.detach()), zero)).backward()
        optimizers[1].step()
        generator.zero_grad()
        fake = generator(torch.randn(batch_size, LATENT, 1, 1, device=device))
        loss(discriminator(fake), one).backward()
        optimizers[0].step()

    return step


def ganctl_step(words: list[str]) -> tuple[Callable[[], None], Store, torch.device]:
    """Return one step of ganctl as `ganctl train` composes it from the words, its data and device."""
    composed: dict[str, Any] = {}

    def job(resolve: Callable[[], dict[str, Any]], sweep: bool) -> int:
        composed.update(resolve())
        return 0

    compose.run("train", words, job)
    config = train_config(composed)
    device = open_configured(config.device, points=config.data.points)
    store = config.data.load()
    game = build_game(config, store, device)
    steps = iter(range(10**9))
    return lambda: train_step(game, next(steps)), store, device.torch_device


def seconds(step: Callable[[], None], count: int, device: torch.device, *, as_shipped: bool) -> float:
    """Return how long `count` steps take, waiting for the device at the end.

    `as_shipped` puts torch's own settings of precision and determinism back meanwhile.
    """
    ours = torch.backends.cudnn.deterministic, torch.get_float32_matmul_precision()
    if as_shipped:
        torch.backends.cudnn.deterministic = False
        torch.set_float32_matmul_precision("highest")
    start = time.perf_counter()
    for _ in range(count):
        step()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elapsed = time.perf_counter() - start
    torch.backends.cudnn.deterministic = ours[0]
    torch.set_float32_matmul_precision(ours[1])
    return elapsed


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="auto", help="as device.name of `ganctl train`")
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=7, help="turns of each side")
    parser.add_argument("--steps", type=int, default=10, help="steps in each turn")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args()

    common = [f"train.batch_size={options.batch_size}", f"device.name={options.device}"]
    precise, store, device = ganctl_step([*common, "penalty=[]", "device.precision=fp32"])
    sides = {
        PLAIN: plain_loop(store, options.batch_size, device),
        "ganctl, fp32": precise,
        "ganctl, auto precision": ganctl_step([*common, "penalty=[]"])[0],
        "ganctl, default (with R1)": ganctl_step(common)[0],
    }
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for name, step in sides.items():
        seconds(step, 3, device, as_shipped=name == PLAIN)
    for _ in range(options.rounds):
        for name, step in sides.items():
            elapsed = seconds(step, options.steps, device, as_shipped=name == PLAIN)
            speeds[name].append(options.batch_size * options.steps / elapsed)
    base = statistics.median(speeds[PLAIN])
    rows = [
        {"side": name, "images_per_second": statistics.median(found), "ratio": statistics.median(found) / base}
        for name, found in speeds.items()
    ]
    if options.json:
        print(json.dumps({"device": str(device), "batch_size": options.batch_size, "rows": rows}))
        return
    setting = f"DCGAN 32×32, batch {options.batch_size}, {device}, torch {torch.__version__}"
    print(f"{setting}; medians of {options.rounds}")
    for row in rows:
        print(f"{row['side']:28} {row['images_per_second']:10,.0f} images/s {row['ratio']:6.2f}×")


if __name__ == "__main__":
    main()
