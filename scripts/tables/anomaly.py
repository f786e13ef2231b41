"""How well a GAN that never saw a digit finds it, beside nearest neighbours; writes docs/results/anomaly.md."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ganctl.commands.anomaly import anomaly_command
from ganctl.data.store import Store
from ganctl.runtime.randomness import permutation
from ganctl.uses.anomalies import Scorer
from scripts.tables import judge
from scripts.tables.augmentation import digits
from scripts.tables.proof import Proof, Work, lines, of_rows
from scripts.tables.report import filled
from scripts.tables.results import Record
from scripts.tables.runs import composed

NAME = "anomaly"
LEARNED, SCORED, NEAREST = 20_000, 2_000, 5
WORDS = (
    *("model=dcgan", "model.generator.width=16", "model.discriminator.width=16"),
    *("train.steps=1000", "sample.every=500", "checkpoint.every=1000", "device.precision=fp32"),
)
ENCODER = ("encoder.steps=500",)
SCORES = {
    "both": "`ganctl anomaly`",
    "pixels": "its pixels alone",
    "features": "its features alone",
    "neighbours": f"mean distance to the {NEAREST} nearest images",
}
PUBLISHED = {
    "VAE of 2 latent dimensions": (0.96, 0.73, 0.97, 0.94, 0.73, 0.92, 0.95, 0.77, 0.92, 0.66),
    "VAE of 32 latent dimensions": (0.81, 0.09, 0.92, 0.87, 0.78, 0.86, 0.87, 0.51, 0.89, 0.58),
}
"""Areas of the ten digits (Tonnaer, doctoral thesis, Eindhoven, table 3.3): one digit against the other nine."""


def learned(mnist: Path, digit: int) -> Tensor:
    """Return the rows of training images of all other digits, int64 [20,000]."""
    labels = digits(mnist, "train").labels
    assert labels is not None
    order = permutation(len(labels), "learned", 0)
    return order[labels[order] != digit][:LEARNED]


def works(mnist: Path, row: str, seed: int) -> Work:
    """Write the images of a run, and return it."""
    path = Path("outputs", f"{NAME}-images", f"without-{row}.npy")
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, digits(mnist, "train").samples[learned(mnist, int(row))].numpy())
    asked = (LEARNED, SCORED, NEAREST, *ENCODER)
    return Work(NAME, row, seed, ("data=array", f"data.path={path}", *WORDS), asked)


def measure(mnist: Path, work: Work) -> dict[str, float]:
    """Return the areas under the ROC curve for the digit among 2,000 test images of all."""
    test, digit = digits(mnist, "test"), int(work.row)
    assert test.labels is not None
    rows = permutation(len(test), "scored", 0)[:SCORED]
    images, strange = test.samples[rows], (test.labels[rows] == digit).numpy()
    known = digits(mnist, "train").samples[learned(mnist, digit)]
    checkpoint = work.folder.checkpoints.files()[0]
    words = ["anomaly", f"ckpt={checkpoint}", *ENCODER, "device=cpu", "device.threads=1"]
    scorer = Scorer(judge.opened(checkpoint), anomaly_command(composed(words)), lambda: Store(known))
    scores = scorer.scored(images)[0]
    parts = {"both": scores.sum(1), "pixels": scores[:, 0], "features": scores[:, 1]}
    parts["neighbours"] = distances(images, known)
    return {name: float(roc_auc_score(strange, values.numpy())) for name, values in parts.items()}


def distances(images: Tensor, known: Tensor) -> Tensor:
    """Return the mean Euclidean distance of each image to the nearest known ones, in pixels, float [count]."""
    other = known.flatten(1).float()
    return torch.cat(
        [
            torch.cdist(part.flatten(1).float(), other).topk(NEAREST, largest=False).values.mean(1)
            for part in images.split(200)
        ]
    )


def section(runs: Sequence[Record]) -> str:
    """Return the Markdown: what was done, and what came of it."""
    told = (
        f"For each digit, a DCGAN (width 16, 1,000 steps of 64) learns {LEARNED:,} images of MNIST at 32×32 that "
        f"show the other nine. `ganctl anomaly {' '.join(ENCODER)}` then scores {SCORED:,} test images of all "
        "digits. The area under the ROC curve tells how well the scores find the digit that was never learned: "
        f"0.5 by chance, 1 if it comes first. Beside it the mean distance to the {NEAREST} nearest images in "
        "pixels, which learns nothing, on the same images; and published areas of variational autoencoders "
        "(Tonnaer, doctoral thesis, Eindhoven, table 3.3; their training and test images are others)."
    )
    rows = [["found", *(str(digit) for digit in range(10)), "mean"]]
    for score, label in SCORES.items():
        areas = [fmean(found) if (found := of_rows(runs, str(digit), score)) else None for digit in range(10)]
        rows.append(_line(label, areas))
    rows += [_line(f"{label} (published)", areas) for label, areas in PUBLISHED.items()]
    shown = [run["command"] for run in runs[:1]]
    hardware = f"Hardware: {'; '.join(sorted({run['hardware'] for run in runs}))}."
    return "\n\n".join(
        [filled(told), lines(rows), "The first training:", "\n".join(["```text", *shown, "```"]), hardware]
    )


def _line(label: str, areas: Sequence[float | None]) -> list[str]:
    cells = ["–" if area is None else f"{area:.2f}" for area in areas]
    known = [area for area in areas if area is not None]
    return [label, *cells, f"{fmean(known):.3f}" if len(known) == 10 else "–"]


PROOF = Proof(NAME, tuple(map(str, range(10))), 1, works, measure, section)
