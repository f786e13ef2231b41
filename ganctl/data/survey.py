"""What a set of pictures holds, found by decoding all of it and keeping nothing."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from ganctl.data.cache import Failure, Pictures, Prepared, failures_of
from ganctl.data.files import common_side
from ganctl.data.parallel import Task
from ganctl.data.whole import Notes, decode_set
from ganctl.errors import DataError


@dataclass(frozen=True)
class Survey:
    """A set of pictures in numbers.

    Of `failures` the first are listed, `skipped` counts all. `sizes` are (width, height), `modes` colour modes as
    Pillow names them, `classes` their classes; each of pictures that decode.
    `blank` names the pictures of one single colour, `warned` those that Pillow warned of, and its words. `doubt`
    is why training refuses their range of values. `duplicates` lists the names of pictures that decode to the same
    pixels of side `side`, group by group.
    """

    total: int
    side: int
    skipped: int
    failures: list[Failure]
    modes: Counter[str]
    sizes: Counter[tuple[int, int]]
    classes: Counter[str]
    duplicates: list[list[str]]
    blank: list[str]
    warned: list[Failure]
    notes: Notes
    doubt: DataError | None

    @property
    def prepared(self) -> Prepared:
        """The outcome as decoding into a store would have told it, without the store."""
        return Prepared(None, self.skipped, self.failures, total=self.total)


def survey(pictures: Pictures, workers: int | None) -> Survey:
    """Decode every picture and count what they are.

    Raises `DataError` if a decoding process dies.
    """
    files, decoding = pictures.each(workers), pictures.decoding
    side = decoding.side or common_side(pictures.files)
    task = Task(side, decoding, rows=None, hashed=False, surveyed=True)
    whole = decode_set(files, task, None, workers, "checking", pictures.source)
    outcomes = whole.outcomes
    alike: defaultdict[str, list[str]] = defaultdict(list)
    modes: Counter[str] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    classes: Counter[str] = Counter()
    for file, outcome in zip(files, outcomes, strict=True):
        if not outcome.reason:
            if outcome.pixels:
                alike[outcome.pixels].append(file.relative)
            modes[outcome.mode] += 1
            sizes[outcome.size] += 1
            classes[file.belongs_to[1]] += 1
    duplicates = [names for names in alike.values() if len(names) > 1]
    skipped = len(files) - modes.total()
    told = list(zip(files, outcomes, strict=True))
    return Survey(
        total=len(files),
        side=side,
        skipped=skipped,
        failures=failures_of(files, outcomes),
        modes=modes,
        sizes=sizes,
        classes=classes,
        duplicates=duplicates,
        blank=[file.relative for file, outcome in told if outcome.blank],
        warned=[Failure(file.relative, outcome.complaint) for file, outcome in told if outcome.complaint],
        notes=whole.notes,
        doubt=whole.doubt,
    )
