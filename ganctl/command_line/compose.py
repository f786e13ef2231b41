"""From a command line to composed configs, by Hydra."""

import contextlib
import copy
import io
import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from functools import cache, partial
from typing import Any, NoReturn

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import _run_hydra, create_automatic_config_search_path, get_args_parser
from hydra.core.config_search_path import ConfigSearchPath, SearchPathQuery
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import setup_globals
from hydra.plugins.config_source import ConfigResult, ConfigSource
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from ganctl.command_line.explain import (
    CRASHES,
    config_folder,
    defaults_of,
    errors_in_our_words,
    is_group,
    known_keys,
    tree_of,
)
from ganctl.command_line.jobs import Job, Sweep, Typed
from ganctl.command_line.sweeping import GRID, GROUPS, of_sweep, sweep_of
from ganctl.command_line.synonyms import CHOICES, advice_on
from ganctl.command_line.wording import check_form, in_our_words, quoted
from ganctl.errors import ConfigError, nearest
from ganctl.runtime.version import __version__


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
        sweep = sweep_of(command, loader, typed, partial(_composed, command, loader), from_words)
        found = sweep.combinations()
        options.multirun = False
        _refuse_to_show(options, sweep)
    if options.help:
        _print_help(command, loader, found[0], introduction, examples)
    elif options.hydra_help or options.info is not None:
        _let_hydra_show(command, options, parser, found[0])
    elif options.cfg or options.resolve:
        for job in found:
            if job.sweep is not None:
                print(f"# [{job.number:,}/{job.total:,}] {job.title()}")
            _let_hydra_show(command, options, parser, job)
    else:
        return found
    return []


UNUSED = [
    f"~hydra/{part}" for part in ("help", "hydra_help", "hydra_logging", "job_logging", "launcher", "sweeper")
]
"""Words that leave out settings of Hydra which no job reads; to compose them would take a third of the time."""


def _composed(command: str, loader: ConfigLoaderImpl, words: Sequence[str]) -> DictConfig:
    """Return the config that words compose to, with references unresolved and without Hydra's own settings."""
    setup_globals()  # what ${now:} and ${hydra:} refer to
    config = loader.load_configuration(command, [*words, *UNUSED], RunMode.RUN)
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    return config


def _values(command: str, loader: ConfigLoaderImpl, words: Sequence[str]) -> Typed:
    with errors_in_our_words(command, words):
        config = _composed(command, loader, words)
        with open_dict(config):
            for group in GROUPS if command == "train" else ():
                del config[group]
        values: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    return Typed.of(values, words)


def _print_help(command: str, loader: ConfigLoaderImpl, job: Job, introduction: str, examples: str) -> None:
    with errors_in_our_words(command, job.words):
        keys = OmegaConf.to_yaml(_composed(command, loader, job.words))
    groups = [name for name, _ in defaults_of(tree_of(config_folder() / f"{command}.yaml")) if "@" not in name]
    options = [f"{group}: {', '.join(sorted(loader.get_group_options(group)))}\n" for group in groups]
    choices = f"Choices (group=option):\n{''.join(options)}\n" if options else ""
    print(f"{introduction}\n\n{choices}Keys and their values (key=value):\n\n{keys}\n{examples}".rstrip("\n"))


def _let_hydra_show(command: str, options: Namespace, parser: ArgumentParser, job: Job) -> None:
    """Let Hydra answer a question about a job's config, such as --cfg job."""
    options = Namespace(**vars(options) | {"overrides": list(job.words)})
    os.environ["HYDRA_FULL_ERROR"] = "1"  # lets exceptions through instead of printing them
    told = io.StringIO()
    try:
        with errors_in_our_words(command, job.words), contextlib.redirect_stderr(told):
            _run_hydra(options, parser, lambda config: None, str(config_folder()), command)
    except SystemExit as end:
        if end.code:
            raise ConfigError(f"{command}: {in_our_words(told.getvalue())}") from end


def _loader(config_dir: str | None) -> ConfigLoaderImpl:
    """Return what composes configs from ganctl's files and, before them, those of --config-dir."""
    if config_dir is None:
        return _loader_of_own_files(str(config_folder()))
    path = create_automatic_config_search_path(None, None, str(config_folder()))
    there = os.path.abspath(config_dir)
    if not os.path.isdir(there):
        raise ConfigError(f"--config-dir: {config_dir} is no folder")
    path.prepend("command-line", f"file://{there}", SearchPathQuery(provider="schema"))
    return _reading_once(path)


@cache
def _loader_of_own_files(folder: str) -> ConfigLoaderImpl:
    """Return what composes configs from a folder; it is the same for all command lines of this process."""
    return _reading_once(create_automatic_config_search_path(None, None, folder))


def _reading_once(path: ConfigSearchPath) -> ConfigLoaderImpl:
    """Return what composes configs from folders; each file is read once for all its compositions."""
    loader = ConfigLoaderImpl(path)
    loader.repository = _Repository(path)
    for source in loader.repository.get_sources():
        source.load_config = _Copies(source)  # type: ignore[method-assign]
    return loader


class _Repository(ConfigRepository):
    """Places of configs, which Hydra copies before it composes, though it changes none of them."""

    def __deepcopy__(self, memo: object) -> ConfigRepository:
        return copy.copy(self)


class _Copies:
    """Reads each config of a place once, and gives a copy, as Hydra changes what it composes.

    It can be pickled, as launchers of sweeps do.
    """

    def __init__(self, source: ConfigSource) -> None:
        self.source = source
        self.read: dict[str, ConfigResult] = {}

    def __call__(self, config_path: str) -> ConfigResult:
        """Return the config at a path."""
        if config_path not in self.read:
            self.read[config_path] = type(self.source).load_config(self.source, config_path)
        return copy.deepcopy(self.read[config_path])


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
        keys = {name for name, owner in known_keys() if owner == f"`ganctl {command}`"}
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


def _refuse_to_show(options: Namespace, sweep: Sweep) -> None:
    """Refuse to show the configs of jobs that are drawn as a search goes on."""
    plan = sweep.settings["sweeper"]["name"]
    if (options.cfg or options.resolve) and plan != GRID:
        raise ConfigError(f"--cfg: the jobs of sweeper={plan} are drawn as it goes on; leave -m and sweeper out")


def _refuse(command: str, options: Namespace) -> None:
    """Refuse what would run other code, write files that are not a run's, or lose errors and exit codes.

    And words that compose, though no schema takes them, before the schema is imported.
    """
    for option, reason in NOT_AVAILABLE.items():
        if getattr(options, option) not in (None, False):
            raise ConfigError(f"--{option.replace('_', '-')}: not available, {reason}")
    for word in options.overrides:
        check_form(word)
        if of_sweep(word) and command == "train" and not options.multirun:
            raise ConfigError(f"{word}: says how the jobs of a sweep are chosen or started; a sweep needs -m")
        if re.match(r"hydra\b", word.lstrip("+~ \t")):
            raise ConfigError(f"{word}: settings of Hydra itself are not available; leave it out")
    for word in options.overrides if command == "train" else ():
        never = CHOICES.get(word.lower())
        if never is not None and not is_group(word.partition("=")[0]):  # which a user's option may extend
            raise ConfigError(f"{word}: {never}")
