"""How good are samples of a generator that learned few images: against held-out ones, and against those it saw."""

from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganctl.commands.measuring.question import evaluate_command
from ganctl.config import train_config
from ganctl.data.source import Source
from ganctl.data.store import Store
from ganctl.metrics import Comparison, Extractor, Reference, of_store, of_tensor
from scripts.tables import judge
from scripts.tables.runs import composed
from scripts.tables.trials import SMALL_JUDGE

METRICS = ("fid", "nearest_neighbour")


def folder(path: Path, subfolder: str | None = None) -> Source:
    """Return a folder or zip of images at 32×32 as a source."""
    inner = [f"data.subfolder={subfolder}"] if subfolder else []
    words = ["train", "data=folder", f"data.path={path}", *inner, "data.resolution=32"]
    return train_config(composed(words)).data


@lru_cache(maxsize=1)
def extractor(cifar: Path) -> Extractor:
    """Return the classifier of all of CIFAR-10's training images: few images have no classes to learn from."""
    question = evaluate_command(composed(["evaluate", "ckpt=-", "metric/features=classifier", SMALL_JUDGE]))
    source = folder(cifar, "train")
    return question.features.open(Reference(source, source.load(), torch.device("cpu"), question.cache))


def compared(generated: Tensor, seen: Store, held_out: Store, by: Extractor) -> dict[str, dict[str, float]]:
    """Return the numbers of stored samples: FID against held-out images, neighbours among training images."""
    words = ["evaluate", "ckpt=-", f"metric=[{','.join(METRICS)}]", "metric/features=classifier"]
    metrics = evaluate_command(composed(words)).metric
    samples = of_tensor(generated)
    fid = Comparison({"fid": metrics["fid"]}, by, of_store(held_out, None)).numbers(samples, 0)
    near = {"nearest_neighbour": metrics["nearest_neighbour"]}
    return fid | Comparison(near, by, of_store(seen, None)).numbers(samples, 0)


def numbers(checkpoint: Path, count: int, cifar: Path, label: str) -> dict[str, Any]:
    """Return the numbers of so many samples of a checkpoint, each beside that of real images.

    The baseline: the images that were trained on against held-out ones, and held-out ones among those trained on.
    """
    trained = judge.opened(checkpoint)
    by, seen = extractor(cifar), trained.config.data.load()
    held_out = folder(cifar, f"test/{label}").load()
    ours = compared(judge.drawn(trained, judge.latents_of(trained, count), None), seen, held_out, by)
    floor = _floor(seen, held_out, by)
    return {
        name: {"value": found[name], "floor": floor[metric][name]}
        for metric, found in ours.items()
        for name in found
    }


def _floor(seen: Store, held_out: Store, by: Extractor) -> dict[str, dict[str, float]]:
    fid = compared(seen.samples[:], seen, held_out, by)["fid"]
    return {"fid": fid} | {
        "nearest_neighbour": compared(held_out.samples[:], seen, held_out, by)["nearest_neighbour"]
    }
