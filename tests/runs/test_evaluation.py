"""Evaluation while training: the numbers of `ganctl evaluate`, the best checkpoint, and kills on the way."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints.file import Checkpoint, Header, Score
from scripts.soaks.traces import files, numbers, traces
from scripts.soaks.warm import Warm
from tests.behaviours.moments import signal_itself
from tests.behaviours.runs import TINY
from tests.conftest import Cli

NUM = 300
KID = ["metric=[fid,kid]", "metric.kid.size=50", "metric.kid.subsets=5", "metric/features=raw"]
EVALUATING = ["evaluate.every=4", f"evaluate.num={NUM}", *KID]
WORDS = ["train", *TINY, *EVALUATING, "train.steps=10", "logging.every=2", "sample.every=5", "checkpoint.every=6"]
RUN = Path("outputs/run")
EVALUATED = [4, 8, 10]


def found(run: Path) -> dict[int, dict[str, Any]]:
    """Return the rows of numbers of evaluations, by step; a step may have one."""
    rows = [row for row in numbers(run) if "evaluate/fid/fid" in row]
    assert len({row["step"] for row in rows}) == len(rows)
    return {row["step"]: row for row in rows}


def best(run: Path) -> Checkpoint:
    opened = checkpoint.read_header(run / "checkpoints/best.safetensors")
    opened.read()
    return opened


def told(header: Header) -> Header:
    """Return a header without the lengths of lines, in which the clock has digits, and the plugin that signals."""
    versions = {key: value for key, value in header.versions.items() if key != "plugin moment"}
    inexact = tuple(change for change in header.inexact if not change.because.startswith("plugin moment "))
    return header.model_copy(update={"logs": {}, "versions": versions, "inexact": inexact})


def same_best(run: Path, other: Path) -> bool:
    ours, theirs = best(run), best(other)
    return ours.tensors == theirs.tensors and told(ours.header) == told(theirs.header)


@pytest.fixture(scope="module")
def uninterrupted(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    code, out, err = warm.finish(folder, *WORDS)
    assert (code, err) == (0, "")
    assert "the best so far" in out
    return folder / RUN


def test_every_evaluation_is_logged_and_the_best_is_kept(uninterrupted: Path) -> None:
    rows = found(uninterrupted)
    assert list(rows) == EVALUATED
    assert all({"evaluate/fid/fid", "evaluate/kid/kid"} <= row.keys() for row in rows.values())
    assert len({row["evaluate/fid/fid/floor"] for row in rows.values()}) == 1
    assert 0 < rows[4]["evaluate/fid/fid/floor"] < rows[4]["evaluate/fid/fid"]
    lowest = min(rows, key=lambda step: rows[step]["evaluate/fid/fid"])
    kept = best(uninterrupted).header
    assert kept.step == lowest
    assert kept.score is not None
    assert kept.score.value == rows[lowest]["evaluate/fid/fid"]
    assert "evaluate/fid/fid" in traces(uninterrupted)["scalars"]


def test_the_numbers_are_those_of_the_command(uninterrupted: Path, cli: Cli, tmp_path: Path) -> None:
    asked = [f"num={NUM}", *KID, "device=cpu"]
    for which, step in (("newest", 10), ("best", best(uninterrupted).header.step)):
        out = tmp_path / f"{which}.json"
        outcome = cli("evaluate", f"ckpt={uninterrupted}", f"which={which}", f"out={out}", *asked)
        assert (outcome.code, outcome.err) == (0, "")
        (result,) = json.loads(out.read_text())["evaluations"]
        assert result["step"] == step
        row = found(uninterrupted)[step]
        assert result["numbers"]["fid"]["fid"]["mean"] == row["evaluate/fid/fid"]
        assert result["numbers"]["fid"]["fid"]["floor"] == row["evaluate/fid/fid/floor"]
        assert result["numbers"]["kid"]["kid"]["mean"] == row["evaluate/kid/kid"]


def test_evaluating_changes_nothing_else(warm: Warm, uninterrupted: Path, tmp_path: Path) -> None:
    assert warm.finish(tmp_path, *WORDS, "evaluate.every=0")[0] == 0
    ours, theirs = traces(tmp_path / RUN), traces(uninterrupted)
    assert ours["tensors"] == theirs["tensors"]
    assert ours["metrics"] == [row for row in theirs["metrics"] if "evaluate/fid/fid" not in row]


@pytest.mark.parametrize(
    ("number", "moment", "calls", "step"),
    [
        pytest.param(signal.SIGKILL, "compare", 1, 4, id="killed in the first"),
        pytest.param(signal.SIGKILL, "compare", 3, 10, id="killed in the last"),
        pytest.param(signal.SIGKILL, "write", 2, 4, id="killed before the best is written"),
        pytest.param(signal.SIGKILL, "write", 3, 4, id="killed before the evaluation is saved"),
        pytest.param(signal.SIGTERM, "compare", 1, 4, id="terminated in the first"),
        pytest.param(signal.SIGTERM, "compare", 3, 10, id="terminated in the last"),
        pytest.param(signal.SIGTERM, "write", 2, 4, id="terminated in the best's writing"),
        pytest.param(signal.SIGUSR1, "compare", 2, 8, id="warned in the second"),
    ],
)
def test_a_signal_in_an_evaluation_loses_nothing(
    number: signal.Signals,
    moment: str,
    calls: int,
    step: int,
    warm: Warm,
    uninterrupted: Path,
    tmp_path: Path,
) -> None:
    code, _, err = warm.finish(tmp_path, *WORDS, signal_itself(tmp_path, moment, calls, number))
    if number == signal.SIGUSR1:
        assert (code, err) == (0, "")
    else:
        assert code == (-9 if number == signal.SIGKILL else 128 + number)
        code, out, err = warm.finish(tmp_path, *WORDS)
        assert (code, err) == (0, "")
        assert f"resumed at step {step}," in out
    (tmp_path / "moment.py").unlink()
    assert traces(tmp_path / RUN) == traces(uninterrupted)
    assert same_best(tmp_path / RUN, uninterrupted)
    assert files(tmp_path / "outputs") == files(uninterrupted.parent)


def test_an_evaluation_left_over_is_passed_over_where_none_is_wanted_any_more(warm: Warm, tmp_path: Path) -> None:
    assert warm.finish(tmp_path, *WORDS, signal_itself(tmp_path, "compare", 3, signal.SIGKILL))[0] == -9
    assert "is complete" in warm.finish(tmp_path, "resume", str(RUN), "evaluate.every=0")[1]
    assert list(found(tmp_path / RUN)) == [4, 8]
    code, out, _ = warm.finish(tmp_path, "resume", str(RUN))
    assert code == 0
    assert "step 10: fid " in out
    assert list(found(tmp_path / RUN)) == EVALUATED


def test_a_damaged_best_is_said_and_written_anew(warm: Warm, uninterrupted: Path, tmp_path: Path) -> None:
    assert warm.finish(tmp_path, *WORDS, "train.steps=4")[0] == 0
    path = tmp_path / RUN / "checkpoints/best.safetensors"
    path.write_bytes(path.read_bytes()[:1000])
    code, out, err = warm.finish(tmp_path, *WORDS)
    assert (code, err) == (0, "")
    assert "the next evaluation writes it anew" in out
    assert best(tmp_path / RUN).header.step in EVALUATED[1:]


def test_a_best_with_a_damaged_weight_is_written_anew(warm: Warm, tmp_path: Path) -> None:
    assert warm.finish(tmp_path, *WORDS, "train.steps=4")[0] == 0
    path = tmp_path / RUN / "checkpoints/best.safetensors"
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)
    code, out, err = warm.finish(tmp_path, *WORDS)
    assert (code, err) == (0, "")
    assert "is damaged" in out
    best(tmp_path / RUN)


def test_the_best_of_another_run_is_refused_and_kept(warm: Warm, uninterrupted: Path, tmp_path: Path) -> None:
    assert warm.finish(tmp_path, *WORDS, "train.steps=4", "optimizer.lr=3e-4")[0] == 0
    path = tmp_path / RUN / "checkpoints/best.safetensors"
    foreign = (uninterrupted / "checkpoints/best.safetensors").read_bytes()
    path.write_bytes(foreign)
    code, _, err = warm.finish(tmp_path, *WORDS, "optimizer.lr=3e-4")
    assert code == 2
    assert f"{RUN}/checkpoints/best.safetensors: is of a run with another config: optimizer." in err
    assert "optimizer.lr (0.0004 there, 0.0003 here); move it elsewhere" in err
    assert path.read_bytes() == foreign


def test_a_best_that_was_measured_in_another_way_gives_way_and_that_is_said(warm: Warm, tmp_path: Path) -> None:
    assert warm.finish(tmp_path, *WORDS, "train.steps=4")[0] == 0
    code, out, err = warm.finish(tmp_path, *WORDS, "train.steps=8", "evaluate.num=200")
    assert (code, err) == (0, "")
    assert out.count("the best so far; the one kept before was measured in another way") == 1
    assert best(tmp_path / RUN).header.step == 8


OVERFLOWING = """\
import torch
from ganctl.metrics import Samples
from ganctl.runs import evaluation

whole = evaluation.drawn

def overflowing(*arguments):
    samples = whole(*arguments)
    read = lambda start, stop: torch.full((stop - start, 2), torch.inf)
    return Samples(samples.count, samples.space, read)

evaluation.drawn = overflowing
"""
"""A plugin by which a generator draws infinite points while its weights are finite."""


def test_samples_that_overflow_are_no_best(warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "overflowing.py").write_text(OVERFLOWING)
    points = ["data=ring", "model=mlp", "metric=[fid]", "metric/features=raw", "evaluate.num=50"]
    short = ["evaluate.every=2", "train.steps=2", "name=run", "device=cpu", "plugins=[overflowing]"]
    code, out, err = warm.finish(tmp_path, "train", *points, *short)
    assert (code, err) == (0, "")
    assert "step 2: fid nan (real " in out
    assert not (tmp_path / RUN / "checkpoints/best.safetensors").exists()


def test_metrics_that_are_best_where_they_are_like_real_choose_nothing(cli: Cli, workspace: Path) -> None:
    words = [*TINY, "evaluate.every=1", "train.steps=1", "evaluate.num=100", "metric/features=raw"]
    outcome = cli("train", *words, "metric=[nearest_neighbour]", "evaluate.best=nearest_neighbour")
    assert outcome.code == 2
    assert "evaluate.best: nearest_neighbour is good where it is like that of real samples" in outcome.err
    assert cli("train", *words, "metric=[nearest_neighbour]").code == 0
    assert not Path("outputs/run/checkpoints/best.safetensors").exists()


def test_points_are_evaluated_by_their_own_metrics(cli: Cli, workspace: Path) -> None:
    points = ["data=ring", "model=mlp", "metric=[mixture_modes]", "metric/features=raw", "evaluate.every=2"]
    outcome = cli("train", *points, "evaluate.num=50", "train.steps=4", "name=points", "device=cpu")
    assert (outcome.code, outcome.err) == (0, "")
    assert "modes " in outcome.out


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["evaluate.best=kdi"], "evaluate.best: kdi is not computed (did you mean 'kid'?)"),
        (["metric=[]"], "evaluate.every: nothing to compute; give metric=[fid]"),
        (["evaluate.num=50"], "metric.fid: 50 samples are too few"),
        (["data=ring", "model=mlp", "metric/features=classifier"], "metric/features: classifier looks at"),
        (["metric=[inception_score]"], "metric.inception_score: reads classes"),
    ],
)
def test_what_cannot_be_evaluated_is_one_line_before_anything_is_written(
    words: list[str], line: str, cli: Cli, workspace: Path
) -> None:
    changed = {word.partition("=")[0] for word in words}
    without_kid = {"metric.kid.size", "metric.kid.subsets"} if "metric" in changed else set()
    group = [word for word in EVALUATING if word.partition("=")[0] not in changed | without_kid]
    shared = [word for word in TINY if not word.startswith(("model.", "data.")) or "data=ring" not in words]
    outcome = cli("train", *shared, *group, *words)
    assert outcome.code in (2, 3)
    assert line in outcome.err
    assert outcome.err.count("\n") == 1
    assert not Path("outputs/run").exists()


def test_the_best_of_what_has_none_is_one_line(cli: Cli, trained: Path) -> None:
    outcome = cli("sample", "ckpt=outputs/run", "which=best")
    assert outcome.code == 4
    assert "outputs/run: keeps no best checkpoint; train with evaluate.every" in outcome.err
    (file,) = Path("outputs/run/checkpoints").glob("*.safetensors")
    outcome = cli("sample", f"ckpt={file}", "which=best")
    assert outcome.code == 2
    assert "which: chooses within a run folder" in outcome.err


def test_scores_compare_only_where_they_were_measured_alike() -> None:
    low, high = Score(by="fid", value=1.0, better="lower"), Score(by="fid", value=2.0, better="lower")
    assert low.beats(high)
    assert not high.beats(low)
    assert low.beats(low)
    assert high.beats(None)
    assert high.beats(Score(by="kid", value=0.1, better="lower"))
    many, few = Score(by="modes", value=8.0, better="higher"), Score(by="modes", value=3.0, better="higher")
    assert many.beats(few)
    assert not few.beats(many)
