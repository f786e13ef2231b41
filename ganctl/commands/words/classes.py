"""How classes are asked for: one by its name or number, a list of them, or all."""

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError
from torch import Tensor

from ganctl.commands.words.output import word
from ganctl.errors import ConfigError, counted, nearest

ALL = "all"
"""Stands for every class; one that has this name is asked for by class=[all]."""

FORM = "must be a class by its name or number, a list of them such as [cat,dog], or all"

SHOWN = 12
"""Names of classes that a message lists."""

LONGEST = 40
"""Characters of a class that a message shows."""


def parse_classes(typed: Any) -> str | list[str] | None:
    """Return one class, `ALL`, or a list of classes as text, however they were read; None for none.

    Raises `ValueError` for anything else, and for an empty list.
    """
    if isinstance(typed, list):
        if not typed or not all(isinstance(part, str | int | float) for part in typed):
            raise ValueError(FORM)
        return [str(part).lower() if isinstance(part, bool) else str(part) for part in typed]
    if isinstance(typed, int | float):  # which is taken as it was typed
        raise PydanticCustomError("string_type", "must be text")
    if typed is None or isinstance(typed, str):
        return typed
    raise ValueError(FORM)


Classes = Annotated[str | list[str] | None, BeforeValidator(parse_classes)]
"""One class, all, or a list of classes, as text."""


def labels_of(asked: str | list[str], names: Sequence[str], key: str = "class") -> list[int]:
    """Return the labels of the classes that a key asks for, each of which has a name in `names`.

    A name wins over a number. Raises `ConfigError` that names the key for classes that are not there, or asked for
    twice, and where there are none.
    """
    _require_classes(names)
    if asked == ALL:
        return list(range(len(names)))
    labels: dict[int, None] = {}
    for text in [asked] if isinstance(asked, str) else asked:
        label = names.index(text) if text in names else _number(text, names, key)
        if label in labels:
            raise ConfigError(f"{key}: {names[label]} is asked for twice; name each class once")
        labels[label] = None
    return list(labels)


def labels_in_turn(asked: str | list[str] | None, names: Sequence[str], numbers: Sequence[int]) -> Tensor | None:
    """Return a label for each of the numbers, int64 [count]: they count through the classes asked for, or all.

    None where there are no classes; raises `ConfigError` as `labels_of` does.
    """
    if asked is None and not names:
        return None
    labels = torch.tensor(labels_of(ALL if asked is None else asked, names))
    return labels[torch.tensor(numbers) % len(labels)]


def label_of(asked: str | int, names: Sequence[str]) -> int:
    """Return the label of a class by its name or number; raise `ConfigError` as `labels_of` does."""
    _require_classes(names)
    if isinstance(asked, str):
        return labels_of([asked], names)[0]
    return _number(str(asked), names, "class")


def _require_classes(names: Sequence[str]) -> None:
    if not names:
        raise ConfigError(
            "class: the model of this run is not conditional, so no class can be asked for; leave class out, or "
            "train with model.conditional=true"
        )


def _number(text: str, names: Sequence[str], key: str) -> int:
    """Return the number of a class that a key asks for by it."""
    if re.fullmatch(r"-?\d+", text, re.ASCII):
        if re.fullmatch(r"0*\d{1,9}", text) and int(text) < len(names):
            return int(text)
        raise ConfigError(
            f"{key}: there is no class {text}; {counted(len(names), 'class')} are numbered from 0 to "
            f"{len(names) - 1:,}"
        )
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    there = ", ".join(name if len(name) <= LONGEST else f"{name[:LONGEST]}…" for name in names[:SHOWN])
    raise ConfigError(f"{key}: unknown class '{text}'{nearest(text, names)}; there are {there}{more}")


def caption(name: str, label: int) -> str:
    """Return a class's name in the letters of the font, which has ASCII alone, or else its number."""
    letters = (each for each in unicodedata.normalize("NFKD", name) if not unicodedata.combining(each))
    plain = "".join(letters)
    return plain if plain.isascii() and plain.strip() else f"class {label}"


def words_of_classes(asked: str | list[str]) -> str:
    """Return a part of a file's name that tells classes from others, such as "class-cat"."""
    return f"class-{word(asked)}" if isinstance(asked, str) else f"classes-{word('+'.join(asked))}"
