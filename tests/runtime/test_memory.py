from pathlib import Path

import pytest

from ganctl.runtime import memory


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for / with /proc/self/cgroup and /sys/fs/cgroup."""
    monkeypatch.setattr(memory, "Path", lambda path: tmp_path / path.lstrip("/"))
    (tmp_path / "proc/self").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    ("line", "file"),
    [
        ("0::/user/job", "sys/fs/cgroup/user/job/memory.max"),
        ("0::/user/job", "sys/fs/cgroup/user/memory.max"),
        ("0::/user/job", "sys/fs/cgroup/memory.max"),
        ("7:cpu,memory:/job", "sys/fs/cgroup/memory/job/memory.limit_in_bytes"),
        ("7:memory:/", "sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ],
)
def test_the_limit_of_a_control_group_or_of_one_above_it_holds(line, file, groups):
    (groups / "proc/self/cgroup").write_text(f"3:cpu:/elsewhere\n{line}\n")
    assert memory.memory_limit() > 12345
    (groups / file).parent.mkdir(parents=True, exist_ok=True)
    (groups / file).write_text("12345\n")
    assert memory.memory_limit() == 12345
    (groups / file).write_text("max\n")
    assert memory.memory_limit() > 12345


def test_without_control_groups_the_limit_is_the_machines_memory():
    assert memory.memory_limit() >= 1 << 28
