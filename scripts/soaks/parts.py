"""What a run is put together from, by the registries, and few cases in which each two options meet."""

import os
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path
from typing import get_args

import numpy as np
from PIL import Image

from ganctl.augment import AUGMENTS
from ganctl.auxiliary import AUXILIARIES
from ganctl.losses import LOSSES
from ganctl.models import MODELS
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES
from ganctl.runtime.device import Precision
from ganctl.schedules import SHAPES

PICTURES = 17
"""Few, and no multiple of a batch, so that batches cross from one epoch to the next."""

DATA = {
    "digits": "data=digits",
    "folder": "data=folder data.path=pictures data.cache=cache data.resolution=32",
    "array": "data=array data.path=pictures.npy",
}
"""Pictures in memory, in the cache's file, and in a file of the user's own; what `prepare` lays out."""

SLOWER = {"sgd": " optimizer.lr=1e-3"}
"""Words that keep an optimizer from diverging with any of the other parts."""

PARTS: dict[str, list[str]] = {
    "loss": [f"loss={name}" + ("_gp" if LOSSES[name].critic else "") for name in LOSSES],
    "penalty": ["penalty=[]", *(f"penalty=[{name}]" for name in PENALTIES)],
    "auxiliary": ["auxiliary=[]", *(f"auxiliary=[{name}]" for name in AUXILIARIES)],
    "augment": ["augment=[]", *(f"augment=[{name}]" for name in AUGMENTS)],
    "optimizer": [f"optimizer={name}{SLOWER.get(name, '')}" for name in OPTIMIZERS],
    "learning rate": [f"schedule.learning_rate.shape={shape}" for shape in SHAPES],
    "penalty's weight": [f"schedule.penalty.shape={shape}" for shape in SHAPES],
    "half-life": [f"schedule.ema.shape={shape}" for shape in SHAPES],
    "average": ["ema.half_life=0", "ema.half_life=20"],
    "precision": [f"device.precision={name}" for name in get_args(Precision)],
    "logits": ["train.pack=1", "train.pack=2", "model.conditional=true"],
    "data": list(DATA.values()),
    "model": [f"model={name}" for name in MODELS],
}
"""Options by part; one option is one word of the command line or several, and names its choice first."""

EVERY_CASE = ("schedule.penalty.final=0.5", "schedule.ema.final=0.5", "ema.ramp=0")
"""What gives the schedules of a short run an effect."""

OF_LABELS = ("auxiliary=[class_loss]", "model.conditional=true")
"""Options that take labels, which only digits have."""

ONE_SAMPLE_A_LOGIT = (*OF_LABELS, "auxiliary=[code_loss]")
"""Options that no pack can have."""

OF_ONE_MODEL = {
    "auxiliary=[reconstruction]": "fastgan",
    "auxiliary=[path_length]": "stylegan2",
    "auxiliary=[cutmix_consistency]": "unet",
    "auxiliary=[markov]": "conv1d",
}
"""Options that only one model can have, or that are of sequences."""

OF_SEQUENCES, SEQUENCES = ("conv1d",), "sines"
"""Models that make sequences alone, and a data set for them; it has labels."""

OF_IMAGES = tuple(f"auxiliary=[{name}]" for name in ("bcr", "cr", "perceptual", "ssim"))
"""Options, with all of `augment`, that only images can have."""

OTHER_DATA = (DATA["folder"], DATA["array"])
"""Those without labels."""

Case = tuple[str, ...]


def pairs(case: Case) -> set[frozenset[str]]:
    """Return each two options of a case."""
    return {frozenset(pair) for pair in combinations(case, 2)}


def fit(one: str, other: str) -> bool:
    """Return whether a run can have two options of different parts.

    Data are of images; sequences have their own, in whose place a case names digits.
    """
    both = {one, other}
    models = {option for option in both if option.startswith("model=")}
    models |= {f"model={OF_ONE_MODEL[option]}" for option in both if option in OF_ONE_MODEL}
    if len(models) > 1:
        return False
    if models & {f"model={name}" for name in OF_SEQUENCES}:
        return not any(option in (*OF_IMAGES, *PARTS["augment"][1:], *OTHER_DATA) for option in both)
    if "train.pack=2" in both:
        return not any(option in ONE_SAMPLE_A_LOGIT for option in both)
    return not (any(option in OF_LABELS for option in both) and any(option in OTHER_DATA for option in both))


def all_pairs() -> list[frozenset[str]]:
    """Return each two options of different parts that a run can have."""
    two_parts = combinations(PARTS.values(), 2)
    return [frozenset(pair) for parts in two_parts for pair in product(*parts) if fit(*pair)]


def pairwise() -> Iterator[Case]:
    """Yield few cases, one option of each part, so that each two options meet: greedily, pair by pair."""
    waiting = dict.fromkeys(all_pairs())
    while waiting:
        first = tuple(next(iter(waiting)))
        case: Case = ()
        for options in PARTS.values():
            fixed = [option for option in options if option in first]
            chosen = (*case, *first)
            able = [option for option in options if all(fit(option, other) for other in chosen)]
            case += (max(fixed or able, key=lambda option: sum(p in waiting for p in pairs((*chosen, option)))),)
        for pair in pairs(case):
            waiting.pop(pair, None)
        yield case


def words_of(case: Case) -> tuple[str, str, list[str]]:
    """Return a case as its model, its data and the other words of the command line."""
    words = [word for option in case for word in option.split()]
    chosen = {key: next(word for word in words if word.startswith(f"{key}=")) for key in ("model", "data")}
    rest = [word for word in words if word not in chosen.values()]
    model, data = (chosen[key].partition("=")[2] for key in ("model", "data"))
    if model in OF_SEQUENCES:
        data, rest = SEQUENCES, [word for word in rest if not word.startswith("augment=")]
    return model, data, [*rest, *EVERY_CASE]


def prepare(folder: Path) -> None:
    """Lay out the pictures that `DATA` names below a folder, old enough for the cache to trust their times."""
    noise = np.random.default_rng(0).integers(0, 256, (PICTURES, 32, 32, 3), np.uint8)
    np.save(folder / "pictures.npy", noise)
    (folder / "pictures").mkdir()
    for number, pixels in enumerate(noise):
        path = folder / "pictures" / f"{number:02d}.png"
        Image.fromarray(pixels).save(path)
        os.utime(path, (1e9, 1e9))
