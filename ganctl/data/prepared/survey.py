"""What a set of images holds, found by decoding all of it and keeping nothing."""

from collections import Counter, defaultdict
from dataclasses import dataclass

from ganctl.data.decoding.parallel import DecodeTask
from ganctl.data.prepared.image_set import DecodedSet, Failure, ImageSet


@dataclass(frozen=True)
class Survey:
    """A set of images in numbers.

    `modes` (as Pillow names them), `sizes` (width, height) and `classes` count the images that decode. `blank`
    names those of one single colour, `warned` those that Pillow warned of, with its words. `duplicates` lists the
    names of images that decode to the same pixels, group by group.
    """

    whole: DecodedSet
    side: int
    modes: Counter[str]
    sizes: Counter[tuple[int, int]]
    classes: Counter[str]
    duplicates: list[list[str]]
    blank: list[str]
    warned: list[Failure]


def survey(images: ImageSet, workers: int | None) -> Survey:
    """Decode every image and count what they are.

    Raises `DataError` if a decoding process dies.
    """
    task = DecodeTask(images.side, images.decoding, surveyed=True)
    whole = images.decoded(images.each(workers), task, None, workers)
    pairs = list(zip(whole.files, whole.outcomes, strict=True))
    good = [(file, outcome) for file, outcome in pairs if not outcome.reason]
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for file, outcome in good:
        if outcome.pixels:
            alike[outcome.pixels].append(file.relative)
    return Survey(
        whole=whole,
        side=images.side,
        modes=Counter(outcome.mode for _, outcome in good),
        sizes=Counter(outcome.size for _, outcome in good),
        classes=Counter(file.belongs_to[1] for file, _ in good),
        duplicates=[names for names in alike.values() if len(names) > 1],
        blank=[file.relative for file, outcome in pairs if outcome.blank],
        warned=[Failure(file.relative, outcome.complaint) for file, outcome in pairs if outcome.complaint],
    )
