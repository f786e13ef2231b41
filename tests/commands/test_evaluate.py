"""ganctl evaluate: what it prints and writes, and what it refuses."""

import json
import math
import os
import threading
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganctl.command_line import explain
from ganctl.commands.measuring import results as module
from ganctl.metrics import EXTRACTORS, METRICS
from tests.conftest import Cli, contents

RAW = ["evaluate", "ckpt=outputs/run", "metric/features=raw", "device=cpu", "num=40"]
MODES = [*RAW, "metric=[mixture_modes]"]


NESTED = '{"evaluations": [{"step": ' + "[" * 500 + "]" * 500 + "}]}"


def written(folder: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "evaluation.json").read_text())["evaluations"]
    return found


def test_a_run_on_points_is_measured_beside_its_floor(trained: Path, cli: Cli) -> None:
    outcome = cli(*MODES, "seeds=[0,1,2]")
    assert (outcome.code, outcome.err) == (0, "")
    assert "step 1: 40 samples a seed against 16 of ring, by raw" in outcome.out
    assert "real vs real: 8 of these against the other 8" in outcome.out
    assert "written to outputs/run/evaluation.json" in outcome.out
    (result,) = written(trained / "outputs/run")
    numbers = result["numbers"]["mixture_modes"]
    assert set(numbers) >= {"modes", "high_quality", "reverse_kl"}
    for number in numbers.values():
        assert len(number["values"]) == 3
        assert number["mean"] == pytest.approx(sum(number["values"]) / 3)
        assert number["half_width"] >= 0
        assert number["floor"] is not None
    assert result["reference"]["count"] == 16
    assert result["floor"] == {"count": 8, "reference": 8}
    assert result["step"] == 1


def test_the_same_question_replaces_its_answer_and_another_is_added(trained: Path, cli: Cli) -> None:
    for words in ([], [], ["seeds=[5]"], ["floor=false", "metric=[fid]"]):
        assert cli(*MODES, *words).code == 0
    first, other, distance = written(trained / "outputs/run")
    assert first["asked"]["seeds"] == [0]
    assert other["asked"]["seeds"] == [5]
    assert distance["numbers"]["fid"]["fid"]["floor"] is None
    assert cli(*MODES).code == 0
    again = next(each for each in written(trained / "outputs/run") if each["asked"] == first["asked"])
    assert again["numbers"] == first["numbers"]
    for words in (["floor=false"], ["device.precision=fp64"]):
        assert cli(*MODES, *words).code == 0
    assert len(written(trained / "outputs/run")) == 5


@pytest.mark.parametrize("content", ["", "[]", '{"evaluations": [1]}', "[" * 5000, NESTED])
def test_a_damaged_file_is_kept_aside(content: str, trained: Path, cli: Cli) -> None:
    path = trained / "outputs/run/evaluation.json"
    path.write_text(content)
    outcome = cli(*MODES)
    assert (outcome.code, outcome.err) == (0, "")
    assert "evaluation.json: holds no evaluations; it is kept as evaluation.json.damaged" in outcome.out
    assert path.with_name("evaluation.json.damaged").read_text() == content
    assert len(written(trained / "outputs/run")) == 1


def test_a_pipe_in_the_place_of_the_file_is_kept_aside_and_never_opened(trained: Path, cli: Cli) -> None:
    os.mkfifo(trained / "outputs/run/evaluation.json")
    outcome = cli(*MODES)
    assert (outcome.code, outcome.err) == (0, "")
    assert "holds no evaluations" in outcome.out
    assert len(written(trained / "outputs/run")) == 1


def test_neither_other_seeds_nor_how_many_samples_are_drawn_at_once_matter(trained: Path, cli: Cli) -> None:
    for seed in (0, 1):
        assert cli(*RAW, "metric=[fid]", "floor=false", f"seeds=[{seed}]", "batch_size=40").code == 0
    assert cli(*RAW, "metric=[fid]", "floor=false", "seeds=[0,1]", "batch_size=7").code == 0
    alone, other, both = (each["numbers"]["fid"]["fid"]["values"] for each in written(trained / "outputs/run"))
    assert both == pytest.approx([*alone, *other], rel=1e-5)


def test_a_metric_without_a_floor_is_measured_and_that_is_said(trained: Path, cli: Cli) -> None:
    outcome = cli(*RAW, "metric=[kid,fid]", "metric.kid.size=12", "metric.kid.subsets=2")
    assert (outcome.code, outcome.err) == (0, "")
    assert "not real vs real: metric.kid: 8 samples are too few for subsets of metric.kid.size=12" in outcome.out
    (result,) = written(trained / "outputs/run")
    assert result["numbers"]["kid"]["kid"]["floor"] is None
    assert result["numbers"]["fid"]["fid"]["floor"] > 0


def test_what_was_measured_is_shown_also_where_it_cannot_be_written(
    trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganctl.commands.measuring.results.write_whole", full)
    outcome = cli(*MODES)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "evaluation.json: cannot be written (No space left on device); make room on the disk" in outcome.err
    assert "high_quality" in outcome.out


def test_numbers_that_are_not_finite_are_null(trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganctl.metrics.modes.divergence", lambda *_: math.nan)
    assert cli(*MODES).code == 0
    number = written(trained / "outputs/run")[0]["numbers"]["mixture_modes"]["reverse_kl"]
    assert number == {"mean": None, "half_width": None, "values": [None], "floor": None}


def test_pictures_are_measured_by_a_classifier_of_their_own_labels(workspace: Path, cli: Cli) -> None:
    small = ["model.generator.width=2", "model.discriminator.width=2", "data.resolution=8", "device=cpu"]
    assert cli("train", *small, "train.steps=1", "train.batch_size=4", "sample.every=0", "name=run").code == 0
    words = ["evaluate", "ckpt=outputs/run", "num=60", "features.steps=3", "features.width=2", "device=cpu"]
    outcome = cli(*words, "metric=[fid,mode_count]")
    assert (outcome.code, outcome.err) == (0, "")
    assert "of held-out images right" in outcome.out
    (result,) = written(workspace / "outputs/run")
    assert result["features"]["classes"] == 10
    assert result["reference"] == {
        "data": "digits",
        "split": "all",
        "fingerprint": result["reference"]["fingerprint"],
        "count": 1797,
    }
    assert result["numbers"]["fid"]["fid"]["mean"] > 0


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["metric=[kid]"], 2, "metric.kid: "),
        (["metric=[fid]", "metric/features=classifier"], 2, "the data is points of 2 dimensions; take metric/fe"),
        (["metric=[mode_count]"], 2, "metric.mode_count: "),
        (["metric=[]"], 2, "metric: must have at least 1 values"),
        (["metric=fidd"], 2, "metric: there is no 'fidd' (did you mean 'fid'?)"),
        (["seeds=[]"], 2, "seeds: must be a number, a range such as 0-63"),
        (["num=1"], 2, "num: must be at least 2"),
        (["seeds=[0,1,0]"], 2, "seeds: must differ from each other"),
        (["out=outputs/run/config.yaml/it.json"], 2, "config.yaml/it.json: cannot be written ("),
        (["out=outputs/run/config.yaml"], 2, "out: outputs/run/config.yaml is there and holds no evaluations; ch"),
        (["ckpt=outputs/ru"], 4, "no run folder (it has no config.yaml) (did you mean 'run'?)"),
    ],
)
def test_what_cannot_be_measured_is_told_in_one_line(
    words: list[str], code: int, told: str, trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(trained / "outputs")
    monkeypatch.setattr("ganctl.metrics.comparison.collect", None)  # refused before anything is computed
    outcome = cli(*MODES, *words)
    assert outcome.code == code
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert contents(trained / "outputs") == before


def test_other_data_than_the_generator_was_trained_on_is_refused(
    trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganctl.data.store.Store.fingerprint", "other")
    outcome = cli(*MODES)
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert "step-00000001.safetensors was trained on it, or is read in another way; restore it" in outcome.err


def test_the_help_lists_every_metric_and_extractor(cli: Cli) -> None:
    out = " ".join(cli("evaluate", "--help").out.split())
    assert f" metric: {', '.join(sorted(METRICS))} metric/features: " in out
    assert f" metric/features: {', '.join(sorted(EXTRACTORS))} device: " in out
    assert " model: " not in out
    defaults = yaml.safe_load((explain.config_folder() / "evaluate.yaml").read_text())["defaults"]
    assert {"metric": ["fid"]} in defaults


def test_two_evaluations_that_end_together_are_both_written(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = trained / "outputs/run/evaluation.json"
    asked, free = threading.Event(), threading.Event()
    write = module.write_whole

    def slow(place: Path, content: bytes) -> None:
        asked.set()
        assert free.wait(60)
        write(place, content)

    def result(step: int) -> dict[str, Any]:
        return {"checkpoint": "step", "step": step, "asked": {}, "precision": "fp32", "numbers": {}}

    monkeypatch.setattr(module, "write_whole", slow)
    threads = [threading.Thread(target=module.add, args=(path, result(step))) for step in (1, 2)]
    threads[0].start()
    assert asked.wait(60)
    threads[1].start()  # which waits until the first has written, and would otherwise have read nothing
    free.set()
    for thread in threads:
        thread.join()
    assert [each["step"] for each in written(path.parent)] == [1, 2]


def test_labels_beyond_the_classes_are_refused_in_one_line(cli: Cli, workspace: Path) -> None:
    raw = workspace / "MNIST/raw"
    raw.mkdir(parents=True)
    for name, shape in (("images-idx3", (20, 28, 28)), ("labels-idx1", (20,))):
        head = bytes([0, 0, 8, len(shape)]) + b"".join(size.to_bytes(4, "big") for size in shape)
        (raw / f"train-{name}-ubyte").write_bytes(head + bytes([200]) * math.prod(shape))
    outcome = cli("train", "data=mnist", "data.root=.", "data.download=false", "train.steps=1")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert "MNIST has 10 classes, but labels up to 200" in outcome.err
