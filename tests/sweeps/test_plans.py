"""Which jobs a sweep has: drawn at random, or chosen by Optuna."""

import csv
import signal
from pathlib import Path

import pytest

from ganctl.errors import Stopped
from ganctl.sweeps.settings import SearchSweep
from tests.conftest import TINY, Cli

SCORED = ["evaluate.every=1", "evaluate.num=8", "metric/features=raw", "metric=[fid]"]
LR = "optimizer.generator.lr=tag(log,interval(1e-5,1e-2))"


def table() -> list[dict[str, str]]:
    (path,) = Path("outputs").glob("sweep-*/sweep.csv")
    return list(csv.DictReader(path.read_text().splitlines()))


def values(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    return [dict(word.split("=", 1) for word in row["words"].split()) for row in rows]


def test_random_values_lie_where_they_are_asked_for_and_follow_from_the_seed(workspace: Path, cli: Cli) -> None:
    words = ["train", *TINY, "-m", "sweeper=random", LR, "loss=hinge,lsgan", "train.batch_size=int(interval(4,9))"]
    assert cli(*words, "sweeper.trials=4").code == 0
    first = values(table())
    assert len(first) == 4
    for each in first:
        assert 1e-5 <= float(each["optimizer.generator.lr"]) <= 1e-2
        assert each["loss"] in ("hinge", "lsgan")
        assert int(each["train.batch_size"]) in range(4, 10)
    assert len({each["optimizer.generator.lr"] for each in first}) == 4
    more = cli(*words, "sweeper.trials=5")
    assert more.code == 0
    assert more.out.count("as before") == 4
    assert values(table())[:4] == first


def test_optuna_chooses_by_scores_and_goes_on_where_it_was(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    from ganctl.runs.evaluation import Evaluation

    original = Evaluation.measure

    def by_rate(self: Evaluation, network: object) -> object:
        found = original(self, network)  # type: ignore[arg-type]
        rate = self._config.optimizer.generator.lr
        return type(found)(found.numbers, found.baseline, found.score.model_copy(update={"value": rate}))

    monkeypatch.setattr(Evaluation, "measure", by_rate)
    words = ["train", *TINY, *SCORED, "-m", "sweeper=optuna", "sweeper.startup=4", LR, "loss=hinge,lsgan"]
    assert cli(*words, "sweeper.trials=6").code == 0
    assert cli(*words, "sweeper.trials=12").code == 0
    rows = table()
    assert len(rows) == 12
    rates = [float(each["optimizer.generator.lr"]) for each in values(rows)]
    assert [float(row["score"]) for row in rows] == pytest.approx(rates, rel=1e-5)
    assert sum(rate < 5e-5 for rate in rates[6:]) >= 3  # smaller ones score better, and are tried more often
    (folder,) = Path("outputs").glob("sweep-*")
    storage = optuna.storages.JournalStorage(optuna.storages.journal.JournalFileBackend(str(folder / "study.log")))
    study = optuna.load_study(study_name=folder.name, storage=storage)
    assert study.best_value == pytest.approx(min(rates), rel=1e-5)


def test_a_search_that_is_cut_off_before_it_hears_of_a_score_hears_of_it_later(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    from ganctl.runs.evaluation import Evaluation
    from ganctl.sweeps import search

    original = Evaluation.measure

    def more_is_better(self: Evaluation, network: object) -> object:
        found = original(self, network)  # type: ignore[arg-type]
        score = {"value": float(self._config.seed), "better": "higher"}
        return type(found)(found.numbers, found.baseline, found.score.model_copy(update=score))

    def cut_off(study: object, job: object) -> None:
        raise Stopped(signal.SIGTERM)

    monkeypatch.setattr(Evaluation, "measure", more_is_better)
    words = ["train", *TINY, *SCORED, "-m", "sweeper=optuna", "sweeper.trials=2", "seed=int(interval(1,99))"]
    with monkeypatch.context() as cut:
        cut.setattr(search, "_tell", cut_off)
        assert cli(*words).code == 143
    again = cli(*words)
    assert again.code == 0, again.err
    assert again.out.count("as before") == 1
    (folder,) = Path("outputs").glob("sweep-*")
    study = search.study_of(folder, plan_of(2), 1)
    assert [trial.state for trial in study.trials] == [optuna.trial.TrialState.COMPLETE] * 2
    assert [trial.value for trial in study.trials] == [-float(each["seed"]) for each in values(table())]


def plan_of(trials: int) -> SearchSweep:
    return SearchSweep(name="optuna", trials=trials, seed=0, startup=8, prune=True, retry=False)


def test_optuna_ends_runs_that_are_worse_than_most(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed")
    from ganctl.runs.evaluation import Evaluation

    original = Evaluation.measure

    def by_seed(self: Evaluation, network: object) -> object:
        found = original(self, network)  # type: ignore[arg-type]
        value = float(self._config.seed)
        return type(found)(found.numbers, found.baseline, found.score.model_copy(update={"value": value}))

    monkeypatch.setattr(Evaluation, "measure", by_seed)
    words = ["train", *TINY, *SCORED, "-m", "sweeper=optuna", "sweeper.startup=2", "seed=int(interval(0,99))"]
    outcome = cli(*words, "sweeper.trials=6", "train.steps=4")
    assert outcome.code == 0, outcome.err
    rows = table()
    pruned = [row for row in rows if row["status"] == "pruned"]
    assert pruned
    assert all(row["step"] == "1" for row in pruned)
    assert all(row["step"] == "4" for row in rows if row["status"] == "complete")
    kept = [float(row["score"]) for row in rows if row["status"] == "complete"]
    assert max(float(row["score"]) for row in pruned) > min(kept)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["sweeper=random", "seed=1"], "sweeper=random: every key has one value; give it some"),
        (
            ["sweeper=random", "seed=interval(3,1)"],
            "seed=interval(3,1): an interval needs two bounds, the smaller",
        ),
        (
            ["sweeper=random", "seed=tag(log,interval(0,1))"],
            "seed=tag(log,interval(0,1)): an interval tagged log needs bounds above 0",
        ),
        (["sweeper=random", "sede=interval(0,1)"], "sede: unknown key"),
        (["sweeper=optuna", "seed=interval(0,9)"], "sweeper=optuna: chooses by scores; set evaluate.every"),
        (["sweeper=random", "seed=interval(0,9)", "--cfg", "job"], "--cfg: the jobs of sweeper=random are drawn"),
    ],
)
def test_what_cannot_be_searched_is_one_line(words: list[str], told: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, "-m", *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"ganctl: {told}")
