"""What is wrong with words that Hydra or OmegaConf cannot compose, in ganctl's words, and the keys that exist."""

import contextlib
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from ganctl.command_line.synonyms import advice_on
from ganctl.command_line.wording import in_our_words
from ganctl.errors import ConfigError, nearest

CRASHES = (AttributeError, LookupError, RecursionError, TypeError, ValueError, yaml.YAMLError)
"""What Hydra and OmegaConf raise, apart from their own errors, for words that they did not foresee."""


def config_folder() -> Path:
    """Return the folder of YAML files: inside the package if installed, next to it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


@contextlib.contextmanager
def errors_in_our_words(command: str, words: Sequence[str]) -> Iterator[None]:
    """Raise `ConfigError` for what Hydra and OmegaConf find wrong with words, or fail at."""
    try:
        with warnings.catch_warnings():
            # Hydra 1.3 hands argparse options that it has since deprecated.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            yield
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_explain(command, error)) from error
    except CRASHES as error:
        raise ConfigError(_explain_crash(command, words, error)) from error


def _explain(command: str, error: Exception) -> str:
    text = str(error)
    if match := re.search(r"Could not (?:find|load) '([^']+)/([^'/]*)'", text):
        group, option = match.groups()
        options = {path.stem for path in (config_folder() / group).glob("*.yaml")}
        options |= set(re.findall(r"^\t(\S+)$", text, re.MULTILINE))
        there = f"; there are {', '.join(sorted(options))}" if options else ""
        if (advice := advice_on(command, group, option)) is not None:
            return f"{group}={option}: {advice}{there}"
        return f"{group}: there is no '{option}'{nearest(option, options)}{there}"
    if match := re.search(r"Could not override '([^']+)'|No match in the defaults list.*'(\S+)'", text):
        return _unknown_key(command, match[1] or match[2])
    if isinstance(error, MissingMandatoryValue):
        key = str(error.full_key)
        return f"{key}: required, but not given; add {key}=…"
    if isinstance(error, OverrideParseException):
        word = error.override.removeprefix("++")  # which data.path=… of `ganctl evaluate` is given
        key, equals, _ = word.partition("=")
        if not equals:
            return f"'{word}' is not of the form key=value"
        return f"{word}: cannot be read; a list is {key}=[a,b], an unusual text \"{key}='…'\""
    if match := re.search(r"Ambiguous value for argument '([^']+)'", text):
        word = match.group(1)
        key, _, value = word.partition("=")
        return f"{word}: a list is {key}=[{value}], a text \"{key}='{value}'\", a sweep over its values needs -m"
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    place = getattr(error, "full_key", None)
    return in_our_words(f"{place}: {first}" if place else first)


def _explain_crash(command: str, words: Sequence[str], error: Exception) -> str:
    """Say what Hydra's own code fails at: most often a choice that is neither a name nor a list of names."""
    with contextlib.suppress(HydraException, ValueError):
        for override in OverridesParser.create().parse_overrides(list(words)):
            value: Any = override.value()
            named = all(isinstance(name, str) for name in (value if isinstance(value, list) else [value]))
            if not named and not override.is_sweep_override() and is_group(override.key_or_group):
                return f"{override.input_line}: a choice is the name of an option, or a list of names"
    first = str(error).splitlines() or [type(error).__name__]
    return f"{command}: {in_our_words(first[0])}"


def is_group(key: str) -> bool:
    """Return whether a key is a group of options, such as loss."""
    return (config_folder() / key).is_dir()


def _unknown_key(command: str, key: str) -> str:
    if (advice := advice_on(command, key)) is not None:
        return f"{key}: unknown key; {advice}"
    here, known = f"`ganctl {command}`", known_keys()
    if owners := dict.fromkeys(owner for name, owner in known if name == key and owner != here):
        return f"{key}: unknown key here; it belongs to {' or '.join(owners)}"
    groups = {name.partition(".")[0] for name, owner in known if owner == here}
    names = [name for name, _ in known if name != key and name.partition(".")[0] in groups]
    return f"{key}: unknown key{nearest(key, names)}; `ganctl {command} --cfg job` shows all"


def known_keys() -> tuple[tuple[str, str], ...]:
    """Return each key as it is typed, with what it belongs to: an option such as data=mnist, or a command."""
    return _known_keys_below(config_folder())


@cache
def _known_keys_below(root: Path) -> tuple[tuple[str, str], ...]:
    found: list[tuple[str, str]] = []
    for path in sorted(root.rglob("*.yaml")):
        group = path.relative_to(root).parent.as_posix().removeprefix(".")
        package = re.match(r"# @package (\w+)\n", path.read_text("utf-8"))
        place = package.group(1) if package else group
        if place == "_global_":
            continue  # a recipe sets keys of others
        tree = tree_of(path)
        option = f"[{path.stem}]" if list(tree) == [path.stem] else path.stem
        owner = f"{group}={option}" if group else f"`ganctl {path.stem}`"
        keys = _keys(tree, f"{place}." if place else "")
        for name, chosen in [] if group else defaults_of(tree):
            inside, _, whole = name.partition("@")
            keys += _keys(tree_of(root / inside / f"{chosen}.yaml"), "") if whole else [name.rpartition("/")[2]]
        found += [(key, owner) for key in keys]
    return tuple(found)


def tree_of(path: Path) -> Any:
    """Return a YAML file as plain data, with references unresolved."""
    return getattr(yaml, "CSafeLoader", yaml.SafeLoader)(path.read_text("utf-8")).get_single_data()


def defaults_of(tree: Any) -> list[tuple[str, Any]]:
    """Return the groups of which a command chooses with their defaults; group@_global_ is one without a key."""
    choices = [choice for choice in tree["defaults"] if isinstance(choice, dict)]
    return [pair for choice in choices for pair in choice.items()]


def _keys(tree: Any, prefix: str) -> list[str]:
    pairs = tree.items() if isinstance(tree, dict) else ()
    named = [(f"{prefix}{key}", value) for key, value in pairs if f"{prefix}{key}" != "defaults"]
    return [key for name, value in named for key in (name, *_keys(value, f"{name}."))]
