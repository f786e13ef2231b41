"""Tables as wide as the terminal, texts that it only shows, and JSON."""

import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from rich.console import Console
from rich.text import Text

from ganctl.errors import one_line

WIDE = 1000
"""Columns where the output is no terminal: nothing is cut or folded."""


def console() -> Console:
    """Return where tables are printed: the terminal in its width, or plain text."""
    return Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDE)


def plain(value: Any, style: str = "") -> Text:
    """Return any value as one line of text, in which nothing is taken for a style or moves the cursor."""
    return Text("" if value is None else one_line(str(value)), style)


def print_json(document: Any) -> None:
    """Print one JSON document, of dataclasses the fields; numbers that are not finite are null."""
    print(json.dumps(_finite(document), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        value = asdict(value)
    if isinstance(value, Mapping):
        return {key: _finite(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
