"""A run is never lost: killed or stopped and started again, it ends as if it had never been interrupted."""

import json
import os
import platform
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.config import CheckpointConfig
from ganctl.errors import ConfigError
from ganctl.folders.run_folder import RunFolder
from ganctl.loggers.parts.tags import tag
from scripts.soaks.parts import DATA, prepare
from scripts.soaks.traces import WALL_CLOCK, events, files, last_step, numbers, start, traces
from scripts.soaks.warm import Warm
from tests.behaviours.runs import TINY, finish, kill, wait_for, wait_for_step

FORTY = [
    "train",
    *TINY,
    "train.steps=40",
    "logging.every=1",
    "sample.every=10",
    "checkpoint.every=5",
    "model.discriminator.dropout=0.2",
]
RUN = Path("outputs/run")


@pytest.fixture(scope="module")
def uninterrupted(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    code, _, err = warm.finish(folder, *FORTY)
    assert code == 0, err
    return folder / RUN


@pytest.mark.parametrize("steps", [[17], [2, 23]], ids=str)
def test_killed_at_any_step_and_started_again_it_ends_bit_for_bit_the_same(
    steps: list[int], warm: Warm, uninterrupted: Path, tmp_path: Path
) -> None:
    for step in steps:
        process = warm.start(tmp_path, *FORTY)
        wait_for_step(process, tmp_path / RUN, step)
        kill(process)
        assert step <= last_step(tmp_path / RUN) < 40
    code, out, err = finish(tmp_path, *FORTY)
    assert code == 0, err
    assert "resumed at step" in out
    assert traces(tmp_path / RUN) == traces(uninterrupted)


def test_a_run_on_a_file_of_decoded_pictures_ends_as_one_on_pictures_in_memory(warm: Warm, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    noise = np.random.default_rng(0)
    for number in range(11):
        pixels = noise.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "pictures" / f"{number}.png")
    words = [*FORTY, "data=folder", f"data.path={tmp_path / 'pictures'}", "data.resolution=8"]
    for place in ("memory", "file"):
        (tmp_path / place).mkdir()
    code, _, err = warm.finish(tmp_path / "memory", *words, "data.cache=null")
    assert code == 0, err
    process = warm.start(tmp_path / "file", *words, "data.cache=cache")
    wait_for_step(process, tmp_path / "file" / RUN, 17)
    kill(process)
    code, out, err = warm.finish(tmp_path / "file", *words, "data.cache=cache")
    assert code == 0, err
    assert "resumed at step" in out
    assert len(list((tmp_path / "file/cache/pictures").glob("*/samples.npy"))) == 1
    assert traces(tmp_path / "file" / RUN) == traces(tmp_path / "memory" / RUN)


def test_killed_while_it_loads_and_right_after_its_last_save_a_run_in_bf16_from_a_file_ends_the_same(
    warm: Warm, tmp_path: Path
) -> None:
    words = [*FORTY, *DATA["folder"].split(), "device.precision=bf16"]
    for name in ("whole", "killed"):
        (tmp_path / name).mkdir()
        prepare(tmp_path / name)
    assert warm.run(tmp_path / "whole", *words).code == 0
    killed = tmp_path / "killed"
    last = killed / RUN / "checkpoints/step-00000040.safetensors"
    for moment in ((killed / "cache").exists, (killed / RUN / "run.json").exists, last.exists):
        process = warm.start(killed, *words)
        wait_for(process, moment, "the moment")
        kill(process)
    code, out, err = warm.finish(killed, *words)
    assert code == 0, err
    assert "complete: 40 steps" in out
    assert traces(killed / RUN) == traces(tmp_path / "whole" / RUN)
    assert files(killed / "outputs") == files(tmp_path / "whole/outputs")
    assert json.loads((killed / RUN / "run.json").read_text())["status"] == "complete"


def test_the_share_of_time_spent_waiting_for_data_is_logged(uninterrupted: Path) -> None:
    rows = [json.loads(line) for line in (uninterrupted / "metrics.jsonl").read_text().splitlines()]
    assert all(0 < row["data_wait"] < 1 for row in rows)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_and_exits_and_the_run_still_ends_the_same(
    warm: Warm, number: signal.Signals, uninterrupted: Path, tmp_path: Path
) -> None:
    process = warm.start(tmp_path, *FORTY)
    wait_for_step(process, tmp_path / RUN, 7)
    process.send_signal(number)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 128 + number
    assert err.count("\n") == 1
    assert number.name in err
    stopped = last_step(tmp_path / RUN)
    assert (tmp_path / RUN / f"checkpoints/step-{stopped:08d}.safetensors").exists()
    assert json.loads((tmp_path / RUN / "run.json").read_text())["status"] == "stopped"
    code, _, err = warm.finish(tmp_path, *FORTY)
    assert code == 0, err
    assert traces(tmp_path / RUN) == traces(uninterrupted)


def test_the_same_command_after_the_end_says_so_and_changes_nothing(warm: Warm, uninterrupted: Path) -> None:
    before = traces(uninterrupted)
    code, out, _ = warm.finish(uninterrupted.parent.parent, *FORTY)
    assert code == 0
    assert "complete: 40 steps" in out
    assert traces(uninterrupted) == before


def test_more_steps_go_on_and_equal_a_run_of_that_length(warm: Warm, uninterrupted: Path, tmp_path: Path) -> None:
    twenty = [word.replace("train.steps=40", "train.steps=20") for word in FORTY]
    assert warm.finish(tmp_path, *twenty)[0] == 0
    code, out, err = warm.finish(tmp_path, "resume", str(RUN), "train.steps=40")
    assert code == 0, err
    assert "resumed at step 20" in out
    assert traces(tmp_path / RUN) == traces(uninterrupted)


def test_a_damaged_newest_checkpoint_is_named_and_passed_over(
    warm: Warm, uninterrupted: Path, tmp_path: Path
) -> None:
    twenty = [word.replace("train.steps=40", "train.steps=20") for word in FORTY]
    assert warm.finish(tmp_path, *twenty)[0] == 0
    newest = tmp_path / RUN / "checkpoints/step-00000020.safetensors"
    damaged = bytearray(newest.read_bytes())
    damaged[-10] ^= 1
    newest.write_bytes(damaged)
    code, out, err = warm.finish(tmp_path, *FORTY)
    assert code == 0, err
    assert "damaged" in out
    assert newest.name in out
    assert "resumed at step 15" in out
    assert traces(tmp_path / RUN) == traces(uninterrupted)


def test_a_run_whose_checkpoints_are_all_damaged_is_refused_and_kept(warm: Warm, tmp_path: Path) -> None:
    twenty = [word.replace("train.steps=40", "train.steps=20") for word in FORTY]
    assert warm.finish(tmp_path, *twenty)[0] == 0
    files = sorted((tmp_path / RUN / "checkpoints").iterdir())
    for path in files:
        path.write_bytes(path.read_bytes()[:-1])
    before = {path: path.read_bytes() for path in files}
    code, _, err = warm.finish(tmp_path, *FORTY)
    assert code == 4
    assert "none of the checkpoints is intact" in err
    assert {path: path.read_bytes() for path in files} == before


def test_another_config_under_the_same_name_is_refused_with_the_keys_that_differ(
    warm: Warm, uninterrupted: Path
) -> None:
    code, _, err = warm.finish(uninterrupted.parent.parent, *FORTY, "optimizer.generator.lr=1e-3", "seed=5")
    assert code == 2
    assert "optimizer.generator.lr (0.0004 there, 0.001 here)" in err
    assert "seed (0 there, 5 here)" in err


def test_metrics_have_one_line_a_logged_step_with_the_documented_keys(uninterrupted: Path) -> None:
    rows = numbers(uninterrupted)
    assert [row["step"] for row in rows] == list(range(1, 41))
    assert {
        "step",
        "images",
        "loss/generator",
        "loss/discriminator",
        "term/generator/adversarial",
        "term/discriminator/adversarial",
        "term/discriminator/r1",
        "logits/real",
        "logits/fake",
        "probability/real",
        "probability/fake",
        "accuracy",
        "health/separation",
        "health/generator_gradient",
        "health/diversity",
        "gradient_norm/generator",
        "gradient_norm/discriminator",
        "learning_rate/generator",
        "learning_rate/discriminator",
    } == rows[0].keys()
    assert rows[9]["images"] == 40


def test_tensorboard_reads_back_the_same_numbers_pictures_and_config(uninterrupted: Path) -> None:
    board = events(uninterrupted)
    tags = board.Tags()
    rows = numbers(uninterrupted)
    assert set(tags["scalars"]) == set(map(tag, (rows[0].keys() - {"step"}) | WALL_CLOCK))
    for key in rows[0].keys() - {"step"}:
        read = board.Scalars(tag(key))
        assert [event.step for event in read] == [row["step"] for row in rows]
        assert [event.value for event in read] == pytest.approx([row[key] for row in rows], rel=1e-6)
    assert [event.step for event in board.Images("samples")] == [10, 20, 30, 40]
    for event in board.Images("samples"):
        assert (event.width, event.height) == (22, 22)
    assert {"config/text_summary", "_hparams_/experiment", "_hparams_/session_start_info"} <= {
        *tags["tensors"],
        *tags.get("distributions", []),
        *board.summary_metadata,
    }
    text = board.Tensors("config/text_summary")[0].tensor_proto.string_val[0].decode()
    assert "name: dcgan" in text


def test_a_run_folder_holds_what_the_design_lists(uninterrupted: Path) -> None:
    names = {path.name for path in uninterrupted.iterdir()}
    events_file = {name for name in names if name.startswith("events.out.tfevents")}
    assert names - events_file == {
        ".lock",
        "checkpoints",
        "samples",
        "config.yaml",
        "metrics.jsonl",
        "run.json",
        "run.log",
    }
    assert len(events_file) == 1
    assert sorted(path.name for path in (uninterrupted / "checkpoints").iterdir()) == [
        "step-00000035.safetensors",
        "step-00000040.safetensors",
    ]
    assert (uninterrupted.parent / ".latest").read_text() == f"{uninterrupted.name}\n"
    status = json.loads((uninterrupted / "run.json").read_text())
    assert (status["status"], status["step"], status["not_bit_exact"]) == ("complete", 40, [])


def test_checkpoints_can_be_read_by_whom_the_umask_lets_read(uninterrupted: Path) -> None:
    (newest,) = (uninterrupted / "checkpoints").glob("*40.safetensors")
    assert newest.stat().st_mode == (uninterrupted / "config.yaml").stat().st_mode


def test_a_second_process_on_the_same_run_is_told_who_trains_in_it(warm: Warm, tmp_path: Path) -> None:
    process = warm.start(tmp_path, *FORTY, "train.steps=100000")
    try:
        wait_for_step(process, tmp_path / RUN, 2)
        code, _, err = warm.finish(tmp_path, *FORTY, "train.steps=100000")
        assert code == 2
        assert f"process {process.pid} on {platform.node()} is training in it" in err
        assert process.poll() is None
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=20)
    assert process.returncode == 143


def test_a_run_folder_is_free_again_after_the_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    with folder.locked(), pytest.raises(ConfigError, match="is training in it"), RunFolder(tmp_path).locked():
        pass
    with RunFolder(tmp_path).locked():
        assert folder.read_status()["process"] == os.getpid()


def test_a_lost_terminal_does_not_stop_the_run(uninterrupted: Path, tmp_path: Path) -> None:
    process = start(tmp_path, *FORTY)
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert traces(tmp_path / RUN) == traces(uninterrupted)


def test_keeping_one_checkpoint_never_removes_the_one_just_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.checkpoints.path.mkdir()
    for step in (400, 500, 800):
        folder.checkpoints.path_of(step).touch()
    folder.checkpoints.prune(CheckpointConfig(every=5, keep=1, keep_every=0), step=500)
    assert [path.name for path in folder.checkpoints.files()] == [
        "step-00000800.safetensors",
        "step-00000500.safetensors",
    ]


def test_a_checkpoint_of_another_run_is_refused(warm: Warm, uninterrupted: Path, tmp_path: Path) -> None:
    other = [*FORTY, "seed=7", "train.steps=5"]
    assert warm.finish(tmp_path, *other)[0] == 0
    shutil.copy(uninterrupted / "checkpoints/step-00000035.safetensors", tmp_path / RUN / "checkpoints")
    code, _, err = warm.finish(tmp_path, *[word for word in other if not word.startswith("train.steps")])
    assert code == 2
    assert "seed (0 there, 7 here)" in err


def test_other_pictures_under_the_same_run_are_refused_before_anything_changes(warm: Warm, tmp_path: Path) -> None:
    for name, colour in (("cats", "red"), ("dogs", "blue")):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.new("RGB", (8, 8), colour).save(tmp_path / name / f"{number}.png")
    words = [word for word in FORTY if not word.startswith("train.steps")]
    words += ["train.steps=2", "data=folder", "data.resolution=8"]
    assert warm.finish(tmp_path, *words, "data.path=cats")[0] == 0
    before = (tmp_path / RUN / "config.yaml").read_text()
    code, _, err = warm.finish(tmp_path, *words, "data.path=dogs")
    assert code == 3
    assert "outputs/run was trained on cats, and dogs holds other samples" in err
    assert (tmp_path / RUN / "config.yaml").read_text() == before
    (tmp_path / "cats").rename(tmp_path / "felines")
    code, _, err = warm.finish(tmp_path, *words, "data.path=felines")
    assert (code, err) == (0, "")
