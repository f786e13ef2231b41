"""ganctl train: a new run, or the same one further."""

from ganctl.config import TrainConfig
from ganctl.runtime.signals import Signals
from ganctl.training.naming import Naming
from ganctl.training.runner import run


def train(config: TrainConfig, signals: Signals, *, sweep: bool = False) -> None:
    """Train the run that the config, and data of the user's own, determine; under a sweep, `name` is a prefix."""
    run(config, Naming(config, sweep=sweep), signals)
