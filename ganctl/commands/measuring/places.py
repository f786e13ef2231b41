"""Images that are named by their place or by a data set, and read as training reads them."""

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import SerializeAsAny, create_model

from ganctl.command_line.jobs import Job, Typed
from ganctl.command_line.wording import in_quotes
from ganctl.data.decoding.decode import BadImageError, size_of
from ganctl.data.decoding.files import read, search
from ganctl.data.source import SOURCES, Source
from ganctl.data.sources.image_folder import Folder
from ganctl.data.sources.numpy_file import NumpyFile
from ganctl.data.store import Store
from ganctl.errors import ConfigError, DataError, GanctlError, counted, nearest
from ganctl.folders.records import is_run
from ganctl.registry import Spec
from ganctl.runs.evaluation import Side
from ganctl.runtime.console import say, track
from ganctl.runtime.root import outputs
from ganctl.validation import validate

ARRAYS = (".npy", ".npz")

LABELS = "labels"
"""The array of an .npz file that holds classes where none is named, as in those of `ganctl sample`."""

OF_ITS_OWN = {"name", "path", "subfolder", "samples", "labels", "balance"}
"""Keys of the reference that say nothing of how samples are read."""


class Chosen(Spec):
    """A data set that was chosen by its keys."""

    data: SerializeAsAny[Source]


def with_reference(values: Typed, job: Job) -> Typed:
    """Return values in which `data` has the keys of the set that `reference` names, if it names one.

    Raises `DataError` for a place that is not there, `ConfigError` for two references.
    """
    if "data.name" in values.typed:
        raise ConfigError("data.name: chooses no data set; name it by reference=…")
    if values["reference"] is None:
        return values
    if "name" in values["data"]:
        raise ConfigError(f"reference: data={values['data']['name']} says what to compare with; leave one out")
    words = _words(_text(values, "reference"), "reference")
    if len(words) > 1 and "data.path" in values.typed:
        raise ConfigError(f"data.path: reference={values['reference']} says where the images are; leave one out")
    assert job.compose is not None
    return job.compose([*words, *job.words])


def samples_values(values: Typed, job: Job) -> dict[str, Any]:
    """Return the keys by which the images of `samples` are read: as those of the reference, where both have a key.

    Raises as `with_reference` does, and `ConfigError` for the name of a data set.
    """
    word = _text(values, "samples")
    words = _words(word, "samples")
    if len(words) < 2:
        raise ConfigError(f"samples: {word} is a data set of real images; name it by reference={word}")
    assert job.compose is not None
    found: dict[str, Any] = job.compose(words)["data"]
    typed = {key.removeprefix("data.") for key in values.typed if key.startswith("data.")} - OF_ITS_OWN
    return found | {key: values["data"][key] for key in typed & found.keys() & values["data"].keys()}


def _text(values: Typed, key: str) -> str:
    """Return the value of a key as it was typed, also where it looks like a number."""
    value = values[key]
    return value if isinstance(value, str) else values.typed[key]


def _words(word: str, key: str) -> list[str]:
    """Return the words that choose a data set by its name, or the images at a place."""
    if not word:
        raise ConfigError(f"{key}: names nothing; give a folder, a .zip, .npz or .npy file")
    name, place = word.removeprefix("data="), Path(os.path.expanduser(word))
    if name != word or (name in SOURCES and not place.exists()):
        return [f"data={name}"]
    _refuse_run(word, place, key)
    if not place.exists():
        beside = [each.name for each in place.parent.iterdir()] if place.parent.is_dir() else []
        raise DataError(f"{key}: {word} does not exist{nearest(place.name, [*beside, *SOURCES])}")
    kind = "array" if place.suffix.lower() in ARRAYS else "folder"
    return [f"data={kind}", f"data.path={in_quotes(word)}"]


def _refuse_run(word: str, place: Path, key: str) -> None:
    for run in (place, outputs() / word):
        if place.suffix == ".safetensors" or (run.is_dir() and is_run(run)):
            raise ConfigError(
                f"{key}: {word} is a trained generator, and no folder of images; measure it by `ganctl evaluate "
                f"{word}`, or name what `ganctl sample {word} num=10000 out=samples.npz` wrote"
            )


def source_of(
    values: Mapping[str, Any],
    typed: Mapping[str, str],
    key: str,
    resolution: int | None = None,
    channels: int | None = None,
) -> Source:
    """Return the source of images, which brings them to so many pixels per side and channels, if it can.

    Without these, images in a folder keep their own size, and are read in colour. Raises `ConfigError` for a wrong
    key, `DataError` where images have no common size.
    """
    wanted = {"resolution": resolution, "channels": channels}
    free = {name for name in wanted if name in values and f"data.{name}" not in typed}
    values = {**values, **{name: value for name, value in wanted.items() if name in free and value is not None}}
    if _has_labels(values, key):
        say(f"{key}: classes are those of the array '{LABELS}' in {values['path']}")
        values["labels"] = LABELS
    schema = create_model("Chosen", __base__=Chosen, data=(SOURCES.union(), ...))
    with named(key):
        source = validate(schema, Typed({"data": values}, typed)).data
        if isinstance(source, Folder) and source.resolution is None:
            return validate(schema, Typed({"data": values | {"resolution": _side(source, key)}}, typed)).data
    return source


def _has_labels(values: Mapping[str, Any], key: str) -> bool:
    """Return whether the keys are of a file of numpy's that holds classes which they do not name."""
    if values["name"] != "array" or values["labels"] is not None or not isinstance(values["path"], str):
        return False
    return LABELS in NumpyFile(values["path"], key).names()


def load(source: Source, key: str) -> Store:
    """Return the images of a source; errors name its place by the `key` that was typed."""
    with named(key):
        return source.decoded(key) if isinstance(source, Folder) else source.load()


@contextmanager
def named(key: str) -> Iterator[None]:
    """Let errors within the block name what was typed in place of keys of data."""
    try:
        yield
    except GanctlError as error:
        told = str(error).replace("data.path", key).replace("data.resolution", "resolution")
        raise type(error)(told) from error


def _side(source: Folder, key: str) -> int:
    """Return the pixels of a side that all images of a folder have, by their headers."""
    files = search(source.path, source.subfolder).files
    first: dict[tuple[int, int], str] = {}
    sizes: Counter[tuple[int, int]] = Counter()
    for file in track(files, len(files), f"looking for the size of images in {source.path}"):
        try:
            size = size_of(read(file))
        except BadImageError:
            continue  # which decoding reports
        first.setdefault(size, file.name)
        sizes[size] += 1
    if not sizes:
        return 64  # of which none will decode, which tells more
    (usual, count), *others = sizes.most_common()
    width, height = usual
    if others:
        other = others[0][0]
        raise DataError(
            f"{key}: {counted(count, 'image')} of {width}×{height} pixels, but {first[other]} of "
            f"{other[0]}×{other[1]}; resolution={min(usual)} brings all to one size"
        )
    if width != height:
        raise DataError(
            f"{key}: images of {width}×{height} pixels are no squares; resolution={min(usual)} crops them to such"
        )
    return width


def require_alike(samples: Side, reference: Side) -> None:
    """Raise `DataError` where samples and reference are not of one shape, with the keys that bring them to one."""
    ours, theirs = samples.store.space, reference.store.space
    if ours.shape == theirs.shape:
        return
    told = f"samples: hold {ours.describe()}, and the reference {theirs.describe()}"
    if ours.kind is not theirs.kind or len(ours.shape) != 3:
        raise DataError(f"{told}; only samples of one shape can be compared")
    keys = [key for key in ("resolution", "channels") if _extent(samples, key) != _extent(reference, key)]
    words = [_common(key, samples, reference) for key in keys]
    advice = f"read both alike by {' '.join(words)}" if all(words) else "save both in one shape"
    raise DataError(f"{told}; {advice}")


def _common(key: str, *sides: Side) -> str:
    """Return the word that brings both sides to one value of a key; empty where none does.

    The value is that of the side that has no such key, or else the smaller one.
    """
    fixed = [side for side in sides if key not in type(side.source).model_fields]
    value = min(min(_extent(side, key)) for side in fixed or sides)
    return "" if len(fixed) == len(sides) else f"{key}={value}"


def _extent(side: Side, key: str) -> tuple[int, ...]:
    """Return what a key says of the shape of images: height and width, or channels."""
    shape = side.store.space.shape
    return shape[1:] if key == "resolution" else shape[:1]


def described(side: Side) -> dict[str, Any]:
    """Return what images are, as plain data: set, place if it is the user's own, part, fingerprint, count."""
    source, store = side
    own = {} if source.own is None else {"path": source.own}
    split = {"split": getattr(source, "split", "all")}
    return {"data": source.name, **own, **split, "fingerprint": store.fingerprint, "count": len(store)}


def asked_of(source: Source) -> dict[str, Any]:
    """Return which images are asked for and how they are read, as plain data."""
    own = {} if source.own is None else {"path": source.own}
    return source.model_dump(mode="json", exclude=set(source.placement)) | own
