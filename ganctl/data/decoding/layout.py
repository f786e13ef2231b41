"""What the folders of a data set mean: classes, parts of a split, chunks, masks, or runs of ganctl."""

import re
from collections.abc import Callable, Collection, Mapping

Path = tuple[str, ...]
"""The names of the folders that lead to a place inside a data set; empty for its top."""

SPLIT = re.compile(r"(train|val|valid|dev|test)(ing|idation)?([-_ ]?(set|data|images|\d+))?", re.IGNORECASE)
IMAGES = re.compile(r"(jpeg)?im(age|g)s?|inputs?|photos?|pictures?|rgb", re.IGNORECASE)
MASKS = re.compile(
    r"annotations?|depths?|gt|ground[-_]?truth|labels?|masks?|segmentation(s|class|object)?|trimaps?",
    re.IGNORECASE,
)
CHUNK = re.compile(r"\d{5,}")
NUMBERED = re.compile(r"\D*(\d+)")
STYLEGAN_IMAGE = re.compile(r"img\d{8}")
CHUNK_SIZES = (100, 1_000, 10_000, 100_000)
LISTED_FOLDERS = 3
RUN_SIGNS = frozenset(("run.json", "metrics.jsonl", "run.log"))
RUN_CONFIG, RUN_CHECKPOINTS, RUNS_FOLDER = "config.yaml", "checkpoints", "outputs"
MARKERS = RUN_SIGNS | {RUN_CONFIG}
"""Names of files that show that their folder is a run of ganctl."""


def runs_among(markers: Mapping[Path, set[str]]) -> list[Path]:
    """Return which folders are runs of ganctl, by the files in each that `MARKERS` names; never the top itself.

    A folder `checkpoints` with anything in it is to be there with its path, be it with an empty set.
    """
    return sorted(
        folder
        for folder, names in markers.items()
        if folder and RUN_CONFIG in names and (names & RUN_SIGNS or (*folder, RUN_CHECKPOINTS) in markers)
    )


def left_out(runs: Collection[Path]) -> set[Path]:
    """Return the folders that are left out for these runs: each run, or the `outputs` that holds it."""
    return {run[: run.index(RUNS_FOLDER) + 1] if RUNS_FOLDER in run else run for run in runs}


def arranged(
    folders: Collection[Path], above: Path, stems: Callable[[], Mapping[Path, list[str]]]
) -> tuple[dict[Path, str], list[str]]:
    """Return the class of the images in each folder, and what names of folders were taken for, one line each.

    `above` leads to the place that the folders are below. A class is the name of the folder that directly holds
    its images. Levels that say nothing of the kind do not count, and the folder above gives the name: one name
    alone (`cat/images`, `dog/images`), the parts of a split (`train`, `val`), and chunks of numbered files
    (`00000`, `00001`). `stems` gives the names of the images in each folder, without endings.
    """
    paths = {folder: folder for folder in folders}
    remarks = []
    while (level := _level_without_meaning(paths, stems)) is not None:
        depth, names, kind = level
        if kind == "split" and depth < 0:
            remarks.append(f"{_listed(names)} inside the classes are merged into one set")
        elif kind == "split":
            whole = "/".join((*above, *_part_to_train_on(paths, depth, names)))
            remarks.append(f"{_listed(names)} are merged into one set; take one of them by data.subfolder={whole}")
        elif kind == "chunks":
            remarks.append(f"{_listed(names)} are taken for chunks of one set, not for classes")
        paths = {folder: path[:depth] + path[depth:][1:] for folder, path in paths.items()}
    classes = {folder: (*above, *path)[-1] if above or path else "" for folder, path in paths.items()}
    return classes, remarks + _masks(paths, above)


def ancestors(folders: Collection[Path]) -> list[Path]:
    """Return the folders that contain all of these, the top first."""
    common = min(folders)[: _common(folders)]
    return [common[:depth] for depth in range(len(common) + 1)]


def _level_without_meaning(
    paths: Mapping[Path, Path], stems: Callable[[], Mapping[Path, list[str]]]
) -> tuple[int, list[str], str] | None:
    """Return a level of folders that names no classes: its depth, −1 for the lowest, its names, and what it is."""
    distinct = set(paths.values())
    if len(distinct) < 2:
        return None
    depth = _common(distinct)
    highest = sorted({path[depth] for path in distinct if len(path) > depth})
    if len(highest) > 1 and all(map(SPLIT.fullmatch, highest)):
        return depth, highest, "split"
    lowest = sorted({path[-1] for path in distinct if len(path) > depth})
    if any(len(path) == depth for path in distinct):
        return None
    if len(lowest) == 1:
        return -1, lowest, "alike"
    if all(map(SPLIT.fullmatch, lowest)):
        return -1, lowest, "split"
    if all(map(CHUNK.fullmatch, lowest)) and len({len(name) for name in lowest}) == 1:
        chunks = [(paths[folder][-1], names) for folder, names in stems().items()]
        if _running_numbers(chunks):
            return -1, lowest, "chunks"
    return None


def _common(paths: Collection[Path]) -> int:
    """Return how many names all paths begin with in common."""
    first, last = min(paths), max(paths)
    return next(
        (depth for depth, (one, other) in enumerate(zip(first, last, strict=False)) if one != other),
        min(len(first), len(last)),
    )


def _running_numbers(chunks: list[tuple[str, list[str]]]) -> bool:
    """Return whether folders are chunks of files that are numbered through, as StyleGAN, FFHQ, img2dataset do.

    A class may have a number for its name too, but its files do not follow from it.
    """
    if all(STYLEGAN_IMAGE.fullmatch(stem) for _, stems in chunks for stem in stems):
        return True
    pairs = []
    for chunk, stems in chunks:
        for stem in stems:
            if (match := NUMBERED.fullmatch(stem)) is None:
                return False
            pairs.append((int(chunk), int(match[1])))
    return any(
        all(number // size == chunk or number // size * size == chunk for chunk, number in pairs)
        for size in CHUNK_SIZES
    )


def _part_to_train_on(paths: Mapping[Path, Path], depth: int, names: list[str]) -> Path:
    """Return the folder of the part of a split that is likely to be trained on."""
    wanted = next((name for name in names if name.lower().startswith("train")), names[0])
    folder = next(folder for folder, path in sorted(paths.items()) if path[depth : depth + 1] == (wanted,))
    return folder[: folder.index(wanted) + 1]


def _masks(paths: Mapping[Path, Path], above: Path) -> list[str]:
    names = sorted({path[-1] for path in paths.values() if path})
    images, masks = (list(filter(meaning.fullmatch, names)) for meaning in (IMAGES, MASKS))
    if not images or not masks:
        return []
    folder = min(folder for folder, path in paths.items() if path[-1:] == (images[0],))
    return [
        f"{_listed([*images, *masks])} are taken for classes; if they are images and their masks, set "
        f"data.subfolder={'/'.join((*above, *folder))}"
    ]


def _listed(names: list[str]) -> str:
    shown = [f"{name}/" for name in names[:LISTED_FOLDERS]]
    if len(names) > LISTED_FOLDERS:
        return f"{', '.join(shown)} and {len(names) - LISTED_FOLDERS:,} more"
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
