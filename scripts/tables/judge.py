"""What a classifier of real images says of the samples of each code, and pictures of classes and codes."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from ganctl.commands.measuring.question import evaluate_command
from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.game.sampling import generate
from ganctl.images.png import grid, save
from ganctl.metrics import Reference
from ganctl.runs.drawing import swept
from ganctl.runs.generator import TrainedGenerator, open_generator
from ganctl.runtime.randomness import generator
from scripts.tables.runs import composed

AT_ONCE = 250
ROWS = 8
"""Samples of a class, or latents that a code is swept for, in a picture."""


def opened(checkpoint: Path) -> TrainedGenerator:
    """Return the averaged generator of a checkpoint, on one thread."""
    words = ["evaluate", f"ckpt={checkpoint}", "metric/features=classifier", "device.threads=1"]
    return open_generator(evaluate_command(composed(words)))


def latents_of(trained: TrainedGenerator, count: int) -> Tensor:
    """Return the latents [count, width] that every checkpoint is asked."""
    source = generator(torch.device("cpu"), "judge", 0)
    return trained.config.model.latents.draw((count,), source, torch.float32)


def drawn(trained: TrainedGenerator, latents: Tensor, labels: Tensor | None) -> Tensor:
    """Return samples as stored, of latents and of classes where the model has any."""
    samples = generate(trained.network, latents.to(trained.device.dtype), trained.device, AT_ONCE, labels)
    return trained.space.kind.store(samples, trained.space.value_range)


def predicted(config: TrainConfig, store: Store, samples: Tensor) -> tuple[Tensor, float]:
    """Return the class that the classifier tells of each sample, int64 [count], and its own accuracy, 0 to 1."""
    question = evaluate_command(composed(["evaluate", "ckpt=-", "metric/features=classifier"]))
    extractor = question.features.open(Reference(config.data, store, torch.device("cpu"), question.cache))
    assert extractor.accuracy is not None
    logits = [extractor.extract(part).logits for part in samples.split(AT_ONCE)]
    return torch.cat([part.argmax(1) for part in logits if part is not None]), extractor.accuracy


def counts(asked: Tensor, told: Tensor, rows: int, columns: int) -> Tensor:
    """Return how often each class was told of each that was asked, int64 [rows, columns]."""
    return (asked * columns + told).bincount(minlength=rows * columns).view(rows, columns)


def purity(checkpoint: Path, count: int) -> dict[str, float]:
    """Return how well the values of the first, categorical code separate the classes.

    `purity` is the share of samples of the class that most samples with their code have; `matched` that where
    every class is given to one value at most, as well as can be.
    """
    trained = opened(checkpoint)
    space, latents = trained.config.model.latents, latents_of(trained, count)
    values = space.categorical[0]
    codes = latents[:, space.dimensions : space.dimensions + values].argmax(1)
    store = trained.config.data.load()
    told, accuracy = predicted(trained.config, store, drawn(trained, latents, None))
    table = counts(codes, told, values, len(store.classes))
    return {
        "purity": int(table.amax(1).sum()) / count,
        "matched": best_matching(table) / count,
        "accuracy": accuracy,
    }


def best_matching(table: Tensor) -> int:
    """Return the largest sum of entries [rows, columns] of which no two share a row or a column.

    By dynamic programming over the sets of columns that are taken: exact, and quick up to 15 columns.
    """
    best = {0: 0}
    for row in table.tolist():
        after = dict(best)
        for taken, total in best.items():
            for column, value in enumerate(row):
                with_it = taken | 1 << column
                if with_it != taken:
                    after[with_it] = max(after.get(with_it, 0), total + value)
        best = after
    return max(best.values())


def picture(checkpoint: Path, names: Sequence[str], path: Path) -> None:
    """Write a grid of a conditional generator's samples, a row of each named class."""
    trained = opened(checkpoint)
    labels = torch.tensor([trained.space.classes.index(name) for name in names]).repeat_interleave(ROWS)
    _write(drawn(trained, latents_of(trained, ROWS).repeat(len(names), 1), labels), ROWS, path)


def samples(checkpoint: Path, path: Path) -> None:
    """Write a square grid of samples of a generator without classes."""
    trained = opened(checkpoint)
    _write(drawn(trained, latents_of(trained, ROWS * ROWS), None), ROWS, path)


def sweeps(checkpoint: Path, code: int, path: Path) -> None:
    """Write a grid in whose columns a code goes through its values, the same latents in each row."""
    trained = opened(checkpoint)
    space = trained.config.model.latents
    columns = space.categorical[code] if code < len(space.categorical) else 10
    _write(drawn(trained, swept(space, latents_of(trained, ROWS), code, columns), None), columns, path)


def _write(samples: Tensor, columns: int, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    save(grid(samples.numpy(), columns), path)
