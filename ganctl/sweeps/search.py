"""A search by Optuna: each job's values follow from the scores of earlier ones, which a file remembers."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganctl.command_line.jobs import Bounds, Job, Sweep, Values
from ganctl.errors import ConfigError
from ganctl.sweeps.settings import SearchSweep
from ganctl.sweeps.sweep_table import Ended

try:
    import optuna
    from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.study import Study
    from optuna.trial import Trial, TrialState
except ImportError as error:
    raise ConfigError(f"sweeper=optuna: needs {error.name}; pip install 'ganctl[optuna]'") from error

FILE = "study.log"
"""The study in the sweep's folder, which `optuna-dashboard` shows, too."""

SPREAD = 1_000_003
"""Keeps the seeds of two searches apart, which grow by one a trial."""


@dataclass(frozen=True)
class Judge:
    """Tells the study what a run scored, and returns whether most earlier runs were better at that step."""

    place: Path
    trial: int
    plan: SearchSweep
    found: dict[str, Any]

    def __call__(self, step: int, score: float) -> bool:
        """Report a score; a step that was reported before keeps its first one."""
        study = study_of(self.place, self.plan, 1)
        frozen = study.get_trials(deepcopy=False)[self.trial]
        trial = Trial(study, frozen._trial_id)
        if step not in frozen.intermediate_values:
            trial.report(score, step)
        pruned = self.plan.prune and trial.should_prune()
        if pruned:
            self.found["pruned"] = True
        return pruned


def searched(sweep: Sweep, plan: SearchSweep, at_once: int) -> Iterator[Sequence[Job]]:
    """Yield jobs in batches: first those that an earlier start left unfinished, then new ones.

    Raises `ConfigError` where nothing is scored.
    """
    if not sweep.combinations()[0].values()["evaluate"]["every"]:
        raise ConfigError("sweeper=optuna: chooses by scores; set evaluate.every, such as evaluate.every=500")
    distributions = {_key(each): _distribution(each) for each in sweep.choices if _open(each)}
    done: set[int] = set()
    while True:
        study = study_of(sweep.folder, plan, at_once)
        trials = study.get_trials(deepcopy=False)
        begun = [each for each in trials if each.state == TrialState.RUNNING and each.number not in done]
        whole = [each for each in begun if each.params.keys() == distributions.keys()]
        for each in begun:
            if each not in whole:  # its process was killed while it was asked for
                study.tell(each.number, state=TrialState.FAIL)
        failed = [each for each in trials if each.state == TrialState.FAIL]
        spare = plan.trials - len(trials) + (len(failed) if plan.retry else 0)
        batch = [_job(sweep, plan, each.number, each.params) for each in whole[:at_once]]
        for _ in range(min(spare, at_once - len(batch))):
            asked = study.ask(distributions)
            batch.append(_job(sweep, plan, asked.number, asked.params))
        if not batch:
            return
        yield batch
        for job in batch:
            _tell(study, job)
        done |= {job.number - 1 for job in batch}


def study_of(folder: Path, plan: SearchSweep, at_once: int) -> Study:
    """Return the study of a sweep's folder, from which every process reads and writes.

    Its sampler draws other numbers after each trial, and the same ones for the same trials. Scores are made small:
    one of which more is better has the other sign.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        storage = JournalStorage(JournalFileBackend(str(folder / FILE)))
        study = optuna.create_study(
            storage=storage,
            study_name=folder.name,
            pruner=optuna.pruners.MedianPruner(n_startup_trials=plan.startup),
            load_if_exists=True,
        )
        seed = (plan.seed * SPREAD + len(study.get_trials(deepcopy=False))) % (1 << 32)
        study.sampler = optuna.samplers.TPESampler(
            n_startup_trials=plan.startup, seed=seed, constant_liar=at_once > 1
        )
        return study


def _tell(study: Study, job: Job) -> None:
    """Tell the study what became of a job; one that was stopped stays as it is, to go on."""
    ended: Ended = job.found["ended"]
    number = job.number - 1
    scores = study.get_trials(deepcopy=False)[number].intermediate_values.values()
    if ended.failed or (ended.code == 0 and not scores):
        study.tell(number, state=TrialState.FAIL)
    elif ended.code == 0 and ended.found.get("pruned"):
        study.tell(number, state=TrialState.PRUNED)
    elif ended.code == 0:
        study.tell(number, min(scores))


def _job(sweep: Sweep, plan: SearchSweep, number: int, values: dict[str, Any]) -> Job:
    words = []
    for each in sweep.choices:
        if not _open(each):
            assert not isinstance(each, Bounds)
            words.append(each[0])
        elif isinstance(each, Bounds):
            words.append(each.word(values[each.key]))
        else:
            words.append(values[_key(each)])
    job = sweep.job(words, number + 1, max(plan.trials, number + 1))
    return replace(job, judge=Judge(sweep.folder, number, plan, job.found))


def _open(values: Values) -> bool:
    return isinstance(values, Bounds) or len(values) > 1


def _key(values: Values) -> str:
    return values.key if isinstance(values, Bounds) else values[0].partition("=")[0]


def _distribution(values: Values) -> BaseDistribution:
    if not isinstance(values, Bounds):
        return CategoricalDistribution(values)
    if values.whole:
        return IntDistribution(int(values.low), int(values.high), log=values.log)
    return FloatDistribution(values.low, values.high, log=values.log)
