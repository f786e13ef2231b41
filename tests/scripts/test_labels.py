"""scripts/tables/labels: runs that their CPU time ends, are gone on with, judged, and told on a page."""

import itertools
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from ganctl import rules
from ganctl.config import train_config
from scripts.tables import budget, judge, labels, labels_page, results
from scripts.tables.launch import STOPPED, Ended, Processes
from scripts.tables.report import page_of, with_section
from scripts.tables.runs import composed
from scripts.tables.trials import FID, NAME, QUESTIONS, Question, Trial
from tests.scripts.here import BRIEF, Here, briefly

ROOT = Path(__file__).parents[2]
TINY = (
    "data=digits",
    "data.resolution=8",
    "model=dcgan",
    "model.generator.width=2",
    "model.discriminator.width=2",
)
SHORT = ("train.batch_size=4", "train.steps=4", "checkpoint.every=2", "checkpoint.keep_every=2", "device=cpu")
CODES = ("model.categorical_codes=[10]", "auxiliary=[code_loss]")


def tiny(*trials: Trial, codes: bool = False) -> Question:
    columns = next(question for question in QUESTIONS if question.codes == codes).columns
    return Question("tiny", "Tiny", "mnist", columns, "What was done.", trials, codes)


CONDITIONAL = Trial(
    "by_class", "by class", 5, (*TINY, *SHORT, "model.conditional=true"), ("fid", "class_agreement")
)
WITH_CODES = Trial("codes", "with codes", 5, (*TINY, *SHORT, *CODES))


def here() -> Here:
    """Return what runs the commands, with a classifier that is taught for a moment."""
    return Here(evaluate=BRIEF)


@pytest.fixture
def place(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a page without results, whose classifier is taught for a moment."""
    (workspace / "docs/results").mkdir(parents=True)
    (workspace / page_of(NAME)).write_text(f"# Labels\n\n<!-- table: {NAME} -->\n<!-- end -->\n")
    monkeypatch.setattr(judge, "composed", briefly)
    return workspace


def test_a_row_is_trained_measured_at_its_checkpoints_told_and_not_done_twice(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    launcher, question = here(), tiny(CONDITIONAL)
    arguments = ["--num", "40", "--jobs", "1"]
    assert labels.main(arguments, launcher, [question]) == 0
    checkpoints = [f"outputs/labels-by_class/checkpoints/step-0000000{step}.safetensors" for step in (2, 4)]
    assert launcher.ran == ["train name=labels-by_class", *(f"evaluate ckpt={path}" for path in checkpoints)]
    (run,) = results.read(NAME)
    assert [point["step"] for point in run["course"]] == [2, 4]
    assert all(0 <= point["class_agreement"]["value"] <= 1 for point in run["course"])
    assert run["cpu_seconds"] > 0
    page = (place / page_of(NAME)).read_text()
    assert re.search(r"\| by class \| [\d.]+ % \| [\d.]+ \| 4 \| \d+\.\d \|", page)
    assert "ganctl train name=labels-by_class data=digits" in page
    with Image.open(results.PICTURES / "labels-by_class.png") as picture:
        assert picture.height > picture.width
    assert labels.main(arguments, here(), [question]) == 0
    assert "fid" in capsys.readouterr().out


def test_codes_are_judged_and_each_is_swept(place: Path) -> None:
    assert labels.main(["--num", "40"], here(), [tiny(WITH_CODES, codes=True)]) == 0
    last = results.read(NAME)[0]["course"][-1]
    assert 0.1 <= last["matched"]["value"] <= last["purity"]["value"] <= 1
    assert (results.PICTURES / "labels-codes-code0.png").exists()


def test_the_best_matching_is_the_best_of_all() -> None:
    table = torch.randint(0, 50, (5, 5), generator=torch.Generator().manual_seed(1))
    matchings = itertools.permutations(range(5))
    assert judge.best_matching(table) == max(int(table[range(5), list(one)].sum()) for one in matchings)
    assert judge.best_matching(torch.tensor([[9, 8], [9, 0]])) == 17


BUSY = """
import signal, sys
signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
while True: sum(range(10000))
"""


def test_cpu_time_ends_a_training_and_is_counted_over_its_sittings(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scripts.tables.launch.LOOK_EVERY", 0.02)
    launcher = Processes([sys.executable, "-c", BUSY])
    started = time.process_time()
    ended = budget.train("run", [], 0.2, launcher)
    assert ended.code in STOPPED
    once = budget.spent("run")
    assert once.enough
    assert 0.2 <= once.seconds < 5
    assert budget.train("run", [], once.seconds + 0.2, launcher).code in STOPPED
    assert budget.spent("run").seconds >= once.seconds + 0.2
    assert time.process_time() - started < 5


def test_a_training_that_was_stopped_before_its_time_is_not_over(workspace: Path) -> None:
    class Stops(Here):
        def watched(self, words: Sequence[str], enough: Callable[[int], bool]) -> Ended:
            enough(os.getpid())
            return Ended(128 + signal.SIGTERM, "", 1.0)

    budget.train("run", [], 1e9, Stops())
    assert not budget.spent("run").enough
    assert json.loads(budget.account("run").read_text())["seconds"] > 0


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.key)
def test_the_words_of_every_row_mean_a_config(question: Question) -> None:
    for trial in question.trials:
        place = labels.colours_at("cifar10-jpg.zip") if question.data == "cifar" else ()
        config = train_config(composed(labels.Work(question, trial, place, 10).train()))
        rules.check(config)
        assert config.model.conditional == ("class_agreement" in trial.metrics)
        assert config.checkpoint.keep_every == config.checkpoint.every


def test_data_are_named_by_arguments_but_not_on_the_page(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert labels.main(["--dry-run", "--cifar", str(tmp_path), "--mnist", str(tmp_path)], here()) == 0
    told = capsys.readouterr().out
    assert f"data.path={tmp_path} data.subfolder=train" in told
    assert f"data.root={tmp_path} data.download=false" in told
    with pytest.raises(SystemExit):
        labels.main(["--rows", "dcgan"], here())
    assert "--cifar: say where" in capsys.readouterr().err


def test_the_page_is_what_the_results_generate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = page_of(NAME).read_text()
    section = labels_page.section(QUESTIONS, results.read(NAME))
    assert with_section(page, NAME, section) == page, f"scripts/tables/{NAME} --report"


def test_a_figure_has_the_course_of_each_row() -> None:
    course = [{"cpu_seconds": 60.0, "fid": {"value": 9.0}}, {"cpu_seconds": 120.0, "fid": {"value": 5.0}}]
    question = replace(tiny(CONDITIONAL), columns=(FID,))
    runs = [{"part": "tiny", "row": "by_class", "course": course}]
    assert labels_page.curves(question, runs) == {"by class": [[(60.0, 9.0), (120.0, 5.0)]]}


def test_there_is_a_script() -> None:
    assert os.access(ROOT / "scripts/tables" / NAME, os.X_OK)
