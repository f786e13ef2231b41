"""What a job's process takes of the machine."""

from pathlib import Path

import pytest
from filelock import FileLock
from torch import cuda

from ganctl.sweeps import worker


@pytest.fixture(autouse=True)
def _nothing_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_shares", {})
    for name in ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


@pytest.mark.parametrize(("cores", "count", "threads"), [(8, 2, "4"), (8, 3, "2"), (2, 4, "1")])
def test_the_cores_are_divided(
    cores: int, count: int, threads: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker.os, "sched_getaffinity", lambda process: set(range(cores)))
    assert worker.take_share(tmp_path, count) == 0
    assert worker.os.environ["OMP_NUM_THREADS"] == threads


def test_a_process_keeps_its_share_and_another_takes_the_next(tmp_path: Path) -> None:
    with FileLock(tmp_path / ".share-0"):
        assert worker.take_share(tmp_path, 3) == 1
        assert worker.take_share(tmp_path, 3) == 1


@pytest.mark.parametrize(
    ("visible", "number", "seen"),
    [("2,5,7", 1, "5"), ("2,5", 3, "5"), (None, 1, "1"), (None, 5, "1"), ("", 1, "")],
)
def test_each_process_sees_one_gpu_by_turns(
    visible: str | None, number: int, seen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    monkeypatch.setattr(cuda, "device_count", lambda: 4)
    worker._take_gpu(number)
    assert worker.os.environ["CUDA_VISIBLE_DEVICES"] == seen


def test_without_gpus_nothing_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "device_count", lambda: 0)
    worker._take_gpu(1)
    assert "CUDA_VISIBLE_DEVICES" not in worker.os.environ
