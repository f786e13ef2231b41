"""scripts/tables: published tables are trained once, gone on with, and told with all that came of them."""

import io
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from ganctl import cli, rules
from scripts.tables import __main__ as command_line
from scripts.tables import report, results
from scripts.tables.__main__ import TABLES
from scripts.tables.launch import STOPPED, Ended, Processes
from scripts.tables.runs import Run, Shift, plan
from scripts.tables.table import Job, Row, Table, jobs
from tests.test_configs_yaml import values_without_comment

ROOT = Path(__file__).parents[2]
MIXTURES = TABLES["mixtures"]
TINY = (
    "data.num=64",
    "model.generator.hidden=[4]",
    "model.discriminator.hidden=[4]",
    "train.batch_size=4",
    "train.steps=6",
    "logging.every=2",
    "sample.num=1",
    "device=cpu",
)


TRAIN, EVALUATE = "train name=", "evaluate ckpt=outputs/"


def tiny(*more: str) -> Table:
    """Return the table of mixtures with two of its rows on the ring, two seeds, and runs of a moment."""
    ring = MIXTURES.parts[0]
    rows = tuple(
        replace(row, words=(*row.words, *TINY, *more))
        for row in ring.rows
        if row.key in ("plain", "pack2") and row.words
    )
    parts = (replace(ring, rows=(*rows, Row("other", "published only", None, {"modes": "7.7"}))),)
    return replace(MIXTURES, seeds=2, parts=parts, evaluate=(*MIXTURES.evaluate, "num=40", "device=cpu"))


class Here:
    """Runs commands in this process, one after the other, and notes them; `instead` may end one otherwise."""

    def __init__(self, instead: Callable[[Sequence[str]], Ended | None] = lambda words: None) -> None:
        self.instead = instead
        self.ran: list[str] = []
        self.turn = threading.Lock()

    def run(self, words: Sequence[str]) -> Ended:
        name = next(word for word in words if word.startswith(("name=", "ckpt=")))
        self.ran.append(f"{words[0]} {name}")
        if (ended := self.instead(words)) is not None:
            return ended
        told = io.StringIO()
        with self.turn, redirect_stderr(told):
            code = cli.main(words)
        return Ended(code, told.getvalue().strip(), 1.0)

    def stop(self) -> None:
        raise AssertionError("nothing was to be stopped")


@pytest.fixture
def place(workspace: Path) -> Path:
    """Return a folder with the recipes and a page without results."""
    (workspace / "scripts").symlink_to(ROOT / "scripts")
    (workspace / "docs/results").mkdir(parents=True)
    page = report.page_of("mixtures")
    (workspace / page).write_text(
        re.sub(r"(<!-- table: \w+ -->\n).*?(<!-- end)", r"\1\2", (ROOT / page).read_text(), flags=re.S)
    )
    return workspace


def page_of(place: Path) -> str:
    return (place / report.page_of("mixtures")).read_text()


def test_a_table_is_trained_measured_told_and_not_done_twice_nor_mixed_with_another(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, launcher, plain = tiny(), Here(), ["--jobs", "1", "--rows", "plain"]
    assert command_line.main(table, plain, launcher) == 0
    names = [f"mixtures-plain-ring-{seed}" for seed in (0, 1)]
    assert launcher.ran == [f"{verb}{name}" for name in names for verb in (TRAIN, EVALUATE)]
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith("[")]
    assert [line.split()[:2] for line in told] == [[f"[{n}/2]", name] for n, name in enumerate(names, 1)]
    said = re.compile(r"trained in 0:01, measured in 0:01  modes \d\.0, high quality .* %")
    assert all(said.search(line) for line in told)

    runs = results.read("mixtures")
    assert [run["name"] for run in runs] == names
    for run in runs:
        assert (run["status"], run["step"], run["images"]) == ("complete", 6, 24)
        assert run["seconds"]["training"] == pytest.approx(24 / run["images_per_second"], abs=0.06)
        assert run["numbers"]["mixture_modes"]["modes"]["floor"] == 8
        assert run["environment"]["precision"] == "fp32"
    page = page_of(place)
    assert re.search(r"\| plain GAN \| 6\.3 ± 0\.5 \| \d\.\d ± \d\.\d \| 98\.2 % \| .* \| 2 of 2 \| ", page)
    assert "| published only | 7.7 |  |" in page
    assert re.search(r"\| real data \|  \| 8\.0 \|", page)
    assert f"ganctl train name={names[0]} --config-dir scripts/tables/configs device.threads=1 " in page
    with Image.open(place / "docs/images/results/mixtures-plain-ring.png") as picture:
        assert picture.width == results.WIDEST

    (place / f"outputs/{names[1]}/evaluation.json").unlink()
    again = Here()
    results.add("mixtures", runs[0] | {"hardware": "where it was trained"})
    assert command_line.main(table, plain, again) == 0
    assert again.ran == [f"{EVALUATE}{names[1]}"]
    assert results.read("mixtures") == [runs[0] | {"hardware": "where it was trained"}, runs[1]]
    assert "1 of 2 runs are in already" in capsys.readouterr().out
    assert "where it was trained" in page_of(place)

    changed = Here()
    assert command_line.main(tiny("optimizer.lr=0.1"), [*plain, "--seeds", "0"], changed) == 1
    assert changed.ran == []
    assert "holds a run with another config: optimizer" in capsys.readouterr().out


def test_only_what_was_asked_for_is_run_and_the_rest_is_named_as_missing(place: Path) -> None:
    launcher = Here()
    assert command_line.main(tiny(), ["--rows", "pack2", "--seeds", "1"], launcher) == 0
    assert launcher.ran[0] == "train name=mixtures-pack2-ring-1"
    assert len(results.read("mixtures")) == 1
    page = page_of(place)
    assert "Runs: 1 of 4 are in (2 a row are planned)." in page
    assert "| packs of 2 |" in page
    assert "| 1 of 2 |" in page
    assert "Not run yet: plain GAN." in page
    assert "| plain GAN |" not in page


def test_a_run_that_was_interrupted_goes_on(place: Path) -> None:
    stops = Here(lambda words: Ended(STOPPED[0], "", 2.0))
    lines: list[str] = []
    job = next(jobs(tiny(), [0]))
    assert not Shift(job.table, stops, lines.append).run(plan([job]), 1)
    assert lines == ["mixtures-plain-ring-0  trained in 0:02, stopped; the same command goes on"]
    assert results.read("mixtures") == []
    assert cli.main([*job.train, "train.steps=4"]) == 0
    assert Shift(job.table, Here(), lines.append).run(plan([job]), 1)
    log = (place / "outputs/mixtures-plain-ring-0/run.log").read_text()
    assert "resumed at step 4, 6 steps" in log
    assert results.read("mixtures")[0]["step"] == 6


def test_a_run_that_diverges_is_told_in_the_table_and_not_trained_again(place: Path) -> None:
    table, launcher = tiny("optimizer.lr=1e30", "optimizer.betas=[0,0]"), Here()
    arguments = ["--rows", "plain", "--seeds", "0"]
    assert command_line.main(table, arguments, launcher) == 0
    (run,) = results.read("mixtures")
    assert (run["status"], run["numbers"]) == ("diverged", {})
    assert re.search(r"\| plain GAN \| 6\.3 ± 0\.5 \| – \|.* 0 of 2, 1 diverged \|", page_of(place))
    assert command_line.main(table, arguments, launcher) == 0
    assert launcher.ran == ["train name=mixtures-plain-ring-0"]


def test_a_run_that_fails_is_said_and_leaves_the_others_alone(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fails = Here(
        lambda words: Ended(3, "ganctl: data: gone", 0.0) if "name=mixtures-plain-ring-0" in words else None
    )
    assert command_line.main(tiny(), ["--seeds", "0", "--jobs", "1"], fails) == 1
    out = capsys.readouterr().out
    assert "mixtures-plain-ring-0  trained in 0:00, FAILED: exit code 3: ganctl: data: gone" in out
    assert [run["name"] for run in results.read("mixtures")] == ["mixtures-pack2-ring-0"]


@pytest.mark.parametrize("name", TABLES)
def test_the_words_of_every_row_mean_a_config(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    table = TABLES[name]
    alike = ("mixtures-pack2-grid", "mixtures-pack3-grid")  # as on the ring
    runs = {run.job.group: run for run in plan([job for job in jobs(table, [0]) if job.group not in alike])}
    for run in runs.values():
        rules.check(run.config)
        assert run.config.name == run.job.name
    papers = [run.config.train for run in runs.values() if run.job.part.key != "own"]
    seen = {train.steps * train.n_dis * train.batch_size for train in papers}
    told = " ".join((table.protocol, *table.deviations))
    if name == "losses":
        assert seen == {int(re.findall(r"sees ([\d,]+) images", told)[0].replace(",", ""))}
        own = [run.config.train for run in runs.values() if run.job.part.key == "own"]
        assert {train.steps * train.n_gen for train in own} == {
            int(re.findall(r"generator has ([\d,]+) updates", told)[0].replace(",", ""))
        }
        for part in table.parts:
            assert {row.key for row in part.rows} == {path.stem for path in Path("configs/loss").glob("*")}
    else:
        packs = " sequences" if name == "markov" else " packs"
        plain = next(run for group, run in runs.items() if "-plain" in group)
        assert f"{plain.config.train.steps:,} updates" in told
        assert f"{plain.config.train.batch_size}{packs} a batch" in told
        packed = [run.config for run in runs.values() if run.config.train.pack > 1]
        assert all(one.train.batch_size == one.train.pack * plain.config.train.batch_size for one in packed)
        assert all(one.train.steps == plain.config.train.steps for one in packed)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "scripts/tables/configs").rglob("*.yaml")), ids=lambda path: path.stem
)
def test_a_recipe_says_what_it_is_how_it_is_run_and_what_each_value_means(path: Path) -> None:
    text = path.read_text()
    assert text.startswith("# @package _global_\n# ")
    assert f"#   ganctl train --config-dir scripts/tables/configs experiment={path.stem}" in text
    assert values_without_comment(text) == []
    assert max(map(len, text.splitlines())) <= 115


@pytest.mark.parametrize("name", TABLES)
def test_a_dry_run_prints_two_commands_a_run_and_starts_none(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = TABLES[name]
    assert command_line.main(table, ["--dry-run", "--seeds", "0,2"], Here()) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * len(list(jobs(table, [0, 2]))) > 0
    assert all(line.startswith((f"ganctl {TRAIN}", f"ganctl {EVALUATE}")) for line in lines)


@pytest.mark.parametrize("name", TABLES)
def test_each_table_has_a_script(name: str) -> None:
    script = ROOT / "scripts/tables" / name
    assert os.access(script, os.X_OK)
    assert f"-m scripts.tables {name} " in script.read_text()


def test_the_place_of_mnist_is_told_to_the_trainings_but_not_to_the_page(tmp_path: Path) -> None:
    options = command_line.options_of(TABLES["losses"], ["--mnist", str(tmp_path), "--rows", "hinge"])
    job = command_line.wanted(TABLES["losses"], options)[0]
    assert job.train[-3:] == [f"data.root={tmp_path}", "data.download=false", "seed=0"]
    assert job.name == "losses-hinge-0"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--rows", "plane"], "there is no 'plane'; there are plain"),
        (["--data", "rings"], "there is no 'rings'; there are ring, grid"),
        (["--seeds", "a"], "'a' is neither a range"),
        (["--jobs", "0"], "must be at least 1"),
    ],
)
def test_what_is_not_there_is_refused_in_words(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command_line.main(MIXTURES, arguments, Here())
    assert end.value.code == 2
    assert told in capsys.readouterr().err


LASTING = """
import pathlib, signal, sys, time
def save(number, frame):
    pathlib.Path(sys.argv[1], "saved").write_text("whole")
    sys.exit(128 + number)
signal.signal(signal.SIGTERM, save)
pathlib.Path(sys.argv[1], "begun").touch()
while True:
    time.sleep(0.01)
"""


def test_ctrl_c_lets_what_runs_save_and_starts_no_more(tmp_path: Path, place: Path) -> None:
    class Lasting(Processes):
        def run(self, words: Sequence[str]) -> Ended:
            return super().run([str(tmp_path)])

    def interrupt() -> None:
        while not (tmp_path / "begun").exists():
            time.sleep(0.005)
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)

    lines: list[str] = []
    todo = plan(list(jobs(tiny(), [0, 1])))
    shift = Shift(todo[0].job.table, Lasting([sys.executable, "-c", LASTING]), lines.append)
    other = threading.Thread(target=interrupt)
    other.start()
    before = signal.getsignal(signal.SIGINT)
    assert not shift.run(todo, 1)
    other.join()
    assert shift.stopped
    assert signal.getsignal(signal.SIGINT) == before
    assert (tmp_path / "saved").read_text() == "whole"
    assert lines[0] == "stopping: runs in progress are saved"
    assert re.fullmatch(r"mixtures-plain-ring-0  trained in 0:\d\d, stopped; the same command goes on", lines[-1])
    assert {line for line in lines if "mixtures" in line} == {lines[-1]}


def test_a_command_ends_with_its_code_and_its_last_words() -> None:
    ended = Processes([sys.executable, "-c"]).run(
        ["import sys; print('one', 'two', sep=chr(10), file=sys.stderr); sys.exit(5)"]
    )
    assert (ended.code, ended.told) == (5, "two")


def test_an_answer_to_another_question_is_none(place: Path) -> None:
    (run,) = plan([Job(tiny(), tiny().parts[0], tiny().parts[0].rows[0], 0)])
    folder = place / "outputs" / run.job.name
    folder.mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps({"step": 6}))

    def answered(**other: Any) -> bool:
        answer = {"step": 6, "asked": run.question.asked()} | other
        (folder / "evaluation.json").write_text(json.dumps({"evaluations": [answer]}))
        return Run.evaluation(run) is not None

    assert answered()
    assert not answered(step=5)
    assert not answered(asked=run.question.asked() | {"num": 41})
