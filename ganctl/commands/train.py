"""ganctl train: a new run, or the same one further."""

from ganctl.config import TrainConfig
from ganctl.runtime.signals import Signals
from ganctl.training.run_folder import OUTPUTS, RunFolder
from ganctl.training.runner import run


def train(config: TrainConfig, signals: Signals, *, sweep: bool = False) -> None:
    """Train the run that the config determines; under a sweep, `name` is a prefix of its folder."""
    name = config.run_name(sweep=sweep)
    run(config.model_copy(update={"name": name}), RunFolder(OUTPUTS / name), signals)
