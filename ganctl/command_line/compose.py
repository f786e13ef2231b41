"""From a command line to composed configs: the only module that knows Hydra and OmegaConf."""

import contextlib
import copy
import hashlib
import io
import itertools
import math
import os
import random
import re
import warnings
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, NoReturn

import yaml
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.utils import _run_hydra, create_automatic_config_search_path, get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Override, RangeSweep
from hydra.core.utils import setup_globals
from hydra.errors import HydraException, OverrideParseException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import MissingMandatoryValue, OmegaConfBaseException

from ganctl.command_line.jobs import Job, Typed
from ganctl.command_line.synonyms import CHOICES, advice_on
from ganctl.command_line.wording import check_form, in_our_words, quoted, split
from ganctl.errors import ConfigError, nearest
from ganctl.runtime.version import __version__

CRASHES = (AttributeError, LookupError, RecursionError, TypeError, ValueError, yaml.YAMLError)
"""What Hydra and OmegaConf raise, apart from their own errors, for words that they did not foresee."""

MOST_JOBS = 10_000
"""Combinations of one sweep."""


def config_folder() -> Path:
    """Return the folder of YAML files: inside the package if installed, next to it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def jobs(command: str, words: Sequence[str], introduction: str = "", examples: str = "") -> list[Job]:
    """Return what a command line asks for: one job, or under -m one for each combination of the values.

    A question (--help, --cfg job, --version) is answered, and asks for no job; --help shows the introduction, the
    choices, the keys and the examples. Raises `ConfigError` for options and words that cannot be read, and for a
    value of a sweep that cannot be composed; what is wrong with a single job, its `values` raise.
    """
    parser = get_args_parser()
    _as_ganctl_answers(parser, command)
    try:
        options = parser.parse_intermixed_args(list(words))
    except SystemExit:  # --version has been answered
        return []
    typed = [quoted(word, sweep=options.multirun) for word in options.overrides]
    options.overrides = typed
    _refuse(command, options)
    loader = _loader(options.config_dir)
    from_words = partial(_values, command, loader)
    found = [Job(partial(from_words, typed), typed, compose=from_words)]
    if options.multirun:
        found = _combinations(command, loader, typed)
        options.multirun = False
    if options.help:
        _print_help(command, loader, found[0], introduction, examples)
    elif options.hydra_help or options.info is not None:
        _let_hydra_show(command, options, parser, found[0])
    elif options.cfg or options.resolve:
        for job in found:
            if job.folder is not None:
                print(f"# [{job.number:,}/{job.total:,}] {job.title()}")
            _let_hydra_show(command, options, parser, job)
    else:
        return found
    return []


@contextlib.contextmanager
def _errors_in_our_words(command: str, words: Sequence[str]) -> Iterator[None]:
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


def _composed(command: str, loader: ConfigLoaderImpl, words: Sequence[str]) -> DictConfig:
    """Return the config that words compose to, with references unresolved and without Hydra's own settings."""
    setup_globals()  # what ${now:} and ${hydra:} refer to
    config = loader.load_configuration(command, list(words), RunMode.RUN)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config


def _values(command: str, loader: ConfigLoaderImpl, words: Sequence[str]) -> Typed:
    with _errors_in_our_words(command, words):
        config = _composed(command, loader, words)
        values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return Typed.of(values, words)


def _print_help(command: str, loader: ConfigLoaderImpl, job: Job, introduction: str, examples: str) -> None:
    with _errors_in_our_words(command, job.words):
        keys = OmegaConf.to_yaml(_composed(command, loader, job.words))
    groups = [name for name, _ in _defaults(_tree(config_folder() / f"{command}.yaml")) if "@" not in name]
    options = [f"{group}: {', '.join(sorted(loader.get_group_options(group)))}\n" for group in groups]
    choices = f"Choices (group=option):\n{''.join(options)}\n" if options else ""
    print(f"{introduction}\n\n{choices}Keys and their values (key=value):\n\n{keys}\n{examples}".rstrip("\n"))


def _let_hydra_show(command: str, options: Namespace, parser: ArgumentParser, job: Job) -> None:
    """Let Hydra answer a question about a job's config, such as --cfg job."""
    options = Namespace(**vars(options) | {"overrides": list(job.words)})
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets exceptions through instead of printing them
    told = io.StringIO()
    try:
        with _errors_in_our_words(command, job.words), contextlib.redirect_stderr(told):
            _run_hydra(options, parser, lambda config: None, str(config_folder()), command)
    except SystemExit as end:
        if end.code:
            raise ConfigError(f"{command}: {in_our_words(told.getvalue())}") from end


def _combinations(command: str, loader: ConfigLoaderImpl, words: list[str]) -> list[Job]:
    """Return a job for each combination of a sweep, the last word's values changing first.

    Raises `ConfigError` for words that cannot be composed, and for more combinations than `MOST_JOBS`.
    """
    choices: dict[str, list[str]] = {}
    with _errors_in_our_words(command, words):
        for override in OverridesParser.create(config_loader=loader).parse_overrides(words):
            key = override.get_key_element()
            choices.pop(key, None)  # the last word for a key counts, in its place
            choices[key] = _alternatives(override)
            if math.prod(map(len, choices.values())) > MOST_JOBS:
                raise ConfigError(
                    f"{override.input_line}: makes a sweep of more than {MOST_JOBS:,} jobs; take fewer values"
                )
        first = [each[0] for each in choices.values()]
        _composed(command, loader, first)
        for place, each in enumerate(choices.values()):  # what is wrong with any word is so found
            for word in each[1:]:
                _composed(command, loader, [*first[:place], word, *first[place + 1 :]])
    digest = hashlib.sha256("\n".join(words).encode(errors="surrogatepass")).hexdigest()
    folder = Path(f"outputs/sweep-{digest[:8]}")
    combinations = list(itertools.product(*choices.values()))
    found = []
    for number, combination in enumerate(combinations, 1):
        pairs = zip(combination, choices.values(), strict=True)
        differing = tuple(word for word, values in pairs if len(values) > 1)
        from_words = partial(_values, command, loader)
        values = partial(from_words, combination)
        found.append(Job(values, combination, differing, number, len(combinations), folder, compose=from_words))
    return found


def _alternatives(override: Override) -> list[str]:
    """Return the words that a word stands for in a sweep: itself, or one for each value, of a plain list as typed.

    More than `MOST_JOBS` are not counted. Raises `ConfigError` for a sweep without single values.
    """
    word, key, sweep = str(override.input_line), override.get_key_element(), override.value()
    if not override.is_sweep_override():
        return [word]
    if not override.is_discrete_sweep():
        raise ConfigError(f"{word}: has no single values to run through; list them, {key}=0.1,0.2")
    shuffled = isinstance(sweep, RangeSweep) and sweep.shuffle
    if isinstance(sweep, RangeSweep):
        sweep.shuffle = False  # for which Hydra would list all of the range
    values = list(itertools.islice(override.sweep_string_iterator(), MOST_JOBS + 1))
    if shuffled:
        random.shuffle(values)
    if not values:
        raise ConfigError(f"{word}: matches no value to run through")
    typed = split(word.partition("=")[2])
    plain = isinstance(sweep, ChoiceSweep) and sweep.simple_form and len(typed) == len(values)
    return [f"{key}={value}" for value in (typed if plain else values)]


def _loader(config_dir: str | None) -> ConfigLoaderImpl:
    """Return what composes configs from ganctl's files and, before them, those of --config-dir."""
    own = str(config_folder())
    if config_dir is None:
        return _reading_once(own)
    path = create_automatic_config_search_path(None, None, own)
    there = os.path.abspath(config_dir)
    if not os.path.isdir(there):
        raise ConfigError(f"--config-dir: {config_dir} is no folder")
    path.prepend("command-line", f"file://{there}", SearchPathQuery(provider="schema"))
    return ConfigLoaderImpl(path)


@cache
def _reading_once(folder: str) -> ConfigLoaderImpl:
    """Return what composes configs from a folder; each file is read once for all compositions of this process."""
    loader = ConfigLoaderImpl(create_automatic_config_search_path(None, None, folder))
    for source in loader.repository.get_sources():
        source.load_config = _copies(source.load_config)  # type: ignore[method-assign]
    return loader


def _copies(read: Callable[[str], ConfigResult]) -> Callable[[str], ConfigResult]:
    """Return a function that reads each config once, and gives a copy, as Hydra changes what it composes."""
    once = cache(read)
    return lambda config_path: copy.deepcopy(once(config_path))


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
        values: Any = OmegaConf.to_container(OmegaConf.create({key: OmegaConf.select(tree, key) for key in keys}))
        return Typed.of(values, overrides)
    except (OmegaConfBaseException, *CRASHES) as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise ConfigError(f"{' '.join(overrides)}: {reason[0]}") from error


def _as_ganctl_answers(parser: ArgumentParser, command: str) -> None:
    """Let the parser of Hydra's options tell ganctl's version, and raise `ConfigError` for what it cannot read."""
    known = parser._option_string_actions
    known["--version"].version = f"ganctl {__version__}"  # type: ignore[attr-defined]

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


def _refuse(command: str, options: Namespace) -> None:
    """Refuse what would run other code, write files that are not a run's, or lose errors and exit codes.

    And words that compose, though no schema takes them, before the schema is imported.
    """
    for option, reason in NOT_AVAILABLE.items():
        if getattr(options, option) not in (None, False):
            raise ConfigError(f"--{option.replace('_', '-')}: not available, {reason}")
    for word in options.overrides:
        check_form(word)
        if re.match(r"hydra\b", word.lstrip("+~ \t")):
            raise ConfigError(f"{word}: settings of Hydra itself are not available; leave it out")
    for word in options.overrides if command == "train" else ():
        never = CHOICES.get(word.lower())
        if never is not None and not _is_group(word.partition("=")[0]):  # which a user's option may extend
            raise ConfigError(f"{word}: {never}")


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
        group = path.relative_to(root).parent.as_posix().removeprefix(".")
        package = re.match(r"# @package (\w+)\n", path.read_text("utf-8"))
        place = package.group(1) if package else group
        if place == "_global_":
            continue  # a recipe sets keys of others
        tree = _tree(path)
        option = f"[{path.stem}]" if list(tree) == [path.stem] else path.stem
        owner = f"{group}={option}" if group else f"`ganctl {path.stem}`"
        keys = _keys(tree, f"{place}." if place else "")
        for name, chosen in [] if group else _defaults(tree):
            inside, _, whole = name.partition("@")
            keys += _keys(_tree(root / inside / f"{chosen}.yaml"), "") if whole else [name.rpartition("/")[2]]
        yield from ((key, owner) for key in keys)


def _tree(path: Path) -> Any:
    return OmegaConf.to_container(OmegaConf.load(path))


def _defaults(tree: Any) -> list[tuple[str, Any]]:
    """Return the groups of which a command chooses with their defaults; group@_global_ is one without a key."""
    choices = [choice for choice in tree["defaults"] if isinstance(choice, dict)]
    return [pair for choice in choices for pair in choice.items()]


def _keys(tree: Any, prefix: str) -> list[str]:
    pairs = tree.items() if isinstance(tree, dict) else ()
    named = [(f"{prefix}{key}", value) for key, value in pairs if f"{prefix}{key}" != "defaults"]
    return [key for name, value in named for key in (name, *_keys(value, f"{name}."))]
