"""How the classifiers of colour images judge images that get worse and worse, and how long they take to teach.

python -m scripts.tables.judges --cifar <folder or .zip of CIFAR-10, train/<class>/… and test/<class>/…>
"""

import argparse
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from ganctl.commands.measuring.question import evaluate_command
from ganctl.data.store import Store
from ganctl.metrics import Comparison, Reference, of_store, of_tensor
from ganctl.runtime.memory import keep_freed_memory
from scripts.tables.few_judge import folder
from scripts.tables.runs import composed
from scripts.tables.trials import SMALL_JUDGE

NOISE = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Shares of uniform noise that images are blended with."""

BLUR = (0.0, 0.5, 0.75, 1.0, 2.0)
"""Standard deviations in pixels; 0 is no blur."""

LOST = (0, 1, 2, 4, 8)
"""Classes of ten that are left out; other images of the set take their places."""


def worse(real: Store) -> Iterator[tuple[str, list[Tensor]]]:
    """Yield ways to make images worse, each with the images, uint8 [n, height, width, 3], from best to worst."""
    images, numbers = real.samples, torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, images.shape, generator=numbers, dtype=torch.uint8)
    yield "noise", [images.float().lerp(noise.float(), share).round().byte() for share in NOISE]
    planes = images.permute(0, 3, 1, 2).float()
    blurred = [planes if sigma == 0 else gaussian_blur(planes, [9, 9], [sigma, sigma]) for sigma in BLUR]
    yield "blur", [each.round().byte().permute(0, 2, 3, 1).contiguous() for each in blurred]
    assert real.labels is not None
    kept = [(real.labels >= lost).nonzero().flatten() for lost in LOST]
    yield "lost classes", [images[rows.repeat(len(images) // len(rows) + 1)[: len(images)]] for rows in kept]


def main() -> None:
    """Print, for each network, its accuracy, the seconds it took, and the FID of each set of images."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cifar", required=True)
    parser.add_argument("--cache", default="auto", help="folder of cached classifiers; off trains them again")
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    source = folder(Path(options.cifar), "train")
    taught, held_out = source.load(), folder(Path(options.cifar), "test").load()
    for words in ([], [SMALL_JUDGE]):
        question = evaluate_command(composed(["evaluate", "ckpt=-", "metric=[fid]", *words]))
        started = time.monotonic()
        look = question.features.open(Reference(source, taught, torch.device("cpu"), options.cache))
        print(f"{words or 'colour'}: {look.accuracy:.2%} of held-out images, {time.monotonic() - started:.0f} s")
        comparison = Comparison(question.metric, look, of_store(taught, None))
        for way, sets in worse(held_out):
            found = [comparison.numbers(of_tensor(each), 0)["fid"]["fid"] for each in sets]
            print(f"  {way}: {', '.join(f'{value:.3g}' for value in found)}", flush=True)


if __name__ == "__main__":
    main()
