"""Hydra's launchers, which start the jobs of a sweep: in other processes, or on a cluster."""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hydra._internal.callbacks import Callbacks
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import setup_globals
from hydra.errors import HydraException
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from ganctl.command_line.wording import in_our_words, typed
from ganctl.errors import ConfigError

QUIET = (
    *("hydra/job_logging=none", "hydra/hydra_logging=none"),
    *("hydra.output_subdir=null", "hydra.sweep.subdir=.", "hydra.job.chdir=false"),
)
"""Settings under which Hydra writes no logs, makes no folders and stays in this one."""


def launch(
    loader: ConfigLoaderImpl,
    settings: Mapping[str, Any],
    folder: Path,
    work: Callable[[int], Any],
    count: int,
) -> list[Any]:
    """Let one of Hydra's launchers call `work` with 0, 1, … `count` − 1; return the results in that order.

    `settings` are the composed group `launcher`. The launcher pickles `work` for processes of its own. Raises
    `ConfigError` if the launcher is not installed, does not know one of its settings, is refused what it asks for,
    such as a queue, or loses a process.
    """
    setup_globals()
    config = _config(loader, settings, folder)
    HydraConfig.instance().set_config(config)
    launcher = Plugins.instance().instantiate_launcher(
        hydra_context=HydraContext(config_loader=loader, callbacks=Callbacks()),
        task_function=_Task(work),
        config=config,
    )
    try:
        returns = launcher.launch([[] for _ in range(count)], initial_job_idx=0)
    except Exception as error:
        told = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        raise ConfigError(f"launcher={settings['name']}: {told[0]}") from error
    return [each.return_value for each in returns]


class _Task:
    """What a launcher calls: `work` with the job's number."""

    def __init__(self, work: Callable[[int], Any]) -> None:
        self._work = work

    def __call__(self, config: DictConfig) -> Any:
        return self._work(HydraConfig.get().job.num)


def _config(loader: ConfigLoaderImpl, settings: Mapping[str, Any], folder: Path) -> DictConfig:
    """Return a config that holds Hydra's own settings alone, with those of the launcher."""
    name = settings["name"]
    place = [f"hydra.sweep.dir={typed(str(folder))}", f"hydra.job.name={typed(folder.name)}"]
    words = [f"hydra/launcher={name}", *_words(settings["plugin"]), *place, *QUIET]
    try:
        config = loader.load_configuration(None, words, RunMode.MULTIRUN)
    except (HydraException, OmegaConfBaseException) as error:
        text = str(error)
        if "hydra/launcher" in text:
            extra = name.partition("_")[0]
            raise ConfigError(
                f"launcher: {name} is not installed; pip install 'ganctl[{extra}]', or take another launcher=…"
            ) from error
        if unknown := re.match(r"Could not override 'hydra\.launcher\.(.+?)'", text):
            raise ConfigError(f"launcher.plugin.{unknown[1]}: {name} has no such setting") from error
        key = re.match(r"Error merging override hydra\.launcher\.([\w.]+)", text)
        reason = str(error.__cause__ or error).splitlines()[0]
        raise ConfigError(f"launcher.plugin{f'.{key[1]}' if key else ''}: {in_our_words(reason)}") from error
    return config


def _words(values: Mapping[str, Any], key: str = "hydra.launcher", sign: str = "") -> Iterator[str]:
    """Yield a launcher's settings as words; below one that is a mapping there may be any key."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _words(value, f"{key}.{name}", "++")
        else:
            yield f"{sign}{key}.{name}={typed(value)}"
