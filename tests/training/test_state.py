"""State: taken, put into a fresh game, and played on from as if nothing had happened."""

import re
from itertools import product
from pathlib import Path

import pytest
import torch

from ganctl.errors import CheckpointError
from ganctl.optim import OPTIMIZERS
from ganctl.training import checkpoint, state
from ganctl.training.checkpoint import Header
from ganctl.training.step import train_step
from tests.training.games import small_game

MATRIX = [
    (
        "dcgan",
        "digits",
        "loss=nonsaturating",
        "optimizer=adam",
        "device.precision=bf16",
        "model.generator.norm=batch",
    ),
    (
        "dcgan",
        "digits",
        "loss=hinge",
        "optimizer=sgd",
        "device.precision=fp32",
        "model.discriminator.norm=spectral",
    ),
    ("dcgan", "digits", "loss=wgan_gp", "optimizer=adam", "device.precision=fp32", "train.accumulate=2"),
    ("dcgan", "digits", "loss=nonsaturating", "penalty=[r1]", "penalty.r1.every=4", "device.precision=fp64"),
    ("dcgan", "digits", "loss=nonsaturating", "device.precision=fp16", "model.generator.norm=instance"),
    ("mlp", "ring", "loss=hinge", "optimizer=sgd", "optimizer.momentum=0.9", "ema.half_life=0"),
    ("mlp", "ring", "loss=wgan_gp", "optimizer=adam", "model.generator.norm=spectral", "train.first=generator"),
    ("mlp", "digits", "loss=nonsaturating", "model.discriminator.dropout=0.5", "train.n_gen=2", "ema.ramp=0"),
]
HEADER = Header(config={}, step=3, shape=(1, 8, 8), data="", versions={}, logs={})


@pytest.mark.parametrize("case", MATRIX, ids=lambda case: "-".join(case))
def test_going_on_from_a_file_equals_never_having_stopped(case: tuple[str, ...], tmp_path: Path) -> None:
    model, data, *overrides = case
    whole, first, second = (small_game(*overrides, model=model, data=data) for _ in range(3))
    for step in range(6):
        train_step(whole, step)
    for step in range(3):
        train_step(first, step)
    path = tmp_path / "step-00000003.safetensors"
    checkpoint.write(path, HEADER, state.tensors(first))
    del first
    state.restore(second, checkpoint.read_header(path).read())
    for step in range(3, 6):
        train_step(second, step)
    expected, got = state.tensors(whole), state.tensors(second)
    assert expected.keys() == got.keys()
    differing = [name for name in expected if not torch.equal(expected[name], got[name])]
    assert differing == []


def test_the_matrix_covers_every_optimizer() -> None:
    chosen = {word.removeprefix("optimizer=") for case in MATRIX for word in case if word.startswith("optimizer=")}
    assert chosen == set(OPTIMIZERS)


def test_the_state_names_both_networks_the_average_and_both_optimizers() -> None:
    game = small_game()
    train_step(game, 0)
    prefixes = {".".join(name.split(".")[:3]) for name in state.tensors(game)}
    for kind, player in product(("exp_avg", "exp_avg_sq", "step"), ("generator", "discriminator")):
        assert f"optimizer.{player}.{kind}" in prefixes
    assert {"generator", "discriminator", "ema"} <= {prefix.split(".")[0] for prefix in prefixes}


@pytest.mark.parametrize("change", ["missing", "extra", "shape"])
def test_a_state_that_does_not_fit_is_refused(change: str) -> None:
    game = small_game()
    saved = state.tensors(game)
    name = "generator.project.0.weight"
    if change == "missing":
        del saved[name]
    elif change == "extra":
        saved["generatr.weight"] = torch.zeros(1)
    else:
        saved[name] = torch.zeros(1)
    with pytest.raises(CheckpointError):
        state.restore(small_game(), saved)


def test_optimizer_slots_come_back_in_their_weights_memory_layout() -> None:
    game, other = small_game(), small_game()
    train_step(game, 0)
    saved = {name: tensor.contiguous() for name, tensor in state.tensors(game).items()}
    state.restore(other, saved)
    for player in (other.generator, other.discriminator):
        for weight, slots in player.optimizer.state.items():
            assert slots["exp_avg"].stride() == weight.stride()
            assert slots["exp_avg_sq"].stride() == weight.stride()


def test_an_optimizer_slot_that_is_missing_or_of_another_shape_is_refused() -> None:
    game = small_game()
    train_step(game, 0)
    name = "optimizer.generator.exp_avg.project.0.weight"
    saved = state.tensors(game)
    without = {
        key: value
        for key, value in saved.items()
        if not re.fullmatch(r"optimizer.generator.*project.0.weight", key)
    }
    for wrong in (saved | {name: torch.zeros(1)}, without):
        with pytest.raises(CheckpointError):
            state.restore(small_game(), wrong)
