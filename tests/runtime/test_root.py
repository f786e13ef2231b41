"""Where runs are, if not in outputs/."""

from pathlib import Path

import pytest

from ganctl.runtime.root import VARIABLE, outputs
from tests.conftest import TINY, Cli


def test_every_command_finds_runs_below_the_root(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "")  # which is taken back after the test
    assert outputs() == Path("outputs")
    assert cli("train", *TINY, "root=runs", "name=mine").code == 0
    assert (workspace / "runs/mine/run.json").exists()
    assert not (workspace / "outputs").exists()
    monkeypatch.setenv(VARIABLE, str(workspace / "runs"))
    for words in (["show", "latest"], ["show", "mine"], ["list"], ["sample", "mine", "num=2", "device=cpu"]):
        outcome = cli(*words)
        assert outcome.code == 0, outcome.err
        assert "mine" in outcome.out
    swept = cli("train", *TINY, "-m", "seed=1,2")
    assert swept.code == 0
    assert (workspace / "runs").joinpath(next((workspace / "runs").glob("sweep-*")).name, "sweep.csv").exists()


def test_the_users_home_is_meant_by_its_sign(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, "~/runs")
    assert outputs() == tmp_path / "runs"


@pytest.mark.parametrize("word", ["root=", "root=file"])
def test_what_can_hold_no_runs_is_refused(word: str, workspace: Path, cli: Cli) -> None:
    (workspace / "file").touch()
    outcome = cli("list", word)
    assert (outcome.code, outcome.err) == (2, f"ganctl: {word}: root is the folder of runs, such as root=~/runs\n")
