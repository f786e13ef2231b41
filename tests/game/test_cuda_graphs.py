"""Steps that are recorded and replayed: what they compute, what is recorded, and what cannot be.

A tape stands in for CUDA graphs, which tests/gpu/test_graphs.py has.
"""

import re
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import pytest
import torch
from torch import Tensor

from ganctl.augment import AUGMENTS
from ganctl.auxiliary import AUXILIARIES
from ganctl.checkpoints import state
from ganctl.data.batches import Batches
from ganctl.errors import ConfigError, DivergenceError
from ganctl.game import cuda_graphs
from ganctl.game.cuda_graphs import Replay
from ganctl.game.draws import Draws
from ganctl.game.round import Networks, Round
from ganctl.game.step import Game, train_step
from ganctl.losses import LOSSES
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES
from scripts.soaks.parts import OF_ONE_MODEL
from tests.game.games import small_game, small_games
from tests.game.replaying import assert_steps_alike, differing, play_plainly
from tests.game.tape import Tapes

STEPS = 7
TWO = ("penalty=[r1]", "penalty.r1.every=2")
"""Two sets of due terms, each every other step."""

TERMS = [f"auxiliary=[{name}]" for name in AUXILIARIES if name != "perceptual"]

CASES: list[tuple[str, ...]] = [
    *((f"loss={name}",) for name in sorted((set(LOSSES) - {"wgan"}) | {"wgan_gp"})),
    *((f"penalty=[{name}]",) for name in PENALTIES),
    *((word,) for word in TERMS if word not in OF_ONE_MODEL),
    *((f"augment=[{name}]", "penalty=[r1]", "penalty.r1.every=2") for name in AUGMENTS),
    ("model.conditional=true", "train.accumulate=2"),
    *((f"model.discriminator.norm={norm}", f"model.generator.norm={norm}") for norm in ("batch", "spectral")),
    ("optimizer=adamw", "optimizer.weight_decay=0.1"),
    ("optimizer=sgd", "optimizer.momentum=0.9"),
    ("optimizer=rmsprop", "schedule.learning_rate.shape=linear"),
    ("optimizer=rmsprop", "optimizer.momentum=0.9", "schedule.learning_rate.warmup=4"),
    ("penalty=[r1,gradient_penalty]", "penalty.r1.every=3", "penalty.gradient_penalty.every=2", "train.n_dis=2"),
    ("auxiliary=[ssim]", "auxiliary.ssim.every=2", "train.n_gen=2", *TWO),
    ("schedule.penalty.shape=linear", "schedule.penalty.final=0.1", *TWO),
    ("schedule.penalty.warmup=6", "penalty=[orthogonal]", "device.precision=bf16"),
    ("schedule.learning_rate.shape=cosine", "schedule.learning_rate.warmup=2", "schedule.ema.shape=linear"),
    ("train.accumulate=2", "penalty=[dragan,gradient_penalty]", "loss.label_noise=0.2"),
    ("train.share_fakes=false",),
    ("train.first=generator", "train.n_gen=2"),
    ("train.n_dis=3", "loss=relativistic", "penalty=[r1,r2]"),
    ("train.clip_norm=0.1", "train.clip_value=1e-3"),
    ("train.pack=2", "loss.label_noise=0.1", "loss.label_smoothing=0.1"),
    ("model.discriminator.dropout=0.4", "model.generator.dropout=0.2"),
    ("device.precision=bf16", "auxiliary=[feature_matching]", *TWO),
    ("device.precision=fp16", *TWO),
    ("device.precision=fp64", *TWO),
]


@pytest.fixture(autouse=True)
def capturable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let RMSprop step on the CPU as it does on CUDA: counts on the device, all weights in one operation."""
    build = OPTIMIZERS["rmsprop"].build

    def foreach(self: Any, *given: Any) -> torch.optim.Optimizer:
        optimizer = build(self, *given)
        optimizer.param_groups[0]["foreach"] = True
        return optimizer

    monkeypatch.setattr(OPTIMIZERS["rmsprop"], "build", foreach)
    monkeypatch.setattr(sys.modules["torch.optim.rmsprop"], "_get_capturable_supported_devices", lambda: ["cpu"])


def taped(game: Game) -> Tapes:
    """Let a game be played from tapes."""
    tapes = Tapes()
    game.replay = Replay(tapes, (game.generator, game.discriminator))
    return tapes


def assert_alike(plain: Game, game: Game, steps: range) -> None:
    """Play both, the first one operation at a time, and compare every bit after each step."""
    play_plainly(plain, Replay(Tapes(), (plain.generator, plain.discriminator)))
    assert_steps_alike(plain, game, steps)


@pytest.mark.parametrize("words", CASES, ids=" ".join)
def test_replayed_steps_equal_plain_ones_to_the_last_bit(words: tuple[str, ...]) -> None:
    plain, game = small_games(2, f"train.steps={STEPS}", *words)
    tapes = taped(game)
    assert_alike(plain, game, range(STEPS))
    assert len(tapes.tapes) <= tapes.warm_ups
    assert tapes.warm_ups + tapes.replays == STEPS
    assert tapes.replays >= 1


def test_points_are_played_alike_too() -> None:
    plain, game = small_games(2, "loss=wgan_gp", "train.n_dis=2", model="mlp", data="ring")
    tapes = taped(game)
    assert_alike(plain, game, range(STEPS))
    assert tapes.replays == STEPS - 1


@pytest.mark.parametrize("stop", [1, 2, 3, 5])
def test_going_on_from_replayed_steps_equals_never_having_stopped(stop: int) -> None:
    words = (*TWO, "schedule.learning_rate.shape=linear", "device.precision=fp16", "model.generator.dropout=0.2")
    whole, first, second = small_games(3, f"train.steps={STEPS}", *words)
    for game in (whole, first, second):
        taped(game)
    for step in range(STEPS):
        train_step(whole, step)
    for step in range(stop):
        train_step(first, step)
    state.restore(second, {name: tensor.clone() for name, tensor in state.tensors(first).items()})
    for step in range(stop, STEPS):
        train_step(second, step)
    assert differing(whole, second) == []


def test_each_set_of_due_terms_is_recorded_once_at_its_second_step() -> None:
    game = small_game(*TWO)
    tapes = taped(game)
    seen = []
    for step in range(8):
        train_step(game, step)
        seen.append((tapes.warm_ups, len(tapes.tapes), tapes.replays))
    assert seen == [(1, 0, 0), (2, 0, 0), (2, 1, 1), (2, 2, 2), (2, 2, 3), (2, 2, 4), (2, 2, 5), (2, 2, 6)]


def counted(owner: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Note what a method is called with."""
    calls: list[tuple[Any, ...]] = []
    inner: Callable[..., Any] = getattr(owner, name)

    @wraps(inner)
    def call(*given: Any) -> Any:
        calls.append(given[1:])
        return inner(*given)

    monkeypatch.setattr(owner, name, call)
    return calls


@pytest.mark.parametrize(
    ("words", "drawn", "gathered"),
    [
        ((), 1, 1),
        (("train.share_fakes=false",), 2, 1),
        (("train.accumulate=2",), 2, 2),
        (("loss=relativistic",), 1, 2),
        (("train.n_dis=3",), 3, 3),
        (("train.first=generator", "train.n_gen=2"), 3, 1),
    ],
    ids=str,
)
def test_a_replayed_step_draws_what_its_terms_ask_for_once_and_nothing_else(
    words: tuple[str, ...], drawn: int, gathered: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners = {"latents": Draws, "_drawn": Draws, "generate": Networks, "samples": Batches}
    calls = {name: counted(owner, name, monkeypatch) for name, owner in owners.items()}
    game = small_game(*words)
    taped(game)
    for step in range(3):
        train_step(game, step)
    for made in calls.values():
        made.clear()
    train_step(game, 3)
    numbers = {name: len(made) for name, made in calls.items()}
    assert numbers == {"latents": drawn, "samples": gathered, "_drawn": 0, "generate": 0}


def test_what_only_a_lazy_term_asks_for_is_drawn_when_it_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    game = small_game("penalty=[gradient_penalty]", "penalty.gradient_penalty.every=3")
    taped(game)
    calls = counted(Draws, "_drawn", monkeypatch)
    for step in range(9):
        train_step(game, step)
    assert calls == [("uniform", (4,), "interpolation", "discriminator", number) for number in (0, 3, 6)]


def test_a_step_that_diverges_is_named_though_it_was_replayed() -> None:
    game = small_game("penalty=[r1]", "penalty.r1.every=1")
    taped(game)
    for step in range(3):
        train_step(game, step)
    with torch.no_grad():
        game.discriminator.parameters[0].fill_(float("nan"))
    for step in range(3, 6):
        train_step(game, step)
    with pytest.raises(DivergenceError, match=r"step 4: the discriminator's (r1|adversarial) is not finite"):
        game.check()


def refused(game: Game, because: str) -> None:
    """Play a game until a step is to be recorded, and see that refused in one line, with the state as it was."""
    tapes = taped(game)
    train_step(game, 0)
    before = {name: tensor.clone() for name, tensor in state.tensors(game).items()}
    with pytest.raises(
        ConfigError, match=r"^device\.graphs: a step cannot be recorded \(.*\); set it to false$"
    ) as error:
        train_step(game, 1)
    assert because in str(error.value)
    assert (tapes.warm_ups, tapes.replays) == (1, 0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in state.tensors(game).items())


@pytest.mark.parametrize(
    ("words", "because"),
    [
        (
            ("optimizer=sgd", "schedule.learning_rate.shape=linear"),
            "SGD takes a learning rate that moves from outside the device",
        ),
        (
            ("optimizer=sgd", "device.precision=fp16"),
            "SGD waits for the device to learn whether an update is skipped",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_recorded_is_refused(words: tuple[str, ...], because: str) -> None:
    refused(small_game("train.steps=6", *words), because)


def test_an_optimizer_that_counts_in_python_is_not_recorded() -> None:
    game = small_game()
    train_step(game, 0)
    game.generator.optimizer.state[game.generator.parameters[0]]["updates"] = 1
    with pytest.raises(RuntimeError, match=r"^Adam counts outside the device$"):
        cuda_graphs._check_capturable(game.generator)


def test_a_term_that_waits_for_the_device_is_refused() -> None:
    game = small_game()
    compute = game.generator.terms[0].compute

    def term(round: Round) -> Tensor:
        assert game.generator.parameters[0].sum().item() is not None
        return compute(round)

    object.__setattr__(game.generator.terms[0], "compute", term)
    refused(game, "operation not permitted when stream is capturing")


def test_a_draw_that_no_term_declares_is_refused_by_name() -> None:
    game = small_game()
    compute = game.generator.terms[-1].compute
    object.__setattr__(
        game.generator.terms[-1], "compute", lambda round: compute(round) + round.uniform("another").mean()
    )
    told = (
        r"""^a term reads 'another' and does not declare it; add draws = \{"another": "uniform"\} to its class$"""
    )
    with pytest.raises(ConfigError, match=told):
        train_step(game, 0)


def test_too_many_sets_of_due_terms_are_played_and_that_is_reported_once(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cuda_graphs, "MOST_GRAPHS", 1)
    plain, game = small_games(2, *TWO)
    tapes = taped(game)
    assert_alike(plain, game, range(8))
    assert (tapes.warm_ups, len(tapes.tapes), tapes.replays) == (1, 1, 3)
    assert capsys.readouterr().out == "note    device.graphs: 1 sets of due terms are recorded, and no others\n"


def test_games_on_the_cpu_are_played_plainly() -> None:
    assert small_game("device.graphs=true").replay is None


def test_what_a_device_cannot_compile_is_refused_in_one_line() -> None:
    told = "device.compile: compiles for CUDA alone, not for cpu; set it to false"
    with pytest.raises(ConfigError, match=f"^{re.escape(told)}$"):
        small_game("device.compile=true")
