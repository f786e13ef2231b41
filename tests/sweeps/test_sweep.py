"""Sweeps: what is said before, between and after their jobs, the names of their runs, and their table."""

import csv
from pathlib import Path

import pytest
import yaml

from ganctl.command_line.jobs import Job, Typed
from ganctl.sweeps.sweep_table import Ended, SweepTable
from tests.conftest import TINY, Cli


def no_values() -> Typed:
    return Typed({}, {})


def table(workspace: Path) -> list[dict[str, str]]:
    (path,) = (workspace / "outputs").glob("sweep-*/sweep.csv")
    return list(csv.DictReader(path.read_text().splitlines()))


def test_each_job_is_announced_and_the_failed_ones_are_named_at_the_end(workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, "-m", "loss=hinge,wgan,lsgan")
    assert outcome.code == 2
    lines = outcome.out.splitlines()
    assert [line for line in lines if line.startswith("[")] == [
        "[1/3] loss=hinge",
        "[2/3] loss=wgan",
        "[3/3] loss=lsgan",
    ]
    assert lines[-1] == "2 done, 1 failed: loss=wgan (exit 2)"


def test_a_table_says_what_became_of_each_job(workspace: Path, cli: Cli) -> None:
    scored = ["evaluate.every=1", "evaluate.num=8", "metric/features=raw", "metric=[fid]"]
    cli("train", *TINY, *scored, "-m", "loss=hinge,wgan", "seed=1,2")
    rows = table(workspace)
    assert [row["words"] for row in rows] == [
        f"loss={loss} seed={seed}" for loss in ("hinge", "wgan") for seed in (1, 2)
    ]
    assert [row["status"] for row in rows] == ["complete", "complete", "failed (exit 2)", "failed (exit 2)"]
    assert [row["step"] for row in rows] == ["1", "1", "", ""]
    for row in rows[:2]:
        assert (workspace / row["folder"] / "run.json").exists()
        assert float(row["score"]) >= 0
    assert not list((workspace / "outputs").rglob("multirun.yaml"))


def test_a_runs_folder_carries_the_words_that_differ_and_is_found_without_them(workspace: Path, cli: Cli) -> None:
    assert cli("train", *TINY, "-m", "optimizer.generator.lr=1e-3,2e-3", "seed=1,2").code == 0
    names = {path.name.rsplit("-", 1)[0] for path in (workspace / "outputs").glob("ring-*")}
    assert names == {f"ring-mlp-nonsaturating-lr={lr}-seed={seed}" for lr in ("1e-3", "2e-3") for seed in (1, 2)}
    again = cli("train", *TINY, "-m", "seed=1,2", "optimizer.generator.lr=1e-3,2e-3")
    assert again.out.count("is complete: 1 step is done") == 4
    assert len(list((workspace / "outputs").glob("ring-*"))) == 4
    single = cli("train", *TINY, "seed=2", "optimizer.generator.lr=1e-3")
    assert "is complete" in single.out


def test_a_sweep_finds_runs_under_their_earlier_names(workspace: Path, cli: Cli) -> None:
    for seed in (1, 2):
        assert cli("train", *TINY, f"seed={seed}").code == 0
    before = {path.name for path in (workspace / "outputs").glob("ring-*")}
    outcome = cli("train", *TINY, "-m", "seed=1,2")
    assert outcome.out.count("is complete: 1 step is done") == 2
    assert {path.name for path in (workspace / "outputs").glob("ring-*")} == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("seed=2",), "seed=2"),
        (("loss=hinge", "model=mlp"), ""),
        (("optimizer.generator.lr=0.1", "penalty=[r1,r2]"), "lr=0.1-penalty=r1+r2"),
        (("data.path=/a b/ü",), "path=abü"),
        (("name=" + "x" * 99,), ("name=" + "x" * 99)[:60]),
    ],
)
def test_words_are_made_fit_for_a_folders_name(words: tuple[str, ...], told: str) -> None:
    assert Job(no_values, differing=words).in_name() == told


def test_the_jobs_of_a_sweep_are_shown(workspace: Path, cli: Cli) -> None:
    outcome = cli("train", "-m", "loss=hinge,lsgan", "--cfg", "job")
    assert (outcome.code, outcome.err) == (0, "")
    shown = outcome.out.split("# [")[1:]
    assert [each.splitlines()[0] for each in shown] == ["1/2] loss=hinge", "2/2] loss=lsgan"]
    configs = [yaml.safe_load(each.partition("\n")[2]) for each in shown]
    assert [config["loss"]["name"] for config in configs] == ["hinge", "lsgan"]
    assert not list(workspace.iterdir())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["seed=range(0,1000000000)"], "seed=range(0,1000000000): makes a sweep of more than 10,000 jobs"),
        (
            ["seed=range(0,200)", "train.steps=range(1,200)"],
            "train.steps=range(1,200): makes a sweep of more than",
        ),
        (
            ["seed=interval(0,1)"],
            "seed=interval(0,1): has no single values to run through; list them, seed=0.1,0.2",
        ),
        (["loss=hinge,wgn"], "loss: there is no 'wgn' (did you mean 'wgan'?)"),
        (["seed=1,2", "sede=3"], "sede: unknown key"),
    ],
)
def test_what_cannot_be_swept_is_one_line_before_any_job(
    words: list[str], told: str, workspace: Path, cli: Cli
) -> None:
    outcome = cli("train", "-m", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"ganctl: {told}")
    assert not list(workspace.iterdir())


def test_every_option_of_a_group_can_be_swept(cli: Cli, workspace: Path) -> None:
    outcome = cli("train", "-m", "optimizer=glob(*)", "--cfg", "job")
    assert outcome.code == 0, outcome.err
    assert "# [1/4] optimizer=adam\n" in outcome.out


def test_a_sweeps_run_is_named_like_any_other(workspace: Path, cli: Cli) -> None:
    swept = ["model.generator.hidden=[4],[5,5]", "seed=1,2"]
    assert cli("train", *TINY, "-m", *swept).code == 0
    for folder in sorted((workspace / "outputs").glob("ring-*")):
        for word in (folder.name, f"outputs/{folder.name}", f"ckpt={folder.name}"):
            assert cli("sample", word, "num=2", "device=cpu").code == 0, word
            assert "is complete" in cli("resume", word).out, word


def test_jobs_that_are_one_run_are_reported(workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, "-m", "logging.every=1,2")
    assert "note    job 2 is the run of job 1: what differs leaves a run's numbers alone" in outcome.out
    assert [row["status"] for row in table(workspace)] == ["complete", "complete, same run as job 1"]


def test_a_job_that_failed_is_so_in_the_table_though_its_folder_holds_a_complete_run(tmp_path: Path) -> None:
    found = {"folder": "outputs/run", "status": "complete", "step": 3}
    SweepTable(tmp_path).add(Job(no_values, differing=("seed=1",)), Ended(3, "no data", found=found))
    (row,) = csv.DictReader((tmp_path / "sweep.csv").read_text().splitlines())
    assert (row["status"], row["step"]) == ("failed (exit 3)", "3")


def test_one_value_is_a_sweep_too(workspace: Path, cli: Cli) -> None:
    for word in ("seed=range(1,2)", "seed=choice(3)"):
        outcome = cli("train", *TINY, "-m", word)
        assert outcome.code == 0, outcome.err


def test_help_is_shown_once(cli: Cli) -> None:
    assert cli("train", "-m", "seed=1,2", "--help").out == cli("train", "seed=1", "--help").out != ""
