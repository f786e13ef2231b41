"""What a run's folder tells, whatever is in it: the status above all, and that nothing is raised."""

import json
import os
from pathlib import Path

import pytest

from ganctl.checkpoints.untrusted import PlainLoader, QuickLoader, read_yaml
from ganctl.errors import CheckpointError
from ganctl.folders.records import ENDED, RunRecord, records_in
from tests.written_runs import NOBODY, evaluation, row, trained_in, write_best, written


@pytest.mark.parametrize("status", ENDED)
def test_how_a_run_ended_is_what_its_process_wrote(status: str, tmp_path: Path) -> None:
    assert RunRecord(written(tmp_path / "run", status)).status == status


@pytest.mark.parametrize("status", ["running", "stopped", "complete", None])
def test_a_run_is_running_while_its_process_lives_and_holds_the_lock(status: str | None, tmp_path: Path) -> None:
    run = written(tmp_path / "run", status, 40, process=os.getpid())
    with trained_in(run):
        assert RunRecord(run).status == "running"
    assert RunRecord(run).status == (status if status in ENDED else "interrupted")


def test_a_killed_run_is_interrupted_and_one_of_another_machine_is_told_as_such(tmp_path: Path) -> None:
    assert RunRecord(written(tmp_path / "killed", "running", 40, process=NOBODY)).status == "interrupted"
    other = RunRecord(written(tmp_path / "other", "running", 40, host="far-away"))
    assert (other.status, other.going_on, other.owner) == ("elsewhere", True, f"process {NOBODY} on far-away")


def test_progress_is_that_of_the_last_whole_line_of_the_log(tmp_path: Path) -> None:
    run = written(tmp_path / "run", "running", 40, process=os.getpid())
    with (run / "metrics.jsonl").open("a") as log:
        log.write(row(50) + '{"step": 60, "ima')
    with trained_in(run):
        record = RunRecord(run)
    assert (record.step, record.steps, record.progress, record.saved) == (50, 100, 0.5, 40)
    assert record.seconds_left == 50 * 10 / 50
    assert record.faults == []


def test_the_last_evaluation_of_training_is_found_among_rows_of_training(tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    with (run / "metrics.jsonl").open("a") as log:
        log.write('{"step": 100, "evaluate/fid/fid": 3.5, "evaluate/fid/fid/floor": 0.5}\n')
        log.write(row(100))
    record = RunRecord(run)
    assert record.evaluated == {"step": 100, "evaluate/fid/fid": 3.5, "evaluate/fid/fid/floor": 0.5}
    assert record.numbers["loss/generator"] == 1.5


def test_the_best_score_and_the_evaluations_are_those_that_were_written(tmp_path: Path) -> None:
    run = written(tmp_path / "run", evaluations=[evaluation(5.0), evaluation(4.0, num=600)])
    write_best(run)
    record = RunRecord(run)
    assert record.best is not None
    assert (record.best.number, record.best.value, record.best.step) == ("fid", 4.5, 50)
    assert [(each.value, each.half_width, each.num) for each in record.evaluations] == [
        (5.0, 0.25, 60),
        (4.0, 0.25, 600),
    ]
    assert len({each.question for each in record.evaluations}) == 2


def test_a_real_run_is_read_as_it_was_trained(trained: Path) -> None:
    record = RunRecord(Path("outputs/run"))
    assert (record.status, record.step, record.steps, record.faults) == ("complete", 1, 1, [])
    assert record.settings["model.name"] == "mlp"
    assert [name for name, _ in record.checkpoints()] == ["step-00000001.safetensors"]
    assert record.config == read_yaml(Path("outputs/run/config.yaml"))


DAMAGE = {
    "run.json": [b"", b"{", b"[1]", b"\xff", b'{"status": "odd"}', b'{"status": ["x"], "host": 3}', b"[" * 999],
    "config.yaml": [
        b"",
        b"a: [",
        b"\xff",
        b"- 1",
        b"a: !!python/name:os.system",
        b"a: &x [1]\nb: *x",
        b"[" * 2000,
    ],
    "metrics.jsonl": [
        b"",
        b"\n\n",
        b'{"step"',
        b"\xff\xfe\n",
        b"[]\n",
        b'{"step": 1e999, "images": "x"}\n',
        b"[" * 99,
    ],
    "evaluation.json": [
        *(b"", b"{", b"[]", b'{"evaluations": 3}', b'{"evaluations": [3, {}, {"numbers": {"a": 3}}]}'),
        b'{"evaluations": [{"asked": 3, "numbers": {"a": {"b": {"mean": NaN}}}, "features": []}]}',
    ],
    "checkpoints/best.safetensors": [b"", b"\xff" * 8, b"\2\0\0\0\0\0\0\0{}", b"\2\0\0\0\0\0\0\0[]"],
    "run.log": [b"\xff\n", b"x"],
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_raises_nothing_and_spoils_nothing_else(name: str, tmp_path: Path) -> None:
    for number, content in enumerate(DAMAGE[name]):
        run = written(tmp_path / str(number), evaluations=[evaluation(5.0)])
        write_best(run)
        (run / name).write_bytes(content)
        record = RunRecord(run)
        record.health()
        json.dumps(record.config, allow_nan=False)
        assert record.status == ("damaged" if name == "run.json" else "complete"), content
        assert (record.best is None) == (name == "checkpoints/best.safetensors")
        assert bool(record.evaluations) == (name != "evaluation.json")
        assert bool(record.config) == (name != "config.yaml")
        if name in ("run.json", "config.yaml", "checkpoints/best.safetensors"):
            assert len(record.faults) == 1
            assert name.rpartition("/")[2] in record.faults[0]


def test_what_is_no_regular_file_is_not_waited_for(tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    for name in ("run.json", "metrics.jsonl", "config.yaml"):
        (run / name).unlink()
        os.mkfifo(run / name)
    record = RunRecord(run)
    assert record.status == "damaged"
    assert len(record.faults) == 2


def test_a_folder_with_a_config_alone_is_damaged(tmp_path: Path) -> None:
    run = written(tmp_path / "run")
    (run / "run.json").unlink()
    record = RunRecord(run)
    assert (record.status, record.faults) == ("damaged", ["run.json: is missing or empty"])
    assert record.settings["loss.name"] == "hinge"


def test_runs_are_found_in_a_folder_and_those_below_it_and_the_newest_is_last(tmp_path: Path) -> None:
    for age, name in enumerate(["c", "group/b", "a"]):
        run = written(tmp_path / name)
        for path in run.iterdir():
            os.utime(path, (1e9 - age, 1e9 - age))
    for name in ("images", "sweep-1234", ".hidden"):
        (tmp_path / name).mkdir()
    (tmp_path / "sweep-1234/sweep.csv").write_text("job\n")
    (tmp_path / "dangling").symlink_to("nowhere")
    found, others = records_in(tmp_path)
    assert [record.name for record in found] == ["a", "group/b", "c"]
    assert others == 2
    assert [record.name for record in records_in(tmp_path / "a")[0]] == ["a"]


def test_both_loaders_read_the_same(trained: Path) -> None:
    path = trained / "outputs/run/config.yaml"
    assert read_yaml(path, QuickLoader) == read_yaml(path, PlainLoader)
    for text in (
        "a: on\nb: 1e3\nc: 2020-01-01\nd: '1'\ne: 0x10\nf: '<<'\ng: a&b\n",
        "a: {b: [1, 2.5, null, true]}",
    ):
        path.write_text(text)
        assert read_yaml(path, QuickLoader) == read_yaml(path, PlainLoader)
    for text in ("a: &b [1]\nc: *b\n", "<<: &b {a: 1}\nc: *b\n", f"a: {'[' * 100}{']' * 100}"):
        path.write_text(text)
        with pytest.raises(CheckpointError, match=r"config\.yaml"):
            read_yaml(path, QuickLoader)
