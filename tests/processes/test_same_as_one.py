"""Two processes learn what one does: the same batch, cut in two, and gradients of the whole."""

import json
import subprocess
import sys
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from ganctl.checkpoints import state
from ganctl.losses import LOSSES
from ganctl.penalties import PENALTIES
from scripts.soaks.configs import SMALL_OPTIONS
from tests.processes.play import played

TOLERANCE = 1e-8

PAIRS = [
    ("mlp", "ring", [f"loss={loss}", f"penalty=[{penalty}]", "model.discriminator.norm=none"])
    for loss, penalty in zip(LOSSES, cycle(PENALTIES), strict=False)
]
"""Every loss and every penalty."""

SINGLE = [
    ("dcgan", "digits", ["model.discriminator.norm=batch", "penalty=[r1]"]),
    (
        "dcgan",
        "digits",
        ["auxiliary=[feature_matching]", "train.accumulate=2", "train.n_dis=2", "train.clip_norm=1"],
    ),
    ("dcgan", "digits", ["augment=[diffaugment]", "loss=lsgan", "train.share_fakes=false"]),
    ("dcgan", "digits", ["auxiliary=[lecam,orthogonal_generator]", "optimizer=sgd"]),
    ("dcgan", "digits", ["augment=[ada]", "model.conditional=true", "ema.half_life=0"]),
    ("dcgan", "digits", ["auxiliary=[class_loss]", *SMALL_OPTIONS["auxiliary=[class_loss]"]]),
    ("resnet", "digits", ["model.conditional=true", "model.discriminator.norm=spectral"]),
    ("r3gan", "digits", []),
    ("biggan", "digits", ["model.conditional=true", "penalty=[orthogonal]"]),
    ("unet", "digits", []),
    ("conv1d", "ar1", ["auxiliary=[markov]"]),
]
"""Further cases: (model, data, words)."""

NOISY = [
    ("mlp", "ring", ["model.discriminator.dropout=0.5"]),
    ("fastgan", "digits", []),
    ("stylegan2", "digits", ["auxiliary=[path_length]"]),
]
"""Noise inside networks is another for each rank, so that the ranks agree, and not with one process."""

CASES = [*PAIRS, *SINGLE, *NOISY]


def told(case: Any) -> str:
    model, data, words = case
    return " ".join([model, data, *words])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two ranks left of every case."""
    folder = tmp_path_factory.mktemp("ranks")
    (folder / "cases.json").write_text(json.dumps(CASES))
    commands = [[sys.executable, "-m", "tests.processes.play", str(rank), "2", str(folder)] for rank in range(2)]
    ranks = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for command in commands
    ]
    said = [rank.communicate(timeout=600)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(said)
    return folder


@pytest.mark.parametrize("number", range(len(CASES)), ids=map(told, CASES))
def test_both_ranks_have_the_same_state(number: int, folder: Path) -> None:
    first, second = (load_file(folder / f"{number}-{rank}") for rank in range(2))
    assert first.keys() == second.keys()
    assert [key for key in first if not torch.equal(first[key], second[key])] == []
    assert (folder / f"{number}-0.json").read_text() == (folder / f"{number}-1.json").read_text()


@pytest.mark.parametrize("number", range(len(CASES) - len(NOISY)), ids=map(told, CASES[: -len(NOISY)]))
def test_the_state_is_that_of_one_process(number: int, folder: Path) -> None:
    game, numbers = played(*CASES[number])
    one, two = state.tensors(game), load_file(folder / f"{number}-0")
    assert one.keys() == two.keys()
    apart = {key: float((one[key].double() - two[key].double()).abs().max()) for key in one if one[key].numel()}
    assert {key: far for key, far in apart.items() if not far < TOLERANCE} == {}
    shared = json.loads((folder / f"{number}-0.json").read_text())
    of_a_batch = {"health/separation", "health/diversity"}  # pairs within each rank's part
    assert {key: shared[key] for key in shared if key not in of_a_batch} == pytest.approx(
        {key: numbers[key] for key in numbers if key not in of_a_batch}, rel=1e-5, abs=1e-6
    )
