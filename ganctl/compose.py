"""From a command line to one plain dictionary: the only module that knows Hydra and OmegaConf."""

import contextlib
import hashlib
import io
import itertools
import math
import os
import re
import warnings
from argparse import ArgumentParser, Namespace, _VersionAction
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import _run_hydra, create_automatic_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
from hydra.errors import HydraException, OverrideParseException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from ganctl import __version__
from ganctl.composed import Job, Typed
from ganctl.errors import ConfigError, nearest
from ganctl.synonyms import CHOICES, advice_on
from ganctl.wording import in_our_words, quoted, seeds_quoted, split, wrong_form

CRASHES = (AttributeError, LookupError, RecursionError, TypeError, ValueError, yaml.YAMLError)
"""What Hydra and OmegaConf raise, beside their own errors, for words that they did not foresee."""

MOST_JOBS = 10_000
"""Combinations of one sweep; each is composed before the first one starts."""

Task = Callable[[Callable[[], Typed], Job | None], int]
"""Takes what resolves the composed config (or raises `ConfigError`) and, in a sweep, which job of it this is.

Returns an exit code.
"""


def config_folder() -> Path:
    """Return the folder of YAML files: inside the package when installed, beside it in a checkout."""
    package = Path(__file__).parent
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def run(command: str, arguments: Sequence[str], work: Task) -> int:
    """Let Hydra compose the command's config from the arguments and call `work`, under -m once a combination.

    Returns the exit code: of the work, or the first of a sweep's that is not 0; 0 where Hydra only shows
    something (--help, --cfg job).

    Raises `ConfigError` for anything in the arguments that Hydra cannot compose, before the first job of a sweep.
    """
    parser = get_args_parser()
    _as_ganctl_answers(parser, command)
    try:
        options = parser.parse_intermixed_args(list(arguments))
    except SystemExit:  # --version has been answered
        return 0
    options.overrides = [quoted(word if options.multirun else seeds_quoted(word)) for word in options.overrides]
    _refuse_what_is_hydras_own(options)
    _refuse_what_is_never_right(command, options.overrides)
    if not options.multirun:
        return _once(options, parser, work, command, None)
    options.multirun = False
    jobs = list(_jobs(options, command))
    if options.help or options.hydra_help or options.info is not None:  # the same for all of them
        jobs = jobs[:1]
    codes: list[int] = []
    crashes: list[Exception] = []
    for words, job in jobs:
        if options.cfg:
            print(f"# [{job.number:,}/{job.total:,}] {job.title()}")
        each = Namespace(**vars(options) | {"overrides": words})
        try:
            codes.append(_once(each, parser, work, command, job))
        except ConfigError:
            raise
        except Exception as crash:
            crashes.append(crash)
    if crashes:
        raise crashes[0]
    return next((code for code in codes if code), 0)


def _once(options: Namespace, parser: ArgumentParser, work: Task, command: str, job: Job | None) -> int:
    """Compose one config, and work on it or show it; return the exit code."""
    codes: list[int] = []
    crashes: list[Exception] = []
    words = list(options.overrides)

    def task(config: DictConfig) -> None:
        def resolve() -> Typed:
            try:
                values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
            except OmegaConfBaseException as error:
                raise ConfigError(_explain(command, error)) from error
            return Typed.of(values, words)

        try:
            codes.append(work(resolve, job))
        except Exception as crash:
            crashes.append(crash)  # kept from Hydra, which would print it in its own way

    problem = _run(options, parser, task, command)
    if problem is not None:
        raise ConfigError(problem)
    if crashes:
        raise crashes[0]
    return next(iter(codes), 0)


def _jobs(options: Namespace, command: str) -> Iterator[tuple[list[str], Job]]:
    """Yield the words of each combination of a sweep, the last word's values changing first.

    Raises `ConfigError` for words that cannot be composed, and for more combinations than `MOST_JOBS`.
    """
    words = list(options.overrides)
    try:
        loader = _loader(options)
        parsed = OverridesParser.create(config_loader=loader).parse_overrides(words)
        choices: dict[str, list[str]] = {}
        total = 1
        for override in parsed:
            key = override.get_key_element()
            total = total // len(choices.pop(key, [""])) * _width(override)
            if total > MOST_JOBS:
                raise ConfigError(
                    f"{override.input_line}: makes a sweep of more than {MOST_JOBS:,} jobs; take fewer values"
                )
            swept = override.is_sweep_override()
            choices[key] = (
                [f"{key}={value}" for value in _values(override)] if swept else [str(override.input_line)]
            )
            if not choices[key]:
                raise ConfigError(f"{override.input_line}: matches no value to run through")
        for varied in _each_once(choices):
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", category=DeprecationWarning)
                loader.load_configuration(command, varied, RunMode.RUN, from_shell=False)
    except (HydraException, OmegaConfBaseException) as error:
        raise ConfigError(_explain(command, error)) from error
    except CRASHES as error:
        raise ConfigError(_explain_crash(command, words, error)) from error
    folder = Path(f"outputs/sweep-{_digest(words)}")
    for number, combination in enumerate(itertools.product(*choices.values()), 1):
        pairs = zip(combination, choices.values(), strict=True)
        differing = tuple(word for word, values in pairs if len(values) > 1)
        yield list(combination), Job(number, total, differing, folder)


def _each_once(choices: Mapping[str, list[str]]) -> Iterator[list[str]]:
    """Yield combinations in which every word stands once at least: what is wrong with any is then found."""
    first = [words[0] for words in choices.values()]
    yield first
    for place, words in enumerate(choices.values()):
        for word in words[1:]:
            yield [*first[:place], word, *first[place + 1 :]]


def _width(override: Override) -> int:
    """Return how many values a word runs through.

    Raises `ConfigError` for a sweep without single values.
    """
    if not override.is_sweep_override():
        return 1
    if not override.is_discrete_sweep():
        key = override.get_key_element()
        raise ConfigError(f"{override.input_line}: has no single values to run through; list them, {key}=0.1,0.2")
    value = override.value()
    if isinstance(value, RangeSweep):
        start, stop, step = (float(number or 0) for number in (value.start, value.stop, value.step))
        return max(0, math.ceil(min((stop - start) / step, 2.0**62))) if step else 0
    return sum(1 for _ in itertools.islice(override.sweep_iterator(), MOST_JOBS + 1))


def _values(override: Override) -> list[str]:
    """Return the values that a word runs through: of a plain list as they were typed."""
    values = list(override.sweep_string_iterator())
    found = override.value()
    typed = split(str(override.input_line).partition("=")[2])
    plain = isinstance(found, ChoiceSweep) and found.simple_form
    return typed if plain and len(typed) == len(values) else values


def _loader(options: Namespace) -> ConfigLoaderImpl:
    """Return what composes configs from ganctl's files and, before them, those of --config-dir."""
    path = create_automatic_config_search_path(None, None, str(config_folder()))
    if options.config_dir is not None:
        there = os.path.abspath(options.config_dir)
        if not os.path.isdir(there):
            raise ConfigError(f"--config-dir: {options.config_dir} is no folder")
        path.prepend("command-line", f"file://{there}", SearchPathQuery(provider="schema"))
    return ConfigLoaderImpl(path)


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
        return f"{command}: {in_our_words(told.getvalue())}" if end.code else None
    except (HydraException, OmegaConfBaseException) as error:
        return _explain(command, error)
    except CRASHES as error:
        return _explain_crash(command, words, error)
    return None


def parse(overrides: Sequence[str]) -> Typed:
    """Return `key=value` words as a flat dictionary, each value read as YAML would.

    Raises `ConfigError` for a word of another form.
    """
    for word in overrides:
        if not re.fullmatch(r"[\w.]+=.*", word, re.DOTALL):
            raise ConfigError(f"'{word}' is not of the form key=value")
    try:
        keys = [word.partition("=")[0] for word in overrides]
        tree = OmegaConf.from_dotlist(list(overrides))
        return Typed.of({key: _plain(OmegaConf.select(tree, key)) for key in keys}, overrides)
    except (OmegaConfBaseException, *CRASHES) as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise ConfigError(f"{' '.join(overrides)}: {reason[0]}") from error


def _plain(value: Any) -> Any:
    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _as_ganctl_answers(parser: ArgumentParser, command: str) -> None:
    known = [option for action in parser._actions for option in action.option_strings]
    for action in parser._actions:
        if isinstance(action, _VersionAction):
            action.version = f"ganctl {__version__}"

    def fail(message: str) -> NoReturn:
        unknown = re.search(r"unrecognized arguments: (\S+)", message)
        if unknown is None:
            raise ConfigError(in_our_words(message))
        word = unknown.group(1)
        key = re.sub(r"\W", "_", word.lstrip("-").partition("=")[0])
        advice = advice_on(command, key)
        keys = {name for name, owner in _known_keys() if owner == f"`ganctl {command}`"}
        if word.startswith("--") and (advice is not None or key in keys):
            raise ConfigError(f"{word}: keys are typed without dashes; {advice or f'here it is {key}=…'}")
        raise ConfigError(f"{word}: unknown option{nearest(word, known)}")

    parser.error = fail  # type: ignore[method-assign]


NOT_AVAILABLE = {
    "experimental_rerun": "because it would run code from a pickled file",
    "shell_completion": "because it knows no subcommands",
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
        if (problem := wrong_form(word)) is not None:
            raise ConfigError(problem)
        if re.match(r"hydra\b", word.lstrip("+~ \t")):
            raise ConfigError(f"{word}: settings of Hydra itself are not available; leave it out")


def _refuse_what_is_never_right(command: str, words: Sequence[str]) -> None:
    """Refuse words that compose, though no schema takes them, before the schema is imported."""
    for word in words:
        never = command == "train" and word.lower() in CHOICES
        if never and not _is_group(word.partition("=")[0]):  # of a group, a user's own option may have the name
            raise ConfigError(f"{word}: {CHOICES[word.lower()]}")


def _digest(overrides: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(overrides).encode(errors="surrogatepass")).hexdigest()[:8]


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
    return in_our_words(f"{place}: {first}" if place else first)


def _explain_crash(command: str, words: Sequence[str], error: Exception) -> str:
    """Say what Hydra's own code fails at: most often a choice that is neither a name nor a list of names."""
    with contextlib.suppress(HydraException, ValueError):
        for override in OverridesParser.create().parse_overrides(list(words)):
            value: Any = override.value()
            named = all(isinstance(name, str) for name in (value if isinstance(value, list) else [value]))
            if not named and not override.is_sweep_override() and _is_group(override.key_or_group):
                return f"{override.input_line}: a choice is the name of an option, or a list of names"
    first = str(error).splitlines() or [type(error).__name__]
    return f"{command}: {in_our_words(first[0])}"


def _is_group(key: str) -> bool:
    return (config_folder() / key).is_dir()


def _unknown_key(command: str, key: str) -> str:
    if (advice := advice_on(command, key)) is not None:
        return f"{key}: unknown key; {advice}"
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
