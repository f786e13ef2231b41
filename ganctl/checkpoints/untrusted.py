"""Files that anyone may have written: what is checked before any of it is used.

Everything here is arithmetic on lengths, a walk over plain data and its validation: nothing that a file names is
opened or imported.
"""

import json
import math
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml

from ganctl.config import TrainConfig, train_config
from ganctl.errors import CheckpointError, ConfigError, DamageError, PluginError, UnknownNameError
from ganctl.runtime.bounded import UntrustedFileError, opened, read_text

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

FILE_NAME = re.compile(r"(?!\.\.?$)[^/\\\x00-\x1f\x7f]{1,255}")
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
    except UntrustedFileError as error:
        raise CheckpointError(f"{path}: not a regular file") from error
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error})") from error
    announced = int.from_bytes(first, "little")
    if len(first) < 8 or announced > there - 8:
        raise CheckpointError(f"{path}: not a whole safetensors file (its header would end beyond the file)")
    if announced > LONGEST_HEADER:
        raise CheckpointError(f"{path}: its header of {announced:,} bytes is longer than any checkpoint's")


def parse_json(text: str) -> Any:
    """Return the plain data in a JSON text.

    Raises `ValueError` for what no writer of ours makes: duplicate keys, more nesting or more parts than a
    checkpoint has.
    """
    if text.count("[") + text.count("{") > MOST_PARTS or text.count(",") > MOST_PARTS:
        raise ValueError("more parts than any checkpoint has")
    try:
        values = json.loads(text, object_pairs_hook=_without_duplicates)
    except RecursionError:
        raise ValueError("nested too deep") from None
    inner = [values]
    for _ in range(DEEPEST_JSON):
        inner = [value for each in inner for value in _inside(each)]
    if inner:
        raise ValueError("nested too deep")
    return values


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


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
        count += 1
        if depth > DEEPEST:
            raise ValueError(f"{place}: nested too deep")
        if isinstance(value, Mapping | list):
            count += len(value)
            if count > MOST_VALUES:
                raise ValueError(f"{place or 'config'}: more values than any config has")
            if isinstance(value, Mapping):
                _check_keys(place, value)
            pairs = value.items() if isinstance(value, Mapping) else enumerate(value)
            waiting += [(f"{place}.{key}".lstrip("."), depth + 1, inner) for key, inner in pairs]
        else:
            _check_value(place, value)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the plain data in the config.yaml of a run.

    Raises `DamageError` if it is missing, too long, no regular file, or no mapping in plain YAML, which knows
    neither tags nor aliases; `CheckpointError` for what `check_config` refuses.
    """
    try:
        node = PlainLoader(read_text(path, LONGEST_CONFIG)).get_single_node()
        values = None if node is None else _plain(node)
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


def saved_train_config(values: Mapping[str, Any], place: Path, plugins: Iterable[str] = ()) -> TrainConfig:
    """Validate a config that was read from a file; whatever is wrong with it is the file's fault.

    `plugins` are those that it is known to have been trained with, to be named if something is missing. Raises
    `CheckpointError` that names the file and the first wrong key, `PluginError` for a name that no table has.
    """
    try:
        return train_config(values)
    except UnknownNameError as error:
        known = ",".join(plugins)
        source = "it comes from a plugin:" if known else "if it comes from a plugin of yours,"
        told = f"{error.key}.name '{error.name}' is none of ganctl's own; {source} add plugins=[{known or '…'}]"
        raise PluginError(f"{place}: {told}") from error
    except ConfigError as error:
        raise CheckpointError(f"{place}: its config cannot be used here: {error}") from error


class PlainLoader(yaml.BaseLoader):
    """YAML without tags, aliases (which can make a few bytes stand for gigabytes) and deep nesting."""

    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Return the next node; a tag, an alias, or too deep a node is a mistake in the file."""
        event = self.peek_event()
        if isinstance(event, yaml.AliasEvent):
            self._refuse("an alias")
        if getattr(event, "tag", None) is not None:
            self._refuse("a tag, which no saved config has")
        if self.depth > DEEPEST:
            self._refuse("nested too deep")
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node

    def _refuse(self, problem: str) -> NoReturn:
        raise yaml.composer.ComposerError(None, None, problem, self.peek_event().start_mark)


WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
INTEGER = re.compile(r"[-+]?[0-9]+", re.ASCII)
FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?", re.ASCII)
"""Plain words of YAML's core schema; PyYAML quotes texts that look like them when it writes."""


def _plain(node: Any) -> Any:
    """Return a node as plain data: text, null, truth values, numbers, lists and mappings.

    Raises `ValueError` for a key that comes twice, or is a list or mapping.
    """
    if isinstance(node, yaml.SequenceNode):
        return [_plain(inner) for inner in node.value]
    if isinstance(node, yaml.MappingNode):
        if any(not isinstance(key, yaml.ScalarNode) for key, _ in node.value):
            raise ValueError("a key that is no text")
        return _without_duplicates([(_plain(key), _plain(value)) for key, value in node.value])
    word: str = node.value
    if node.style is not None:
        return word
    if INTEGER.fullmatch(word):
        return int(word)
    if FLOAT.fullmatch(word):
        return float(word)
    return WORDS.get(word, word)


def _check_keys(place: str, values: Mapping[Any, Any]) -> None:
    for key in values:
        if not isinstance(key, str) or not KEY.fullmatch(key):
            word = key[:40] if isinstance(key, str) else type(key).__name__
            raise ValueError(f"{place or 'config'}: '{word}' can be no key of a config")


def _check_value(place: str, value: Any) -> None:
    if isinstance(value, str):
        if len(value) > LONGEST_TEXT:
            raise ValueError(f"{place}: a text longer than any config has")
        if "${" in value:
            raise ValueError(f"{place}: an interpolation, which a saved config never holds")
    elif isinstance(value, int):
        if value not in WHOLE_NUMBERS:
            raise ValueError(f"{place}: a number beyond 64 bits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{place}: must be a finite number")
    elif value is not None:
        raise ValueError(f"{place}: a {type(value).__name__}, which a saved config never holds")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) < len(pairs):
        raise ValueError("one key twice")
    return values
