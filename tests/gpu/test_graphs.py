"""Steps replayed from CUDA graphs; run by scripts/gpu_check."""

from pathlib import Path
from typing import Any

import pytest
import torch

from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints import state
from ganctl.errors import ConfigError
from ganctl.game import cuda_graphs
from ganctl.game.cuda_graphs import CudaGraphs, Replay
from ganctl.game.step import Game, train_step
from tests.game.replaying import assert_steps_alike, differing, play_plainly
from tests.gpu.test_cuda import HEADER, TERMS, cuda_game
from tests.gpu.waiting import no_waiting

pytestmark = pytest.mark.gpu

STEPS = 20
TWO = ("penalty=[r1]", "penalty.r1.every=2")
MORE = [
    TWO,
    ("penalty=[r1,gradient_penalty]", "penalty.r1.every=4", "penalty.gradient_penalty.every=3"),
    ("auxiliary=[ssim]", "auxiliary.ssim.every=3", *TWO),
    ("train.accumulate=2", "penalty=[dragan]", "loss.label_noise=0.2"),
    ("train.n_dis=3", "train.n_gen=2", *TWO),
    ("train.first=generator",),
    ("train.share_fakes=false",),
    ("train.clip_norm=0.1", "train.clip_value=1e-3"),
    ("schedule.learning_rate.shape=cosine", "schedule.learning_rate.warmup=5", "schedule.ema.shape=linear"),
    ("schedule.penalty.shape=linear", "schedule.penalty.final=0.1", *TWO),
    ("optimizer=rmsprop", "optimizer.momentum=0.9", "schedule.learning_rate.shape=linear"),
    ("optimizer=sgd", "optimizer.momentum=0.9"),
    ("model.generator.norm=spectral", "model.discriminator.norm=spectral"),
    ("model.discriminator.dropout=0.4", "model.generator.dropout=0.2"),
]


def both(*words: str, **where: Any) -> tuple[Game, Game]:
    """Return a game that is played one operation at a time, and one that is captured."""
    ways = ("device.graphs=false", "device.graphs=true")
    plain, game = (cuda_game(f"train.steps={STEPS}", *words, way, **where) for way in ways)
    assert plain.replay is None
    return plain, game


def made_for(game: Game) -> Replay:
    """Return what plays a captured game."""
    assert isinstance(game.replay, Replay)
    return game.replay


def assert_alike(plain: Game, game: Game) -> None:
    play_plainly(plain, Replay(CudaGraphs(plain.device.torch_device), (plain.generator, plain.discriminator)))
    assert_steps_alike(plain, game, range(STEPS))
    game.check()


@pytest.mark.parametrize("words", [*((term,) for term in TERMS), *MORE], ids=" ".join)
@pytest.mark.parametrize(("model", "data"), [("dcgan", "digits"), ("mlp", "ring")])
def test_captured_steps_equal_plain_ones_to_the_last_bit(words: tuple[str, ...], model: str, data: str) -> None:
    if data == "ring" and any("ssim" in word for word in words):
        pytest.skip("ssim compares images")
    plain, game = both("device.strict=true", *words, model=model, data=data)
    assert_alike(plain, game)
    assert len(made_for(game)._recordings) >= 1


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "fp64"])
@pytest.mark.parametrize("words", [TWO, ("loss=wgan_gp",)], ids=" ".join)
def test_so_they_do_in_every_precision(words: tuple[str, ...], precision: str) -> None:
    plain, game = both(f"device.precision={precision}", *words)
    assert_alike(plain, game)


@pytest.mark.parametrize("words", [TWO, ("train.accumulate=2", "penalty=[dragan]")], ids=" ".join)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_no_captured_step_waits_for_the_device(precision: str, words: tuple[str, ...]) -> None:
    _, game = both(f"device.precision={precision}", "schedule.learning_rate.shape=cosine", *words)
    for step in range(8):
        train_step(game, step)
    with no_waiting():
        for step in range(8, 16):
            train_step(game, step)
    game.check()


@pytest.mark.parametrize("stop", [1, 3, 8])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_going_on_from_a_file_equals_never_having_stopped(precision: str, stop: int, tmp_path: Path) -> None:
    words = (f"device.precision={precision}", "model.generator.dropout=0.2", *TWO)
    (_, whole), (_, first), (_, second) = (both(*words) for _ in range(3))
    for step in range(12):
        train_step(whole, step)
    for step in range(stop):
        train_step(first, step)
    checkpoint.write(tmp_path / "state.safetensors", HEADER, state.tensors(first))
    state.restore(second, checkpoint.read_header(tmp_path / "state.safetensors").read())
    for step in range(stop, 12):
        train_step(second, step)
    assert differing(whole, second) == []


def refused(game: Game, because: str) -> None:
    train_step(game, 0)
    before = {name: tensor.clone() for name, tensor in state.tensors(game).items()}
    with pytest.raises(ConfigError, match=rf"^device\.graphs: a step cannot be recorded \(.*{because}"):
        train_step(game, 1)
    assert all(torch.equal(tensor, before[name]) for name, tensor in state.tensors(game).items())


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (("optimizer=sgd", "schedule.learning_rate.shape=linear"), "learning rate that moves"),
        (("optimizer=sgd", "device.precision=fp16"), "update is skipped"),
        (("optimizer=rmsprop", "device.precision=fp16"), "update is skipped"),
    ],
    ids=str,
)
def test_what_cannot_be_captured_is_refused(words: tuple[str, ...], because: str) -> None:
    refused(both(*words)[1], because)


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_a_capture_that_fails_is_refused_and_leaves_the_state_as_it_was(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, game = both(f"device.precision={precision}", "model.discriminator.dropout=0.2")
    step = game.discriminator.optimizer.step

    def waiting() -> Any:
        assert game.discriminator.parameters[0].sum().item() is not None
        return step()

    monkeypatch.setattr(game.discriminator.optimizer, "step", waiting)
    refused(game, "")


def test_sets_of_due_terms_beyond_the_most_are_played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "MOST_GRAPHS", 1)
    plain, game = both(*TWO)
    assert_alike(plain, game)
    assert len(made_for(game)._recordings) == 1


def test_graphs_of_many_sets_share_their_memory() -> None:
    _, game = both("penalty=[r1,r2]", "penalty.r1.every=2", "penalty.r2.every=3")
    sizes = []
    for step in range(STEPS):
        train_step(game, step)
        torch.cuda.synchronize()
        sizes.append(torch.cuda.memory_allocated())
    assert sizes[-1] == sizes[-7]
    assert len(made_for(game)._recordings) == 4


@pytest.mark.filterwarnings("default")  # torch's compiler uses what torch itself calls outdated
def test_what_is_compiled_is_not_captured_and_learns() -> None:
    game = cuda_game("device.graphs=true", "device.compile=true")
    assert game.replay is None
    for step in range(3):
        train_step(game, step)
    game.check()


def test_graphs_are_made_for_the_device_of_the_game() -> None:
    _, game = both()
    assert isinstance(made_for(game)._graphs, CudaGraphs)
