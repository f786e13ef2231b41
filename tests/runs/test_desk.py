"""What the first rank alone does: the desk of any other writes and prints nothing."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from ganctl.checkpoints.file import Header, read_header
from ganctl.folders.run_folder import RunFolder
from ganctl.processes.ranks import Ranks
from ganctl.runs.desk import Desk
from ganctl.runtime.console import say, track
from tests.conftest import contents
from tests.game.games import small_config


def all_of_it(folder: Path, rank: int) -> None:
    """Do everything that a desk can."""
    desk = Desk(RunFolder(folder), small_config(model="mlp", data="ring"), Ranks(rank, 2))
    with desk.open():
        desk.begin({}, None)
        desk.log(1, {"loss": 1.0})
        desk.image(1, np.zeros((2, 2, 3), np.uint8))
        header = Header(config={}, step=1, shape=(2,), data="", versions={}, logs=desk.lengths())
        desk.checkpoint(header, {"generator.w": torch.zeros(2)})
        desk.status({"status": "complete"})
        say("done")
        for _ in track([1], 1, "work"):
            pass
        desk.close_logs("complete")


def test_the_desk_of_the_first_rank_writes_and_prints(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    all_of_it(run, 0)
    out = capsys.readouterr().out
    assert out == "done\n"
    assert (run / "run.log").read_text().count("\n") == 1
    assert json.loads((run / "metrics.jsonl").read_text()) == {"step": 1, "loss": 1.0}
    assert json.loads((run / "run.json").read_text())["status"] == "complete"
    assert (run / "samples/step-00000001.png").is_file()
    header = read_header(run / "checkpoints/step-00000001.safetensors").header
    assert header.logs == {
        path.name: path.stat().st_size for path in (run / "metrics.jsonl", *run.glob("events*"))
    }


def test_the_desk_of_another_rank_writes_and_prints_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    all_of_it(tmp_path / "run", 1)
    assert contents(tmp_path) == {}
    assert capfd.readouterr() == ("", "")
