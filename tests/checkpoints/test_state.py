"""State: taken, put into a fresh game, and played on from as if nothing had happened."""

import re
from itertools import product
from pathlib import Path

import pytest
import torch

from ganctl.augment import AUGMENTS
from ganctl.auxiliary import AUXILIARIES
from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints import state
from ganctl.checkpoints.file import Header
from ganctl.data.store import MappedStore
from ganctl.errors import CheckpointError
from ganctl.game.scalars import measure
from ganctl.game.step import Game, train_step
from ganctl.losses import LOSSES
from ganctl.models import MODELS
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES
from scripts.soaks.configs import small_words
from scripts.soaks.parts import (
    DATA,
    PARTS,
    PICTURES,
    SEQUENCES,
    Case,
    all_pairs,
    pairs,
    pairwise,
    prepare,
    words_of,
)
from tests.game.games import small_config, small_game, small_games

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
"""What the parts leave out: (model, data, words)."""

HEADER = Header(config={}, step=3, shape=(1, 8, 8), data="", versions={}, logs={})


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what `parts.DATA` names; the first case that needs it fills the cache."""
    folder = tmp_path_factory.mktemp("pictures")
    prepare(folder)
    return folder


def play(game: Game, first: int, last: int) -> None:
    for step in range(first, last):
        train_step(game, step)


def assert_same(one: Game, other: Game, step: int) -> None:
    got, expected = state.tensors(one), state.tensors(other)
    assert got.keys() == expected.keys()
    # In fp16 an overflow, whose update is skipped, may leave NaN as the gradient's norm.
    torch.testing.assert_close(got, expected, rtol=0, atol=0, equal_nan=True)
    assert measure(one, step) == pytest.approx(measure(other, step), rel=0, abs=0, nan_ok=True)


def written(game: Game, folder: Path) -> Path:
    path = folder / "step-00000003.safetensors"
    checkpoint.write(path, HEADER, state.tensors(game))
    return path


def assert_going_on_is_exact(words: list[str], model: str, data: str, folder: Path) -> None:
    whole, first, second = small_games(3, "train.steps=6", *words, model=model, data=data)
    play(whole, 0, 6)
    play(first, 0, 3)
    path = written(first, folder)
    del first
    state.restore(second, checkpoint.read_header(path).read())
    play(second, 3, 6)
    assert_same(second, whole, 5)


def assert_a_saved_game_goes_on_as_its_file(words: list[str], model: str, data: str, folder: Path) -> None:
    """Compare a game that was saved on its way, as every run is, with one that goes on from the file."""
    saved, restored = small_games(2, "train.steps=5", *words, model=model, data=data)
    play(saved, 0, 3)
    path = written(saved, folder)
    play(saved, 3, 5)
    state.restore(restored, checkpoint.read_header(path).read())
    play(restored, 3, 5)
    assert_same(restored, saved, 4)


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_going_on_from_a_file_equals_never_having_stopped(case: tuple[str, ...], tmp_path: Path) -> None:
    model, data, *words = case
    assert_going_on_is_exact(words, model, data, tmp_path)


@pytest.mark.parametrize("case", list(pairwise()), ids="-".join)
def test_any_two_components_go_on_together(
    case: Case, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(pictures)
    model, data, words = words_of(case)
    assert_a_saved_game_goes_on_as_its_file(words, model, data, tmp_path)


def test_each_two_options_of_different_parts_meet_in_a_case() -> None:
    met = {pair for case in pairwise() for pair in pairs(case)}
    assert met == set(all_pairs())


def test_a_case_is_composed_of_its_options_and_sequences_have_data_of_their_own() -> None:
    for case in pairwise():
        model, data, words = words_of(case)
        left_out = {"augment=[]", "data=digits"} if data == SEQUENCES else set()
        asked = {word for option in case for word in option.split()} - left_out
        assert asked <= {f"model={model}", f"data={data}", *words}
        small = small_words(*words, model=model, data=data)
        assert [word for word in small if word.startswith(("model=", "data="))] == [
            f"model={model}",
            f"data={data}",
        ]


def test_the_parts_are_all_that_the_registries_hold() -> None:
    named = {re.split(r"[=\[\]]+", option.split()[0])[1] for options in PARTS.values() for option in options}
    for family in (MODELS, LOSSES, PENALTIES, AUXILIARIES, AUGMENTS, OPTIMIZERS):
        assert {name for name in family if not {name, f"{name}_gp"} & named} == set()


def test_pictures_of_both_kinds_of_file_are_mapped(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(pictures)
    for name in ("folder", "array"):
        _, *words = DATA[name].split()
        store = small_config(*words, data=name).data.load()
        assert isinstance(store, MappedStore)
        assert len(store) == PICTURES


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
