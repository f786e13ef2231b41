"""A term with a state of its own, from a plugin: it is saved, goes on exactly, and is verified like all else."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ganctl.checkpoints import file as checkpoint
from scripts.soaks.traces import traces
from scripts.soaks.warm import Warm
from tests.behaviours.runs import TINY, kill, wait_for_step

RUNNING = """\
from typing import Literal

import torch
from ganctl.penalties import PENALTIES, PenaltyTerm


class Anchor:
    def __init__(self, surroundings):
        self.mean = torch.zeros((), dtype=surroundings.dtype, device=surroundings.device)

    def __call__(self, round):
        value = (round.real_logits - self.mean).square().mean()
        self.mean.lerp_(round.real_logits.detach().mean(), 0.1)
        return value

    def state(self):
        return {"mean": self.mean}

    def load(self, saved):
        self.mean.copy_(saved["mean"])


@PENALTIES.register
class Anchored(PenaltyTerm):
    stateful = True
    name: Literal["anchored"]

    def build(self, surroundings):
        return Anchor(surroundings)
"""
RUN = Path("outputs/run")
MEAN = "term.discriminator.anchored.mean"
WORDS = [
    *TINY,
    "plugins=[running]",
    "penalty=[]",
    "+penalty.anchored={name: anchored, weight: 1, every: 2}",
    "train.steps=20",
    "logging.every=1",
    "sample.every=10",
    "checkpoint.every=3",
]


@pytest.fixture(scope="module")
def trained(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "running.py").write_text(RUNNING)
    code, _, err = warm.finish(folder, "train", *WORDS)
    assert code == 0, err
    return folder


def test_its_state_is_in_the_checkpoint_and_survives_a_kill_bit_for_bit(
    warm: Warm, trained: Path, tmp_path: Path
) -> None:
    saved = checkpoint.read_header(trained / RUN / "checkpoints/step-00000020.safetensors").read()
    assert saved[MEAN].abs() > 0
    (tmp_path / "running.py").write_text(RUNNING)
    process = warm.start(tmp_path, "train", *WORDS)
    wait_for_step(process, tmp_path / RUN, 7)
    kill(process)
    code, out, err = warm.finish(tmp_path, "train", *WORDS)
    assert code == 0, err
    assert "resumed at step" in out
    assert traces(tmp_path / RUN) == traces(trained / RUN)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda tensors: tensors.pop(MEAN), f"{MEAN} is missing"),
        (lambda tensors: tensors.update({MEAN: torch.zeros(1 << 20)}), f"{MEAN} is float32 [1048576]"),
        (lambda tensors: tensors.update({MEAN: torch.zeros((), dtype=torch.int64)}), f"{MEAN} is int64 []"),
        (
            lambda tensors: tensors.update({"term.generator.anchored.mean": torch.zeros(())}),
            "term.generator.anchored.mean is nothing that its config makes",
        ),
    ],
    ids=["missing", "large", "of another type", "of a term that is not there"],
)
def test_a_hostile_state_is_refused(
    change: Callable[[dict[str, Tensor]], object], told: str, warm: Warm, trained: Path, tmp_path: Path
) -> None:
    opened = checkpoint.read_header(trained / RUN / "checkpoints/step-00000020.safetensors")
    tensors = opened.read()
    change(tensors)
    (tmp_path / "running.py").write_text(RUNNING)
    checkpoint.write(tmp_path / "hostile.safetensors", opened.header, tensors)
    code, out, err = warm.finish(tmp_path, "sample", "hostile.safetensors", "plugins=[running]")
    assert (code, out) == (4, "")
    assert told in err
