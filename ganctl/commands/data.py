"""ganctl data: images of one's own, prepared, checked or described before a run trains on them."""

import re
import shlex
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from ganctl.command_line.jobs import Job, Typed
from ganctl.data.cache.entries import Cache, unusable
from ganctl.data.cache.image_set import ImageSet, Survey
from ganctl.data.decoding.files import FoundImages, search
from ganctl.data.sources.image_folder import Folder, accept, refuse, remarks
from ganctl.errors import ConfigError, GanctlError, counted
from ganctl.game.outline import memory_of
from ganctl.recipes.auto import of_images
from ganctl.recipes.recommend import recommend
from ganctl.runtime.console import say
from ganctl.runtime.device import open_device
from ganctl.runtime.signals import Signals
from ganctl.validation import validate

LISTED_FAILURES = 20
LISTED_KINDS = 5
LISTED_CLASSES = 20
UNBALANCED = 3
"""How many times as many images as the smallest class the largest has, where balance is worth a word."""

Rows = list[tuple[str, str]]
"""What is reported of a data set: a label and a text."""


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Do the action that the job names; keys are named as they are typed here, without data. in front.

    Raises what the action raises.
    """
    source = validate(Folder, values)
    try:
        {"prepare": prepare, "check": check, "info": info}[job.subject](source)
        if job.subject == "check":
            advise(source, job.words)
    except GanctlError as error:
        raise type(error)(_as_typed(str(error))) from error


def prepare(source: Folder) -> None:
    """Decode a data set into the cache, or report that it is there already.

    Raises `ConfigError` if the cache cannot be used, `DataError` for data that cannot.
    """
    if source.cache is None:
        raise ConfigError("cache: null keeps nothing; give a folder to prepare images in")
    found, images = _searched(source)
    for line in remarks(found):
        say(f"path: {_as_typed(line)}")
    started = time.perf_counter()
    try:
        prepared = Cache(source.cache).prepare(images, source.workers)
    except OSError as error:
        raise unusable(source.cache, error) from error
    seconds = time.perf_counter() - started
    store = accept(images, prepared, source.max_bad_fraction)
    word = "prepared" if prepared.fresh else "already prepared"
    say(f"{word}: {store.describe()}, {decimal(store.samples.nbytes)}")
    say(f"in {prepared.folder}")
    if prepared.fresh:
        number = len(images.files)
        say(f"decoded {counted(number, 'file')} in {seconds:.1f} s ({number / seconds:,.0f}/s)")


def check(source: Folder) -> None:
    """Decode a data set without keeping it, and report what it holds and what is wrong with it.

    Raises `DataError` if training would refuse it.
    """
    found, images = _searched(source)
    told = images.surveyed(source.workers)
    _show([*_findings(source, told), *_left_out(found)])
    refuse(images, told.whole.prepared(), source.max_bad_fraction)
    if told.whole.doubt is not None:
        raise told.whole.doubt


def advise(source: Folder, words: Sequence[str]) -> None:
    """Report the command that is recommended for a data set, with its reasons; `words` are the keys as typed."""
    device = open_device("auto", "auto", False, None)
    memory, cuda = memory_of(device)[0], device.torch_device.type == "cuda"
    facts = of_images(source, search(source.path, source.subfolder), memory, cuda=cuda)
    typed = ["data=folder", *(f"data.{word}" for word in words)]
    made = recommend(facts, {word.partition("=")[0] for word in typed[1:]})
    command = shlex.join([*typed, *(each.word for each in made if each.word)])
    say("")
    _show([("train", f"ganctl train {command}"), *(("", str(each)) for each in made)])


def info(source: Folder) -> None:
    """Report what a data set holds and whether it is prepared, without decoding or reading its images."""
    found, images = _searched(source)
    kind = "zip file" if images.files[0].member is not None else "folder"
    size = sum(file.size for file in images.files)
    _show(
        [
            ("path", f"{source.path} ({kind})"),
            ("images", f"{len(images.files):,}, {decimal(size)} undecoded"),
            *_classes(Counter(file.belongs_to[1] for file in images.files)),
            *_left_out(found),
            *_prepared(source, images),
        ]
    )


def _searched(source: Folder) -> tuple[FoundImages, ImageSet]:
    found = search(source.path, source.subfolder)
    return found, ImageSet(source.path, source.subfolder, found.files, source.decoding)


def _left_out(found: FoundImages) -> Rows:
    """Return what was passed over or left out, and what folders were taken for."""
    rows = [("passed over", found.passed_over), ("left out", found.left_out)]
    rows += _notes(("note", remark) for remark in found.remarks)
    return [(label, text) for label, text in rows if text]


def _prepared(source: Folder, images: ImageSet) -> Rows:
    """Return where a data set is prepared, and what was found then."""
    if source.cache is None:
        return [("prepared", "no, because cache=null keeps nothing")]
    prepared = Cache(source.cache).find(images)
    if prepared is None or prepared.store is None:
        return [("prepared", "no, or the files have changed; `ganctl data prepare` sees to it, as does training")]
    text = f"{prepared.store.describe()}, {decimal(prepared.store.samples.nbytes)}, in {prepared.folder}"
    return [("prepared", text), *_notes(prepared.notes)]


def _notes(notes: Iterable[tuple[str, str]]) -> Rows:
    return [(label, _as_typed(text)) for label, text in notes]


def _findings(source: Folder, found: Survey) -> Iterator[tuple[str, str]]:
    whole = found.whole
    total, skipped = len(whole.files), len(whole.bad)
    shape = f"{found.side}×{found.side}×{source.channels}"
    yield "images", f"{total - skipped:,} of {total:,} decode, to {shape}"
    if skipped < total:
        yield "modes", _most(found.modes.most_common())
        yield from _sizes(source, found)
        yield from _classes(found.classes)
        yield from _notes(whole.notes)
        if whole.doubt is None:  # else nothing of more than 8 bits has pixels yet
            told = "none (of pixels, as decoded)"
            if found.duplicates:
                spare = sum(len(names) - 1 for names in found.duplicates)
                told = f"{spare:,} (of pixels, as decoded), the first {' = '.join(found.duplicates[0][:2])}"
            yield "duplicates", told
            if found.blank:
                yield "blank", f"{len(found.blank):,} of one single colour, the first {found.blank[0]}"
    if found.warned:
        first = found.warned[0]
        odd = f"{len(found.warned):,} that Pillow or libtiff warn of"
        yield "odd", f"{odd}, the first {first.relative}: {first.reason}"
    yield "corrupt", f"{skipped:,}" if skipped else "none"
    for failure in whole.prepared().failures[:LISTED_FAILURES]:
        yield "", f"{failure.relative}: {failure.reason}"
    if skipped > LISTED_FAILURES:
        yield "", f"and {skipped - LISTED_FAILURES:,} more"


def _sizes(source: Folder, found: Survey) -> Iterator[tuple[str, str]]:
    shorter = [min(size) for size, count in found.sizes.items() for _ in range(count)]
    yield "shorter side", f"{min(shorter):,} to {max(shorter):,} pixels, median {median(shorter):,.0f}"
    kinds = [(f"{width}×{height}", count) for (width, height), count in found.sizes.most_common()]
    yield "sizes", _most(kinds)
    word, decides = ("longer", max) if source.fit == "pad" else ("shorter", min)
    small = sum(count for size, count in found.sizes.items() if decides(size) < found.side)
    if small:
        yield "enlarged", f"{small:,} whose {word} side is below {found.side}"


def _classes(classes: Counter[str]) -> Rows:
    if len(classes) < 2:
        return [("classes", "none")]
    named = [(name or "(top folder)", count) for name, count in classes.most_common()]
    (_, most), (smallest, least) = named[0], named[-1]
    rows = [("classes", f"{len(classes):,}: {_most(named, LISTED_CLASSES)}")]
    if most > UNBALANCED * least:
        advice = "data.balance=true trains on every class equally often"
        rows += [
            ("balance", f"the largest class has {most / least:,.1f} times the images of {smallest}; {advice}")
        ]
    return rows


def _most(kinds: Iterable[tuple[str, int]], listed: int = LISTED_KINDS) -> str:
    told = [f"{name} {count:,}" for name, count in kinds]
    more = f", {len(told) - listed:,} more" if len(told) > listed else ""
    return ", ".join(told[:listed]) + more


def _show(rows: Rows) -> None:
    """Print a table where there is someone to watch, else plain lines."""
    if sys.stdout.isatty():
        table = Table(show_header=False)
        for label, text in rows:
            shown = text.encode("utf-8", "backslashreplace").decode()
            table.add_row(Text(label, style="bold"), Text(shown))
        Console().print(table)
        return
    width = max(len(label) for label, _ in rows)
    for label, text in rows:
        say(f"{label:{width}}  {text}")


def _as_typed(text: str) -> str:
    return re.sub(r"(?<!\S)data\.(?=(path|subfolder|cache|workers|range|frames)\b|max_bad_fraction)", "", text)
