"""From a command line to one plain dictionary: the only module that knows Hydra and OmegaConf."""

import contextlib
import hashlib
import io
import os
import re
import warnings
from argparse import ArgumentParser, Namespace, _VersionAction
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from ganctl import __version__
from ganctl.errors import ConfigError, nearest

CRASHES = (AttributeError, LookupError, RecursionError, TypeError, ValueError, yaml.YAMLError)
"""What Hydra and OmegaConf raise, beside their own errors, for words that they did not foresee."""

Job = Callable[[Callable[[], dict[str, Any]], bool], int]
"""Takes what resolves the composed config (or raises `ConfigError`) and whether it is part of a sweep.

Returns an exit code.
"""


def config_folder() -> Path:
    """Return the folder of YAML files: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def run(command: str, arguments: Sequence[str], job: Job) -> int:
    """Let Hydra compose the command's config from the arguments and call `job`, under -m once a combination.

    Returns the exit code: of the job, or the first of a sweep's that is not 0; 0 where Hydra only shows
    something (--help, --cfg job).

    Raises `ConfigError` for anything in the arguments that Hydra cannot compose.
    """
    codes: list[int] = []
    crashes: list[Exception] = []

    def task(config: DictConfig) -> None:
        def resolve() -> dict[str, Any]:
            try:
                values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            except OmegaConfBaseException as error:
                raise ConfigError(_explain(command, error)) from error
            return dict(values)

        try:
            codes.append(job(resolve, HydraConfig.get().mode == RunMode.MULTIRUN))
        except Exception as crash:
            crashes.append(crash)  # kept from Hydra, which would print it in its own way

    parser = get_args_parser()
    _as_ganctl_answers(parser)
    try:
        options = parser.parse_intermixed_args(list(arguments))
    except SystemExit:  # --version has been answered
        return 0
    options.overrides = [
        _quoted(word) if options.multirun else _quoted(_seeds_quoted(word)) for word in options.overrides
    ]
    _refuse_what_is_hydras_own(options)
    sweep = Path(f"outputs/sweep-{_digest(options.overrides)}")
    if options.multirun:
        options.overrides.insert(0, f"hydra.sweep.dir={sweep}")
    problem = _run(options, parser, task, command)
    if options.multirun and not crashes and all(code == ConfigError.exit_code for code in codes):
        _remove_record(sweep)
    if problem is not None:
        raise ConfigError(problem)
    if crashes:
        raise crashes[0]
    return next((code for code in codes if code), 0)


def _run(
    options: Namespace, parser: ArgumentParser, task: Callable[[DictConfig], None], command: str
) -> str | None:
    """Let Hydra compose, show or sweep; return what it finds wrong with the words, or None."""
    words = list(options.overrides)
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets exceptions through instead of printing them
    told = io.StringIO()
    shows = contextlib.redirect_stderr(told) if options.cfg else contextlib.nullcontext()
    try:
        with warnings.catch_warnings(), shows:
            # Hydra 1.3 hands argparse options that it has since deprecated.
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            _run_hydra(options, parser, task, str(config_folder()), command)
    except SystemExit as end:
        return f"{command}: {told.getvalue()}" if end.code else None
    except (HydraException, OmegaConfBaseException) as error:
        return _explain(command, error)
    except CRASHES as error:
        return _explain_crash(command, words, error)
    return None


def parse(overrides: Sequence[str]) -> dict[str, Any]:
    """Return `key=value` words as a flat dictionary, each value read as YAML would.

    Raises `ConfigError` for a word of another form.
    """
    for word in overrides:
        if not re.fullmatch(r"[\w.]+=.*", word, re.DOTALL):
            raise ConfigError(f"'{word}' is not of the form key=value")
    try:
        keys = [word.partition("=")[0] for word in overrides]
        tree = OmegaConf.from_dotlist(list(overrides))
        return {key: _plain(OmegaConf.select(tree, key)) for key in keys}
    except (OmegaConfBaseException, *CRASHES) as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise ConfigError(f"{' '.join(overrides)}: {reason[0]}") from error


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _seeds_quoted(word: str) -> str:
    """Return seeds=0-3,7 as one text, where no sweep could be meant."""
    key, _, value = word.partition("=")
    return f"{key}='{value}'" if key == "seeds" and re.fullmatch(r"[\d,-]+", value) else word


def _quoted(word: str) -> str:
    """Return key=value with the value in quotes if it is plain text that Hydra's grammar has no letters for.

    Such as data.path=~/José; a value with signs that mean something to Hydra is left as it is.
    """
    key, _, value = word.partition("=")
    plain = not set(value) & set("'\"\\,()[]{}$")
    foreign = set(value) & set("!#&;<=>^`~") or not value.isascii()
    return f"{key}='{value}'" if plain and foreign else word


def _as_ganctl_answers(parser: ArgumentParser) -> None:
    known = [option for action in parser._actions for option in action.option_strings]
    for action in parser._actions:
        if isinstance(action, _VersionAction):
            action.version = f"ganctl {__version__}"

    def fail(message: str) -> NoReturn:
        unknown = re.search(r"unrecognized arguments: (\S+)", message)
        word = unknown.group(1) if unknown else ""
        raise ConfigError(f"{word}: unknown option{nearest(word, known)}" if unknown else message)

    parser.error = fail  # type: ignore[method-assign]


NOT_AVAILABLE = {
    "experimental_rerun": "because it would run code from a pickled file",
    "shell_completion": "because Hydra's knows no subcommands",
    "config_name": "because each command has its own; a config of your own is an option in --config-dir",
    "config_path": "because it would hide ganctl's own options; give yours by --config-dir",
}
"""Options of Hydra that are refused, and why."""


def _refuse_what_is_hydras_own(options: Namespace) -> None:
    """Refuse what would run other code, write files that are not a run's, or lose errors and exit codes."""
    for option, reason in NOT_AVAILABLE.items():
        if getattr(options, option) not in (None, False):
            raise ConfigError(f"--{option.replace('_', '-')}: not available, {reason}")
    for word in options.overrides:
        if re.match(r"hydra\b", word.lstrip("+~ \t")):
            raise ConfigError(f"{word}: settings of Hydra itself are not available; leave it out")


def _remove_record(sweep: Path) -> None:
    """Remove what Hydra wrote of a sweep of which no job was accepted."""
    (sweep / "multirun.yaml").unlink(missing_ok=True)
    for folder in (sweep, sweep.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _digest(overrides: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(overrides).encode(errors="surrogatepass")).hexdigest()[:8]


def _explain(command: str, error: Exception) -> str:
    text = str(error)
    if match := re.search(r"Could not (?:find|load) '([^']+)/([^'/]*)'", text):
        group, option = match.groups()
        options = {path.stem for path in (config_folder() / group).glob("*.yaml")}
        options |= set(re.findall(r"^\t(\S+)$", text, re.MULTILINE))
        there = f"; there are {', '.join(sorted(options))}" if options else ""
        return f"{group}: there is no '{option}'{nearest(option, options)}{there}"
    if match := re.search(r"Could not override '([^']+)'", text) or re.search(
        r"No match in the defaults list.*'(\S+)'", text
    ):
        return _unknown_key(command, match.group(1))
    if isinstance(error, MissingMandatoryValue):
        key = str(error.full_key)
        return f"{key}: required, but not given; add {key}=…"
    if isinstance(error, OverrideParseException):
        key, equals, _ = error.override.partition("=")
        if not equals:
            return f"'{error.override}' is not of the form key=value"
        return f"{error.override}: cannot be read; a list is {key}=[a,b], an unusual text \"{key}='…'\""
    if match := re.search(r"Ambiguous value for argument '([^']+)'", text):
        word = match.group(1)
        key, _, value = word.partition("=")
        return f"{word}: a list is {key}=[{value}], a text \"{key}='{value}'\", a sweep over its values needs -m"
    first = next((line for line in text.splitlines() if line.strip()), type(error).__name__)
    place = getattr(error, "full_key", None)
    return f"{place}: {first}" if place else first


def _explain_crash(command: str, words: Sequence[str], error: Exception) -> str:
    """Say what Hydra's own code fails at: most often a choice that is neither a name nor a list of names."""
    with contextlib.suppress(HydraException, ValueError):
        for override in OverridesParser.create().parse_overrides(list(words)):
            value: Any = override.value()
            named = all(isinstance(name, str) for name in (value if isinstance(value, list) else [value]))
            if not named and not override.is_sweep_override() and _is_group(override.key_or_group):
                return f"{override.input_line}: a choice is the name of an option, or a list of names"
    first = str(error).splitlines() or [type(error).__name__]
    return f"{command}: {first[0]}"


def _is_group(key: str) -> bool:
    return (config_folder() / key).is_dir()


def _unknown_key(command: str, key: str) -> str:
    here, known = f"`ganctl {command}`", list(_known_keys())
    if owners := dict.fromkeys(owner for name, owner in known if name == key and owner != here):
        return f"{key}: unknown key here; it belongs to {' or '.join(owners)}"
    groups = {name.partition(".")[0] for name, owner in known if owner == here}
    names = [name for name, _ in known if name != key and name.partition(".")[0] in groups]
    return f"{key}: unknown key{nearest(key, names)}; `ganctl {command} --cfg job` shows all"


def _known_keys() -> Iterator[tuple[str, str]]:
    """Yield each key as it is typed, with what it belongs to: an option such as data=mnist, or a command."""
    root = config_folder()
    for path in sorted(root.rglob("*.yaml")):
        if path.read_text("utf-8").startswith("# @package _global_"):
            continue  # a recipe sets keys of others
        tree = _tree(path)
        group = path.relative_to(root).parent.as_posix().removeprefix(".")
        package = re.match(r"# @package (\w+)\n", path.read_text("utf-8"))
        option = f"[{path.stem}]" if list(tree) == [path.stem] else path.stem
        owner = f"{group}={option}" if group else f"`ganctl {path.stem}`"
        if not group:
            choices = (choice for choice in tree.get("defaults", []) if isinstance(choice, dict))
            for name, option in (pair for choice in choices for pair in choice.items()):
                if re.fullmatch(r"\w+(/\w+)?", name):
                    yield name.rpartition("/")[2], owner
                if name.endswith("@_global_"):
                    inside = _keys(_tree(root / name.removesuffix("@_global_") / f"{option}.yaml"), "")
                    yield from ((key, owner) for key in inside)
        place = package.group(1) if package else group
        for name in _keys(tree, f"{place}." if place else ""):
            yield name, owner


def _tree(path: Path) -> Any:
    return OmegaConf.to_container(OmegaConf.load(path))


def _keys(tree: Any, prefix: str) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if f"{prefix}{key}" not in ("defaults", "hydra"):
                yield f"{prefix}{key}"
                yield from _keys(value, f"{prefix}{key}.")
