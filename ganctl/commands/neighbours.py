"""ganctl neighbours: samples beside the real ones that are nearest to them, as a picture and as a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import Field, SerializeAsAny, create_model
from torch import Tensor

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.classes import Classes, labels_in_turn, words_of_classes
from ganctl.commands.words.output import file_named, stem_of, writing
from ganctl.commands.words.real_data import data_of
from ganctl.commands.words.seeds import MOST, Seeds, refuse_two_counts, words_of_seeds
from ganctl.data.store import Store
from ganctl.errors import ConfigError, counted
from ganctl.images.png import captioned, encoded, grid, legible, subtitled
from ganctl.metrics import EXTRACTORS, FeatureExtractor, Reference
from ganctl.runs.generator import CPU, GeneratorCommand, TrainedGenerator, open_generator
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.samples import IMAGES
from ganctl.uses.copies import Nearest, feature_vectors, nearest_real, pixel_vectors
from ganctl.validation import validate

FEW = 8
"""Samples that are drawn where neither `num` nor `seeds` says how many."""

MOST_ROWS = 100
"""Samples in a picture, the first so many; a table has all."""


class NeighboursCommand(GeneratorCommand):
    """Everything that `ganctl neighbours` is told."""

    space: Literal["pixels", "features"]
    k: Annotated[int, Field(ge=1, le=100)]
    num: Annotated[int, Field(ge=1, le=MOST)] | None
    seed: Annotated[int, Field(ge=0)] | None
    seeds: Seeds | None
    classes: Classes = Field(alias="class")
    truncation: Annotated[float, Field(gt=0)] | None
    real: Annotated[int, Field(ge=2, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=1)]
    cache: str
    data: dict[str, Any]
    features: SerializeAsAny[FeatureExtractor]


def neighbours_command(values: Mapping[str, Any]) -> NeighboursCommand:
    """Validate a composed config of `ganctl neighbours`; raise `ConfigError` that names the first wrong key."""
    features: Any = (EXTRACTORS.union(), ...)
    return validate(create_model("NeighboursCommand", __base__=NeighboursCommand, features=features), values)


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Draw samples, find the real ones nearest to each, write both, and say how near they are.

    Raises `CheckpointError` if there is no intact checkpoint, `DataError` if its data is not there, `ConfigError`
    for what does not go together and for a place that cannot be written.
    """
    command = neighbours_command(values)
    refuse_two_counts(command.num, command.seed, command.seeds)
    file = file_named(command.out, {"png", "csv"})
    keep_freed_memory()
    trained = open_generator(command)
    kind = trained.space.kind
    if kind is not IMAGES and file is not None and file.suffix.lower() == ".png":
        raise ConfigError(
            f"out: {file} would be a picture of images, but this model draws {kind.noun}s; take .csv"
        )
    count = len(command.seeds) if command.seeds else command.num or FEW
    labels = labels_in_turn(command.classes, trained.space.classes, command.seeds or range(count))
    config, store = data_of(trained, command.data, values.typed)
    rows = _rows(command, trained, count, labels)
    if command.space == "pixels":
        vectors, device = pixel_vectors(rows, store), trained.device.torch_device
        found = nearest_real(vectors, command.k, command.real, device if device.type == "cuda" else CPU)
    else:
        reference = Reference(config.data, store, trained.device.torch_device, command.cache)
        extractor = command.features.open(reference)
        vectors = feature_vectors(rows, store, config.data, extractor, command.cache)
        found = nearest_real(vectors, command.k, command.real, extractor.arithmetic)
    for path in _paths(command, trained, file, pictures=kind is IMAGES):
        picture = path.suffix.lower() == ".png"
        with writing(path):
            write_whole(path, _picture(command, rows, store, found) if picture else _table(command, found))
        noun = "sample" if kind is IMAGES else kind.noun
        say(f"{counted(min(count, MOST_ROWS) if picture else count, noun)}: {path}")
    _tell(found, store, command)


def _rows(command: NeighboursCommand, trained: TrainedGenerator, count: int, labels: Tensor | None) -> Tensor:
    """Return the samples as a store has them: those that `ganctl sample` draws of the same latents and labels."""
    bound = trained.truncate(command.truncation)
    if command.standing:
        trained.measure_norms(command.standing, bound)
    if command.seeds is not None:
        latents = trained.latents_of_seeds(command.seeds, bound)
    else:
        latents = trained.draw_latents(count, command.seed or 0, bound)
    return trained.rows(latents, labels, command.batch_size)


def _paths(
    command: NeighboursCommand, trained: TrainedGenerator, file: Path | None, *, pictures: bool
) -> list[Path]:
    """Return the files that are written: the one that is named, or a picture of images and a table."""
    if file is not None:
        return [file]
    folder = trained.folder("neighbours") if command.out is None else Path(command.out)
    stem = stem_of(trained.checkpoint.path, _title(command), ema=command.ema)
    return [folder / f"{stem}.{ending}" for ending in (["png", "csv"] if pictures else ["csv"])]


def _title(command: NeighboursCommand) -> str:
    """Return words for file names that tell apart what was asked for."""
    seeds, asked = command.seeds, command.classes
    one = f"seed-{command.seed or 0}-{command.num or FEW}"
    words = [one if seeds is None else words_of_seeds(seeds), f"k-{command.k}"]
    words.append("pixels" if command.space == "pixels" else command.features.name)
    if asked is not None:
        words.append(words_of_classes(asked))
    if command.truncation is not None:
        words.append(f"truncation-{command.truncation:g}")
    if command.standing:
        words.append(f"standing-{command.standing}")
    return "-".join(words)


def _picture(command: NeighboursCommand, rows: Tensor, store: Store, found: Nearest) -> bytes:
    """Return a picture of a row per sample: the sample, then its nearest real ones with their distances below."""
    shown = rows[:MOST_ROWS]
    real = store.samples[found.places[: len(shown)].flatten()].unflatten(0, (len(shown), command.k))
    images = torch.cat([shown[:, None], real], 1).flatten(0, 1)
    name = "seed" if command.seeds else "sample"
    told = []
    for number, distances in zip(_numbers(command, found), found.distances.tolist(), strict=True):
        told += [f"{name} {number}", *(f"{distance:.3g}" for distance in distances)]
    sheet = grid(subtitled(legible(images.numpy()), told[: len(images)]), command.k + 1)
    headings = ["generated", *(f"real {rank}" for rank in range(1, command.k + 1))]
    return encoded(captioned(sheet, [], headings))


def _numbers(command: NeighboursCommand, found: Nearest) -> Sequence[int]:
    """Return the seed of each sample, or its number from 0 where all are of one seed."""
    return command.seeds or range(len(found.distances))


def _table(command: NeighboursCommand, found: Nearest) -> bytes:
    """Return a table with a line for each pair of a sample and one of its nearest real ones."""
    lines = ["sample,seed,rank,real,distance"]
    pairs = zip(found.places.tolist(), found.distances.tolist(), strict=True)
    for number, (places, distances) in enumerate(pairs):
        seed = command.seeds[number] if command.seeds else command.seed or 0
        for rank, (place, distance) in enumerate(zip(places, distances, strict=True), 1):
            lines.append(f"{number},{seed},{rank},{place},{distance:.9g}")
    return "\n".join([*lines, ""]).encode()


def _tell(found: Nearest, store: Store, command: NeighboursCommand) -> None:
    """Say how near samples are to real ones, and real ones to each other."""
    told, count = found.compared, len(found.distances)
    values = "pixels" if store.space.kind is IMAGES else "values"
    by = values if command.space == "pixels" else command.features.name
    say(
        f"median distance to the nearest of {len(store):,} real samples: {told['distance']:.4g}, by {by}; of "
        f"{found.examined:,} real ones to the nearest other one: {told['distance_real']:.4g}"
    )
    copies = f"{round(told['copies'] * count):,} of {counted(count, 'sample')} ({told['copies']:.1%})"
    say(f"{copies} as near as the nearest 1 % of the real ones are to each other")
