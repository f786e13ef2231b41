"""Run folders of earlier versions are read as the same runs: found by name, complete, gone on with, sampled."""

import json
import shutil
from pathlib import Path

import pytest

from tests.composed import EARLIER_TRAINING
from tests.conftest import Cli

OLD = Path(__file__).parents[1] / "old_runs" / "ring-mlp-nonsaturating-7d1d8e62"
WORDS = [
    *("data=ring", "data.num=64", "model=mlp", "model.latent=2", "model.generator.hidden=[8]"),
    *("model.discriminator.hidden=[8]", "train.batch_size=16", "train.steps=20", "checkpoint.every=10"),
    *("logging.every=5", "sample.every=10", "sample.num=4", "device=cpu", "device.precision=fp32"),
]
"""The words of the command that made the folder."""


@pytest.fixture
def old_run(workspace: Path) -> Path:
    """Work in a folder that holds the old run in outputs."""
    folder = workspace / "outputs" / OLD.name
    shutil.copytree(OLD, folder)
    return folder


def test_its_command_finds_it_complete(cli: Cli, old_run: Path) -> None:
    outcome = cli("train", *WORDS, *EARLIER_TRAINING)
    assert outcome.code == 0, outcome.err
    assert f"outputs/{OLD.name} is complete" in outcome.out
    runs = [path.name for path in old_run.parent.iterdir() if path.is_dir() and not path.is_symlink()]
    assert runs == [OLD.name]


def test_it_goes_on_from_an_earlier_checkpoint_and_logs_the_same_losses(cli: Cli, old_run: Path) -> None:
    (old_run / "checkpoints" / "step-00000020.safetensors").unlink()
    before = [json.loads(line) for line in (old_run / "metrics.jsonl").read_text().splitlines()]
    outcome = cli("resume", str(old_run))
    assert outcome.code == 0, outcome.err
    assert "resumed at step 10" in outcome.out
    after = [json.loads(line) for line in (old_run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in after] == [row["step"] for row in before] == [5, 10, 15, 20]
    for name in ("loss/discriminator", "loss/generator"):
        # Another processor may round otherwise.
        assert [row[name] for row in after] == pytest.approx([row[name] for row in before], rel=1e-5)


def test_it_can_be_trained_longer(cli: Cli, old_run: Path) -> None:
    outcome = cli("resume", str(old_run), "train.steps=25")
    assert outcome.code == 0, outcome.err
    assert "resumed at step 20" in outcome.out


def test_it_can_be_sampled(cli: Cli, old_run: Path) -> None:
    outcome = cli("sample", f"ckpt={old_run}", "num=4", "device=cpu", "device.precision=fp32")
    assert outcome.code == 0, outcome.err
    assert (old_run / "samples" / "step-00000020-seed-0-4.png").is_file()
