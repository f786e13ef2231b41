"""ganctl map: where generated samples lie among real ones, or their latents, in two dimensions."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, SerializeAsAny, create_model
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import caption
from ganctl.commands.words.output import file_named, told_apart, writing
from ganctl.commands.words.real_data import data_of
from ganctl.commands.words.sides import (
    FEWEST,
    ComparingCommand,
    fake_side,
    place,
    real_side,
)
from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.errors import counted
from ganctl.images import figure
from ganctl.images.overview import CELL, overview, thumbnails
from ganctl.images.plot import FAKE_COLOUR, REAL_COLOUR
from ganctl.images.png import encoded
from ganctl.metrics import EXTRACTORS, Extractor, FeatureExtractor, Reference, Samples
from ganctl.metrics.extractor import exact_fp32
from ganctl.metrics.sample_sets import CHUNK
from ganctl.models import StyledGenerator
from ganctl.runs.generator import TrainedGenerator, open_generator
from ganctl.runtime.console import say, track
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.samples import IMAGES
from ganctl.uses.embedding import Method, Plane, nearest_to_cells, plane
from ganctl.validation import validate

ENDINGS = frozenset({"png", "csv"})
"""Of files that a map can be written to: a plot, or the places."""

MOST = 20_000
"""Samples of a side: t-SNE of so many takes minutes."""

KINDS: tuple[tuple[bool, str, figure.Marker], ...] = ((False, "real", "dot"), (True, "fake", "cross"))
CELLS = figure.HEIGHT // CELL
"""Of the overview of images, a side."""


class MapCommand(ComparingCommand):
    """Everything that `ganctl map` is told."""

    num: Annotated[int, Field(ge=FEWEST, le=MOST)]
    space: Literal["features", "latents"]
    method: Method
    perplexity: Annotated[float, Field(gt=1)]
    thumbnails: bool
    cache: str
    features: SerializeAsAny[FeatureExtractor]


@dataclass(frozen=True)
class Collected:
    """Samples of one or two sides, real ones first.

    `vectors` are float32 [count, width], `fake` bool [count], `labels` int64 [count], -1 without a class,
    `thumbnails` uint8 [count, height, width, 3], None where none are asked for and of what is no image; `what`
    says what the vectors are.
    """

    vectors: np.ndarray
    fake: np.ndarray
    labels: np.ndarray
    thumbnails: np.ndarray | None
    what: str


def map_command(values: Mapping[str, Any]) -> MapCommand:
    """Validate a composed config of `ganctl map`; raises `ConfigError` that names the first wrong key."""
    features: Any = (EXTRACTORS.union(), ...)
    return validate(create_model("MapCommand", __base__=MapCommand, features=features), values)


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Place samples in a plane, and draw them or write their places.

    Raises `CheckpointError` if there is no intact checkpoint, `DataError` if the run's data is not there,
    `ConfigError` for features that have no meaning for it, and for a place that cannot be written.
    """
    command = map_command(values)
    file = file_named(command.out, ENDINGS)
    if file is None or file.suffix.lower() == ".png":
        figure.require("take out=map.csv for the places")
    keep_freed_memory()
    trained = open_generator(command)
    config, store = data_of(trained, command.data, values.typed)
    found = _collected(command, trained, config, store)
    flat = plane(found.vectors, command.method, command.perplexity)
    features = [command.features.name] if "metric/features" in values.typed else []
    others = told_apart(values.typed, "num", "seed", "class", "space", "method", "data", "metric/features")
    path = place(command, trained, file, "maps", command.space, *features, command.method, *others)
    with writing(path):
        if path.suffix.lower() == ".png":
            step = trained.checkpoint.header.step
            by = " by t-SNE" if command.method == "tsne" else "" if flat.kept is None else " by PCA"
            title = f"{config.data.title}, step {step:,}: {found.what}{by}"
            write_whole(path, encoded(_picture(found, flat, store.classes, title)))
        else:
            write_whole(path, _table(found, flat.places, store.classes))
    count = len(found.fake) - command.num
    beside = f" beside {count:,} real" if count else ""
    kept = "" if flat.kept is None else f"; the plane has {flat.kept:.0%} of the variance"
    say(f"{counted(command.num, 'sample')} of step {trained.checkpoint.header.step:,}{beside}: {path}{kept}")


def _collected(command: MapCommand, trained: TrainedGenerator, config: TrainConfig, store: Store) -> Collected:
    """Return real and generated samples by their features, or generated ones by their latents or styles."""
    real = real_side(command, trained, store, command.num)
    fake, latents = fake_side(command, trained, real)
    if command.standing:
        trained.measure_norms(command.standing)
    of_latents, extractor = command.space == "latents", None
    if not of_latents or fake.labels is None:
        features = command.features if store.space.kind is IMAGES else EXTRACTORS["raw"](name="raw")
        extractor = features.open(Reference(config.data, store, trained.device.torch_device, command.cache))
    small = command.thumbnails and store.space.kind is IMAGES
    sides = [fake] if of_latents else [real, fake]
    vectors, labels, images = zip(*(_seen(side, extractor, store, small) for side in sides), strict=True)
    if of_latents:
        vectors = (_codes(trained, latents, fake.labels, command.batch_size),)
        what = "styles" if isinstance(trained.network, StyledGenerator) else "latents"
    else:
        what = f"features ({extractor.name})" if extractor is not None else ""
    return Collected(
        np.concatenate(vectors),
        np.repeat([side is fake for side in sides], [side.count for side in sides]),
        np.concatenate(labels),
        np.concatenate(images) if small else None,
        what,
    )


def _seen(
    samples: Samples, extractor: Extractor | None, store: Store, small: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return features [count, width], labels [count] and, if `small`, thumbnails of samples, read in chunks.

    Samples without labels have those that a classifier of the data's own classes sees in them, or else -1.
    """
    vectors, labels, images = [], [], []
    starts = range(0, samples.count, CHUNK)
    for start in track(starts, len(starts), "samples"):
        rows = samples.read(start, min(start + CHUNK, samples.count))
        label = torch.full((len(rows),), -1)
        if extractor is not None:
            with torch.no_grad(), exact_fp32():
                found = extractor.extract(rows)
            vectors.append(found.features.float().cpu().numpy())
            if found.logits is not None and extractor.classes == len(store.classes):
                label = found.logits.argmax(1).cpu()
        labels.append(label if samples.labels is None else samples.labels[start : start + len(rows)])
        if small:
            images.append(thumbnails(rows))
    return (
        np.concatenate(vectors) if vectors else np.empty((samples.count, 0)),
        torch.cat(labels).numpy(),
        np.concatenate(images) if small else np.empty(0),
    )


def _codes(trained: TrainedGenerator, latents: Tensor, labels: Tensor | None, batch_size: int) -> np.ndarray:
    """Return latents, float32 [count, width], or the styles that the generator makes of them, their mean each."""
    if not isinstance(trained.network, StyledGenerator):
        return latents.numpy()
    return trained.styles(latents, labels, batch_size).float().mean(1).numpy()


def _table(found: Collected, places: np.ndarray, classes: tuple[str, ...]) -> bytes:
    """Return a table of the places, each with its kind, and the name of its class where it has one."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["x", "y", "kind", "class"])
    for (x, y), fake, label in zip(places.tolist(), found.fake, found.labels, strict=True):
        row = [f"{x:.9g}", f"{y:.9g}", "fake" if fake else "real", classes[label] if label >= 0 else ""]
        table.writerow(row)
    return text.getvalue().encode()


def _picture(found: Collected, flat: Plane, classes: tuple[str, ...], title: str) -> np.ndarray:
    """Return real samples as dots, generated ones as crosses, and beside them images at their places, if any."""
    of_kind = np.array([REAL_COLOUR, FAKE_COLOUR], np.uint8)[found.fake.astype(int)]
    shown = np.unique(found.labels[found.labels >= 0])
    classified = (found.labels >= 0) & (len(shown) <= len(figure.CLASS_COLOURS))
    colours = np.where(classified.any(), np.array(figure.INK, np.uint8), of_kind)
    palette = np.array(figure.CLASS_COLOURS, np.uint8)
    colours[classified] = palette[np.searchsorted(shown, found.labels[classified])]
    dots, legend = [], []
    for fake, kind, marker in KINDS:
        chosen = found.fake == fake
        if chosen.any():
            dots.append(figure.Dots(flat.places[chosen], colours[chosen], marker))
            colour = figure.INK if classified.any() else FAKE_COLOUR if fake else REAL_COLOUR
            legend.append(figure.Key(f"{kind} ({chosen.sum():,})", colour, marker))
    if classified.any():
        pairs = zip(shown.tolist(), figure.CLASS_COLOURS, strict=False)
        legend += [figure.Key(caption(classes[label], label), colour, "square") for label, colour in pairs]
    picture = figure.plot_dots(dots, legend, *flat.axes, title=title)
    if found.thumbnails is None:
        return picture
    cells = nearest_to_cells(flat.places, CELLS)
    return np.concatenate([picture, overview(found.thumbnails, of_kind, cells, CELLS)], 1)
