"""Files that anyone may have written, checked before any of it is used; nothing that they name is imported."""

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from ganctl.errors import CheckpointError, DamageError
from ganctl.runtime.bounded import opened, read_text

LONGEST_HEADER = 8 << 20
"""Bytes of a checkpoint's header. A tensor takes about 350 of them, and two networks of `outline.MOST_TENSORS`
make at most nine times as many with average and optimizer slots: 6.5 MB."""

MOST_PARTS = 200_000
"""Of lists and mappings in a header, and of commas: each costs a reader many times its bytes. A tensor has about
two brackets and six commas."""

LONGEST_CONFIG = 64 << 10
"""Bytes of config.yaml; that of a default run has 1,500."""

DEEPEST, MOST_VALUES, LONGEST_TEXT = 12, 20_000, 8192
"""Levels, keys and values in all, and characters of one text in a config."""

DEEPEST_JSON = DEEPEST + 8
"""Levels of a header or a run.json, which hold a config."""

WHOLE_NUMBERS = range(-(1 << 63), 1 << 63)

KEY = re.compile(r"[A-Za-z][\w-]{0,99}", re.ASCII)


def check_length(path: Path) -> None:
    """Check the length of a safetensors file's header, which its first 8 bytes hold, before anything parses it.

    Raises `CheckpointError` if it is more than the file, or more than any checkpoint needs, and if the file is
    missing, or a folder, pipe or device, which is never opened.
    """
    try:
        with opened(path) as file:
            there, first = os.fstat(file.fileno()).st_size, file.read(8)
    except FileNotFoundError as error:
        raise CheckpointError(f"{path}: does not exist") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    announced = int.from_bytes(first, "little")
    if len(first) < 8 or announced > there - 8:
        raise CheckpointError(f"{path}: not an intact safetensors file (its header would end beyond the file)")
    if announced > LONGEST_HEADER:
        raise CheckpointError(f"{path}: its header of {announced:,} bytes is longer than any checkpoint's")


def parse_json(text: str) -> Any:
    """Return the plain data in a JSON text.

    Raises `ValueError` for duplicate keys, and more nesting or more parts than a checkpoint has.
    """
    if text.count("[") + text.count("{") > MOST_PARTS or text.count(",") > MOST_PARTS:
        raise ValueError("more parts than any checkpoint has")
    try:
        values = json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise ValueError("nested too deep") from None
    level = [values]
    for _ in range(DEEPEST_JSON):
        level = [inner for value in level for _, inner in _entries(value)]
    if level:
        raise ValueError("nested too deep")
    return values


def _entries(value: Any) -> Iterable[tuple[Any, Any]]:
    if isinstance(value, Mapping):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def check_config(values: Mapping[Any, Any]) -> None:
    """Check that a config from a file is plain data.

    Raises `ValueError` naming the key, for code to be called (`_target_`), interpolations, modules to be
    imported, and for more levels, values or characters than any config has.
    """
    if "plugins" in values:
        raise ValueError("plugins: no file may name modules to import; give plugins=[…] on the command line")
    count = 0
    waiting: list[tuple[str, int, Any]] = [("", 0, values)]
    while waiting:
        place, depth, value = waiting.pop()
        count += 1 + (len(value) if isinstance(value, Mapping | list) else 0)
        if count > MOST_VALUES:
            raise ValueError(f"{place or 'config'}: more values than any config has")
        for key, inner in _entries(value):
            if isinstance(value, Mapping) and not (isinstance(key, str) and KEY.fullmatch(key)):
                word = key[:40] if isinstance(key, str) else type(key).__name__
                raise ValueError(f"{place or 'config'}: '{word}' can be no key of a config")
            waiting.append((f"{place}.{key}".lstrip("."), depth + 1, inner))
        fault = "nested too deep" if depth > DEEPEST else _fault(value)
        if fault is not None:
            raise ValueError(f"{place}: {fault}")


def _fault(value: Any) -> str | None:
    match value:
        case str() if len(value) > LONGEST_TEXT:
            return "a text longer than any config has"
        case str() if "${" in value:
            return "an interpolation, which a saved config never holds"
        case int() if value not in WHOLE_NUMBERS:
            return "a number beyond 64 bits"
        case float() if not math.isfinite(value):
            return "must be a finite number"
        case None | str() | int() | float() | Mapping() | list():
            return None
    return f"a {type(value).__name__}, which a saved config never holds"


def read_yaml(path: Path, loader: Any = None) -> dict[str, Any]:
    """Return the plain data in the config.yaml of a run, by a `loader` if not by `PlainLoader`.

    Raises `DamageError` if it is missing, too long, no regular file, or no mapping in plain YAML, which knows
    neither tags nor aliases; `CheckpointError` for what `check_config` refuses.
    """
    try:
        values = (loader or PlainLoader)(read_text(path, LONGEST_CONFIG)).get_single_data()
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise DamageError(f"{path}: cannot be read ({error.problem}{line})") from error
    except OSError as error:
        raise DamageError(f"{path}: cannot be read ({error.strerror})") from error
    except Exception as error:  # PyYAML raises nearly any, for bytes that its authors did not foresee
        raise DamageError(f"{path}: cannot be read ({type(error).__name__}: {error})") from error
    if not isinstance(values, dict):
        raise DamageError(f"{path}: not the config of a run")
    try:
        check_config(values)
    except ValueError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return values


class PlainLoader(yaml.SafeLoader):
    """YAML without tags, aliases (which can make a few bytes stand for gigabytes) and deep nesting.

    Of plain words, only those of YAML's core schema are no text; PyYAML quotes texts that look like them.
    """

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node; a tag, an alias, or too deep a node is a mistake in the file."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._refuse("an alias", event)
        if getattr(event, "tag", None) is not None:
            self._refuse("a tag, which no saved config has", event)
        if self.depth > DEEPEST:
            self._refuse("nested too deep", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Return a mapping; a key that comes twice is a mistake in the file."""
        values = super().construct_mapping(node, deep)
        if len(values) < len(node.value):
            self._refuse("one key twice", node)
        return values

    def _refuse(self, problem: str, at: Any) -> NoReturn:
        raise yaml.MarkedYAMLError(problem=problem, problem_mark=at.start_mark)


PlainLoader.yaml_implicit_resolvers = {}
for kind, words, firsts in (
    ("null", r"|~|null|Null|NULL", ["", *"~nN"]),
    ("bool", r"true|True|TRUE|false|False|FALSE", [*"tTfF"]),
    ("int", r"[-+]?(0|[1-9][0-9]*)", [*"-+0123456789"]),
    ("float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", [*"-+.0123456789"]),
):
    PlainLoader.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", re.compile(rf"(?:{words})\Z"), firsts)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("one key twice")
    return values


class QuickLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML read by libyaml where PyYAML has it, for a look at the configs of many runs.

    It knows no aliases either; of tags, those of plain values. libyaml itself refuses deep nesting.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._may_repeat = "&" in text

    def get_single_node(self) -> Any:
        """Return the document's node, in which an alias, which is a node met twice, is a mistake in the file."""
        document = super().get_single_node()
        waiting, met = [document] if self._may_repeat else [], set()
        while waiting:
            node = waiting.pop()
            if id(node) in met:
                raise yaml.MarkedYAMLError(problem="an alias", problem_mark=node.start_mark)
            met.add(id(node))
            if isinstance(node, yaml.MappingNode):
                waiting += [part for pair in node.value for part in pair]
            elif isinstance(node, yaml.SequenceNode):
                waiting += node.value
        return document


QuickLoader.yaml_implicit_resolvers = PlainLoader.yaml_implicit_resolvers
