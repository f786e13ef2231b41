"""Files that name the class of each image: `dataset.json` of StyleGAN's tools, and `labels.csv`."""

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from ganctl.data.decoding.formats import ENDINGS, HEIF_ENDINGS
from ganctl.errors import DataError

Label = tuple[int, str]
"""A class: its place among the others, where names do not say it, and its name."""

Labels = dict[str, Label]
"""The class of each image by its path below the table's folder, its names parted by /."""

JSON, CSV = "dataset.json", "labels.csv"
TABLES = (JSON, CSV)
"""Names of the files, the first of which is taken."""

LONGEST_NUMBER = 18
"""Digits of a number that classes are sorted by."""


def labels_of(content: bytes, place: str) -> tuple[Labels | None, str]:
    """Return the class of each image in a table, and a line about them.

    None in place of the classes says that the images have none. `place` is the file's path. Raises `DataError` if
    it is damaged or gives an image two labels, `KeyError` if it is of another kind.
    """
    return (_of_csv if place.endswith(CSV) else _of_json)(content, place)


def _of_json(content: bytes, place: str) -> tuple[Labels | None, str]:
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise DataError(f"data.path: {place} is not JSON ({error}); mend it, or move it elsewhere") from error
    if not isinstance(table, dict) or "labels" not in table:
        raise KeyError("labels")
    if table["labels"] is None:
        return None, f"{JSON} says that there are no classes"
    try:
        pairs = [(str(name), label) for name, label in table["labels"]]
        if pairs and all(isinstance(label, list) for _, label in pairs):
            return None, f"{JSON} labels by lists of numbers, which are no classes and left out"
        labelled = [(name, _label(label)) for name, label in pairs]
    except (TypeError, ValueError, OverflowError) as error:
        raise DataError(
            f"data.path: {place}: labels must be null or pairs of a file's name and a whole number or a text, "
            'such as [["00000/img00000000.png", 3]]'
        ) from error
    return _each_once(labelled, place), f"classes are the labels of {JSON}"


def _of_csv(content: bytes, place: str) -> tuple[Labels | None, str]:
    pairs: list[tuple[str, str]] = []
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        reader = csv.reader(text, skipinitialspace=True, strict=True)
        columns = 0
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            heads, columns = not columns, columns or len(cells)
            if columns > 2:
                return None, f"{CSV} has {columns} columns: several labels an image are no classes, and left out"
            if len(cells) != 2 or not all(cells):
                raise DataError(
                    f"data.path: {place}, line {reader.line_num}: must be a file and its one label, parted by a "
                    "comma, such as cats/1.png,cat"
                )
            if not heads or _names_image(cells[0]):
                pairs.append((cells[0], cells[1]))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"data.path: {place} is not CSV in UTF-8 ({error}); mend it, or move it elsewhere"
        ) from error
    numbered = all(label.isascii() and label.isdigit() and len(label) <= LONGEST_NUMBER for _, label in pairs)
    labelled = [(name, (int(label) if numbered else 0, label)) for name, label in pairs]
    return _each_once(labelled, place), f"classes are the labels of {CSV}"


def _names_image(cell: str) -> bool:
    return cell.rpartition(".")[2].lower() in ENDINGS | HEIF_ENDINGS


def _label(label: Any) -> Label:
    if isinstance(label, str):
        return 0, label
    if isinstance(label, bool) or int(label) != label:
        raise ValueError("neither a whole number nor a text")
    return int(label), str(int(label))


def _each_once(pairs: Iterable[tuple[str, Label]], place: str) -> Labels:
    labels: Labels = {}
    for given, label in pairs:
        name = given.replace("\\", "/").removeprefix("./")
        if labels.setdefault(name, label) != label:
            raise DataError(
                f"data.path: {place} gives {name} two labels, {labels[name][1]} and {label[1]}; leave one of them"
            )
    return labels
