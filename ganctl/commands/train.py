"""ganctl train: a new run, or the same one further."""

from contextlib import suppress

from ganctl.checkpoints.file import read_header
from ganctl.command_line.jobs import Job, Typed
from ganctl.config import train_config
from ganctl.errors import CheckpointError
from ganctl.folders.naming import Naming
from ganctl.processes.ranks import Ranks
from ganctl.recipes.auto import chosen
from ganctl.rules import half_life_out_of_reach
from ganctl.runs import start
from ganctl.runs.transfer import identified
from ganctl.runtime.console import say
from ganctl.runtime.job import rank_in_job, size_of_job
from ganctl.runtime.signals import Signals


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Train the run that the config, and data of the user's own, determine; in a sweep, `name` is a prefix.

    The job finds how far the run came: its folder, status, step and best score.
    """
    swept = job.sweep is not None
    with Ranks(rank_in_job(), size_of_job()).speaking():
        config = identified(train_config(chosen(values, job)))
        asked = {"ema", "ema.half_life"} & values.typed.keys()
        if asked and (problem := half_life_out_of_reach(config)) is not None:
            say(problem)
    naming = Naming(config, job if swept else None)
    try:
        start.run(config, naming, signals, job.judge)
    finally:
        if naming.chosen is not None and naming.chosen.path.is_dir():
            status = naming.chosen.read_status()
            job.found.update(folder=str(naming.chosen.path))
            job.found.update((key, status[key]) for key in ("status", "step") if key in status)
            with suppress(CheckpointError):
                if (score := read_header(naming.chosen.checkpoints.best).header.score) is not None:
                    job.found["score"] = score.value
