"""State: taken, put into a fresh game, and played on from as if nothing had happened."""

import re
from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

import pytest
import torch

from ganctl.auxiliary import AUXILIARIES
from ganctl.errors import CheckpointError
from ganctl.losses import LOSSES
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES
from ganctl.schedules import SHAPES
from ganctl.training import checkpoint, state
from ganctl.training.checkpoint import Header
from ganctl.training.measure import measure
from ganctl.training.step import train_step
from tests.training.games import small_game, small_games

PARTS: dict[str, list[str]] = {
    "loss": [f"loss={name}" + ("_gp" if LOSSES[name].critic else "") for name in LOSSES],
    "penalty": ["penalty=[]", *(f"penalty=[{name}]" for name in PENALTIES)],
    "auxiliary": ["auxiliary=[]", *(f"auxiliary=[{name}]" for name in AUXILIARIES)],
    "optimizer": [f"optimizer={name}" for name in OPTIMIZERS],
    "schedule": [f"schedule.learning_rate.shape={shape}" for shape in SHAPES],
    "precision": [f"device.precision={name}" for name in ("fp32", "bf16", "fp16", "fp64")],
    "pack": ["loss.pack=1", "loss.pack=2"],
    "model": ["model=dcgan", "model=mlp"],
}
"""What a run is put together from; each two options of different parts meet in some case."""

CASES = [
    ("dcgan", "digits", "model.generator.norm=batch", "device.precision=bf16"),
    ("dcgan", "digits", "loss=hinge", "optimizer=sgd", "model.discriminator.norm=spectral"),
    ("dcgan", "digits", "loss=wgan_gp", "train.accumulate=2"),
    ("dcgan", "digits", "penalty=[r1]", "penalty.r1.every=4", "device.precision=fp64"),
    ("dcgan", "digits", "device.precision=fp16", "model.generator.norm=instance"),
    ("dcgan", "digits", "auxiliary=[ssim]", "auxiliary.ssim.every=4"),
    ("dcgan", "digits", "schedule.penalty.shape=linear", "schedule.ema.shape=cosine", "penalty=[r1]"),
    ("mlp", "ring", "loss=hinge", "optimizer=sgd", "optimizer.momentum=0.9", "ema.half_life=0"),
    ("mlp", "ring", "loss=wgan_gp", "model.generator.norm=spectral", "train.first=generator"),
    ("mlp", "ring", "optimizer=rmsprop", "optimizer.momentum=0.9", "penalty=[dragan]"),
    ("mlp", "ring", "loss=lsgan", "loss.label_noise=0.3", "loss.label_smoothing=0.1", "train.accumulate=2"),
    ("mlp", "digits", "model.discriminator.dropout=0.5", "train.n_gen=2", "ema.ramp=0"),
]
"""What the parts leave out."""

HEADER = Header(config={}, step=3, shape=(1, 8, 8), data="", versions={}, logs={})


def pairs(case: tuple[str, ...]) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in combinations(case, 2)}


def pairwise() -> Iterator[tuple[str, ...]]:
    """Yield few cases, one option of each part, so that each two options meet: greedily, pair by pair."""
    parts = list(PARTS.values())
    waiting = {frozenset(pair): None for one, other in combinations(parts, 2) for pair in product(one, other)}
    while waiting:
        first = next(iter(waiting))
        case: tuple[str, ...] = ()
        for options in parts:
            fixed = [option for option in options if option in first]
            case += (max(fixed or options, key=lambda option: sum(p in waiting for p in pairs((*case, option)))),)
        for pair in pairs(case):
            waiting.pop(pair, None)
        yield case


def assert_going_on_is_exact(words: tuple[str, ...], model: str, data: str, folder: Path) -> None:
    whole, first, second = small_games(3, "train.steps=6", *words, model=model, data=data)
    for step in range(6):
        train_step(whole, step)
    for step in range(3):
        train_step(first, step)
    path = folder / "step-00000003.safetensors"
    checkpoint.write(path, HEADER, state.tensors(first))
    del first
    state.restore(second, checkpoint.read_header(path).read())
    for step in range(3, 6):
        train_step(second, step)
    expected, got = state.tensors(whole), state.tensors(second)
    assert expected.keys() == got.keys()
    assert [name for name in expected if not torch.equal(expected[name], got[name])] == []
    assert {name: value.dtype for name, value in got.items()} == {n: v.dtype for n, v in expected.items()}
    assert measure(second, 5) == measure(whole, 5)


@pytest.mark.parametrize("case", CASES, ids=lambda case: "-".join(case))
def test_going_on_from_a_file_equals_never_having_stopped(case: tuple[str, ...], tmp_path: Path) -> None:
    model, data, *words = case
    assert_going_on_is_exact(tuple(words), model, data, tmp_path)


@pytest.mark.parametrize("case", list(pairwise()), ids=lambda case: "-".join(case))
def test_any_two_components_go_on_together(case: tuple[str, ...], tmp_path: Path) -> None:
    *words, model = case
    assert_going_on_is_exact(tuple(words), model.removeprefix("model="), "digits", tmp_path)


def test_each_two_options_of_different_parts_meet_in_a_case() -> None:
    met = {pair for case in pairwise() for pair in pairs(case)}
    for one, other in combinations(PARTS.values(), 2):
        assert {frozenset(pair) for pair in product(one, other)} <= met


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
