"""Does a classifier of few images gain by a GAN that was trained on these? Writes docs/results/augmentation.md."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganctl.augment.flip_shift import flip_and_shift
from ganctl.commands.measuring.question import evaluate_command
from ganctl.config import train_config
from ganctl.data.store import Store
from ganctl.metrics.accuracy_score import Cas
from ganctl.metrics.extractor import exact_fp32
from ganctl.metrics.features.classifier import share_right, single_thread
from ganctl.runtime.intervals import interval
from ganctl.runtime.randomness import generator, permutation
from scripts.tables import judge
from scripts.tables.proof import Proof, Work, lines, of_rows
from scripts.tables.report import filled
from scripts.tables.results import Record
from scripts.tables.runs import composed

NAME = "augmentation"
EACH = (10, 50, 100)
"""Real images of each class."""

CLASSES, SIDE = 10, 32
FAKES = 10
"""Generated images for each real one."""

STEPS = 300
"""Updates of a classifier."""

WORDS = (
    *("model=dcgan", "model.conditional=true", "model.generator.width=16", "model.discriminator.width=16"),
    *("model.discriminator.condition=classifier", "auxiliary=[class_loss]", "augment=[diffaugment]"),
    *("penalty.r1.weight=1", "optimizer.betas=[0.5,0.99]", "train.batch_size=32", "train.steps=1500"),
    *("sample.every=500", "checkpoint.every=1000", "device.precision=fp32"),
)
WAYS = {
    "real": "real alone",
    "moved": "real, shifted",
    "both": "real and generated",
    "fake": "generated alone",
}


@lru_cache(maxsize=2)
def digits(mnist: Path, split: str) -> Store:
    """Return a split of MNIST at 32×32."""
    words = ["train", "data=mnist", f"data.root={mnist}", "data.download=false", f"data.split={split}"]
    return train_config(composed([*words, f"data.resolution={SIDE}"])).data.load()


def few(mnist: Path, each: int, seed: int) -> Tensor:
    """Return the rows of `each` training images a class, which the seed draws, int64 [10·each]."""
    labels = digits(mnist, "train").labels
    assert labels is not None
    order = permutation(len(labels), "few", seed)
    return torch.cat([order[labels[order] == label][:each] for label in range(CLASSES)])


def works(mnist: Path, row: str, seed: int) -> Work:
    """Write the images of a run, and return it."""
    store, rows = digits(mnist, "train"), few(mnist, int(row), seed)
    assert store.labels is not None
    path = Path("outputs", f"{NAME}-images", f"{row}-{seed}.npz")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, images=store.samples[rows].numpy(), labels=store.labels[rows].numpy())
    data = ("data=array", f"data.path={path}", "data.labels=labels")
    return Work(NAME, row, seed, (*data, *WORDS), (FAKES, STEPS, classifier().model_dump(mode="json")))


def classifier() -> Cas:
    """Return how the classifiers are taught: as the metric `cas` does."""
    words = ["evaluate", "ckpt=-", "metric=[cas]", "metric/features=raw", f"metric.cas.steps={STEPS}"]
    found = evaluate_command(composed(words)).metric["cas"]
    assert isinstance(found, Cas)
    return found


def measure(mnist: Path, work: Work) -> dict[str, float]:
    """Return the share of MNIST's 10,000 test images that each way's classifier puts into their class."""
    store, rows = digits(mnist, "train"), few(mnist, int(work.row), work.seed)
    assert store.labels is not None
    real = Store(store.samples[rows], store.labels[rows], store.classes)
    trained = judge.opened(work.folder.checkpoints.files()[0])
    labels = torch.arange(FAKES * len(rows)) % CLASSES
    made = judge.drawn(trained, judge.latents_of(trained, len(labels)), labels)
    fake = Store(made, labels, store.classes)
    assert real.labels is not None
    both = Store(torch.cat([real.samples[:], made]), torch.cat([real.labels, labels]), store.classes)
    taught = {"real": (real, False), "moved": (real, True), "both": (both, False), "fake": (fake, False)}
    test = digits(mnist, "test")
    return {way: accuracy(*taught[way], test, work.seed) for way in WAYS}


def accuracy(images: Store, moved: bool, test: Store, seed: int) -> float:
    """Return the share of test images that a classifier gets right which was taught by these images."""
    lessons = classifier()
    network = lessons.network(images, seed)
    drawn = generator(torch.device("cpu"), "moved", seed)

    def shifted(batch: Tensor) -> Tensor:
        numbers = torch.rand(len(batch), 3, generator=drawn)
        numbers[:, 0] = 1  # no digit is mirrored
        return flip_and_shift(batch, numbers)

    changed: Callable[[Tensor], Tensor] = shifted if moved else lambda batch: batch
    assert test.labels is not None
    lessons.teach(network, images, torch.arange(len(images)), seed, changed)
    with exact_fp32(), single_thread():
        return share_right(network, test.samples[:].split(500), test.labels)


def section(runs: Sequence[Record]) -> str:
    """Return the Markdown: what was done, and what came of it."""
    seeds = 1 + max(run["seed"] for run in runs)
    told = (
        f"MNIST at 32×32: of each digit so many training images, drawn again for each of {seeds} seeds. A "
        "conditional DCGAN (width 16, AC-GAN, DiffAugment, 1,500 steps of 32) learns these images alone, and "
        f"draws {FAKES} for each of them. The same small classifier (metric `cas`, {STEPS} updates of 64) is "
        "taught by the real images, by real images that are shifted by up to an eighth, differently each time, by "
        "real and generated ones together, and by generated ones alone; its accuracy is that on MNIST's 10,000 "
        "test images. Mean ± half the 95 % interval (Student's t). The gain is the mean of the seeds' differences."
    )
    head = ["real images a class", *WAYS.values(), "gain by generated ones", "seeds"]
    rows = [head]
    for each in map(str, EACH):
        if not (count := len(of_rows(runs, each, "real"))):
            continue
        gains = [b - a for a, b in zip(of_rows(runs, each, "real"), of_rows(runs, each, "both"), strict=True)]
        cells = [percent(of_rows(runs, each, way)) for way in WAYS]
        rows.append([each, *cells, percent(gains), str(count)])
    shown = [run["command"] for run in runs if run["seed"] == 0]
    hardware = f"Hardware: {'; '.join(sorted({run['hardware'] for run in runs}))}."
    return "\n\n".join(
        [filled(told), lines(rows), "The trainings of seed 0:", "\n".join(["```text", *shown, "```"]), hardware]
    )


def percent(values: Sequence[float]) -> str:
    """Return the mean of shares and half its 95 % interval in percent."""
    found = interval([100 * value for value in values])
    return f"{found.mean:.1f}" + ("" if found.half_width is None else f" ± {found.half_width:.1f}") + " %"


PROOF = Proof(NAME, tuple(map(str, EACH)), 5, works, measure, section)
