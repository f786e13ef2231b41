"""ganctl anomaly: which images are unlike all that a generator can make."""

import csv
import io
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field, SerializeAsAny, create_model
from sklearn.metrics import roc_auc_score
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import Classes, labels_of
from ganctl.commands.words.output import file_named, stem_of, told_apart, writing
from ganctl.commands.words.real_data import data_of
from ganctl.data.source import SOURCES, Source
from ganctl.data.store import Store
from ganctl.errors import ConfigError, DataError, counted
from ganctl.images.png import compared, encoded
from ganctl.runs.generator import GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.uses.anomalies import Scorer, Scoring
from ganctl.validation import validate

PARTS = ("pixels", "features")


class AnomalyCommand(GeneratorCommand, Scoring):
    """Everything that `ganctl anomaly` is told."""

    data: SerializeAsAny[Source] | None
    num: Annotated[int, Field(ge=1)] | None
    anomalous: Classes
    shown: Annotated[int, Field(ge=1, le=100)]


def anomaly_command(values: Mapping[str, Any]) -> AnomalyCommand:
    """Validate a composed config of `ganctl anomaly`; raise `ConfigError` that names the first wrong key."""
    data: Any = (SOURCES.union() | None, ...)
    return validate(create_model("AnomalyCommand", __base__=AnomalyCommand, data=data), values)


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Write a table of scores, the strangest image first, and a picture of the strangest.

    Raises `ConfigError` for what does not go together, `DataError` for images that cannot be had or compared.
    """
    command = anomaly_command(values)
    file = file_named(command.out, {"csv"})
    keep_freed_memory()
    trained = open_generator(command)
    trained.space.require_images("anomaly: compares images", "take another run")
    if command.standing:
        trained.measure_norms(command.standing)
    store, training = _images(command, trained)
    strange = None if command.anomalous is None else _anomalous(command.anomalous, store)
    with trained.device.full_precision():
        scores, made = Scorer(trained, command, training).scored(store.samples)
    order = scores.sum(1).argsort(descending=True, stable=True)
    folder = trained.folder("anomalies") if command.out is None else Path(command.out)
    asked = "training" if command.data is None else command.data.title
    standing = [f"standing-{command.standing}"] if command.standing else []
    words = "-".join([asked, command.method, *standing, *told_apart(values.typed, "method", "shown", "anomalous")])
    path = file or folder / f"{stem_of(trained.checkpoint.path, words, ema=command.ema)}.csv"
    with writing(path):
        write_whole(path, _table(scores, order, store, command).encode())
        write_whole(path.with_suffix(".png"), _picture(order[: command.shown], store.samples, made))
    say(f"{counted(len(store), 'image')} scored, the strangest first: {path}")
    say(f"the strangest {min(command.shown, len(store))}: {path.with_suffix('.png')}")
    if strange is not None:
        say(_area(scores, strange))


def _images(command: AnomalyCommand, trained: TrainedGenerator) -> tuple[Store, Callable[[], Store]]:
    """Return the images to score, and what loads the run's own data, which may be the same.

    Raises `DataError` for images of another size.
    """
    store = _training(trained) if command.data is None else command.data.load()
    same = store.fingerprint == trained.checkpoint.header.data
    training = partial(_loaded, store) if same else partial(_training, trained)
    if store.space.shape != trained.space.shape:
        theirs, own = store.space.describe(), trained.space.describe()
        raise DataError(f"data: holds {theirs}, and this generator makes {own}; set data.resolution")
    if command.num is None or command.num >= len(store):
        return store, training
    labels = None if store.labels is None else store.labels[: command.num]
    return Store(store.samples[: command.num], labels, store.classes), training


def _loaded(store: Store) -> Store:
    return store


def _training(trained: TrainedGenerator) -> Store:
    """Return the data that the run was trained on; raise `DataError` if it is not there, or another."""
    return data_of(trained)[1]


def _anomalous(asked: str | list[str], store: Store) -> Tensor:
    """Return which images are of the classes to be found, bool [count]."""
    if store.labels is None:
        raise ConfigError("anomalous: the images have no classes; leave it null")
    strange = torch.isin(store.labels, torch.tensor(labels_of(asked, store.classes, "anomalous")))
    if strange.all() or not strange.any():
        found = f"{int(strange.sum()):,} of {counted(len(store), 'image')}"
        raise ConfigError(f"anomalous: {found} are of these classes; take others, or more images")
    return strange


def _table(scores: Tensor, order: Tensor, store: Store, command: AnomalyCommand) -> str:
    """Return the scores as CSV: an image's place in its data, its class if it has one, its score and the parts."""
    shares = (1 - command.features, command.features)
    present = [part for part, share in zip(PARTS, shares, strict=True) if share]
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", *(["class"] if store.labels is not None else []), "score", *present])
    for place in order.tolist():
        own = [] if store.labels is None else [store.classes[int(store.labels[place])]]
        values = [float(scores[place].sum()), *scores[place].tolist()]
        table.writerow([place, *own, *(f"{value:.6g}" for value in values)])
    return text.getvalue()


def _picture(strangest: Tensor, rows: Tensor, made: Tensor) -> bytes:
    """Return a PNG of images over what the generator makes of them, and the differences."""
    given, found = rows[strangest].numpy(), made[strangest].numpy()
    return encoded(compared(given, found, ["given", "made", "difference"]))


def _area(scores: Tensor, strange: Tensor) -> str:
    """Return how well scores tell the images that are to be found from the others."""
    area = roc_auc_score(strange.numpy(), scores.sum(1).numpy())
    return (
        f"area under the ROC curve: {area:.3f} for {counted(int(strange.sum()), 'image')} to be found among "
        f"{len(strange):,} (0.5 = by chance, 1 = all come first)"
    )
