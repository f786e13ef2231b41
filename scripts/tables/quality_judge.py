"""The FID of images in the features of a classifier of the set that they imitate."""

from functools import cache, lru_cache
from pathlib import Path

import torch
from torch import Tensor

from ganctl.commands.measuring.question import evaluate_command
from ganctl.config import train_config
from ganctl.data.source import Source
from ganctl.metrics import Comparison, Reference, of_store, of_tensor
from scripts.tables.few import CLASS
from scripts.tables.few_judge import folder
from scripts.tables.quality_rows import CIFAR, HORSES, Images, Places
from scripts.tables.runs import composed


def source(images: Images, places: Places) -> Source:
    """Return the images that a run of a set is trained on."""
    return train_config(composed(["train", *places.words(images)])).data


@lru_cache(maxsize=1)
def comparison(images: Images, places: Places) -> Comparison:
    """Return what compares samples with the real images of a set.

    Those are the images that were trained on, but the held-out ones of 500 horses, which have no classes either:
    their classifier is that of all of CIFAR-10.
    """
    asked = evaluate_command(composed(["evaluate", "ckpt=-", "metric=[fid]", "metric/features=classifier"]))
    taught = source(CIFAR if images is HORSES else images, places)
    store = taught.load()
    look = asked.features.open(Reference(taught, store, torch.device("cpu"), asked.cache))
    if images is HORSES:
        store = folder(Path(places.cifar), f"test/{CLASS}").load()
    return Comparison(asked.metric, look, of_store(store, None))


def fid(images: Images, places: Places, samples: Tensor) -> float:
    """Return the FID of samples as stored, uint8 [n, 32, 32, channels]."""
    return comparison(images, places).numbers(of_tensor(samples), 0)["fid"]["fid"]


@cache
def baseline(images: Images, places: Places, count: int) -> float:
    """Return the FID of real images: of so many, or of half if there are fewer, against the others.

    Of horses: of those that were trained on against held-out ones.
    """
    if images is HORSES:
        return fid(images, places, source(images, places).load().samples[:])
    return comparison(images, places).baseline(count, 0).numbers["fid"]["fid"]
