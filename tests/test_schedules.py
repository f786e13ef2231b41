"""Schedules: their values on the way, and what follows them in a run."""

import json
import math
from pathlib import Path

import pytest
import torch

from ganctl.checkpoints import state
from ganctl.config import train_config
from ganctl.game.scalars import measure
from ganctl.game.step import train_step
from ganctl.schedules import CONSTANT, SHAPES, Schedule
from tests.composed import composed
from tests.conftest import TINY, Cli, contents
from tests.game.games import small_game

MOVING = ("schedule.learning_rate.shape=cosine", "schedule.learning_rate.warmup=2")


def schedule(shape: str, *, warmup: int = 0, final: float = 0.0, end: int = 100) -> Schedule:
    return Schedule(shape=shape, warmup=warmup, final=final, until=None).ending(end)


@pytest.mark.parametrize(
    ("shape", "middle", "end"), [("constant", 1.0, 1.0), ("linear", 0.6, 0.2), ("cosine", 0.6, 0.2)]
)
def test_a_shape_starts_at_one_and_stays_at_its_final_value(shape: str, middle: float, end: float) -> None:
    factor = schedule(shape, final=0.2).factor
    assert [factor(step) for step in (0, 50, 100, 101, 10**9)] == pytest.approx([1.0, middle, end, end, end])


def test_every_shape_is_tested_here() -> None:
    assert set(SHAPES) == {"constant", "linear", "cosine"}


def test_a_linear_way_is_straight_and_a_cosine_is_half_a_wave() -> None:
    for step in range(100):
        assert schedule("linear").factor(step) == pytest.approx(1 - step / 100)
        assert schedule("cosine", final=0.5).factor(step) == pytest.approx(
            0.75 + math.cos(math.pi * step / 100) / 4
        )


def test_a_factor_may_rise() -> None:
    assert schedule("linear", final=3.0).factor(50) == pytest.approx(2.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_warming_up_rises_from_the_first_step_and_then_the_shape_begins(shape: str) -> None:
    factor = schedule(shape, warmup=20, final=0.5).factor
    assert [factor(step) for step in (0, 9, 19, 20)] == pytest.approx([0.05, 0.5, 1.0, 1.0])
    assert factor(60) == pytest.approx(1.0 if shape == "constant" else 0.75)
    assert factor(100) == pytest.approx(1.0 if shape == "constant" else 0.5)


def test_the_constant_schedule_moves_nothing() -> None:
    assert {CONSTANT.factor(step) for step in (0, 1, 10**6)} == {1.0}


@pytest.mark.parametrize(("until", "at_five"), [("null", 0.5), ("20", 0.75)])
def test_without_an_end_of_its_own_a_schedule_ends_with_the_run(until: str, at_five: float) -> None:
    words = ("schedule.learning_rate.shape=linear", f"schedule.learning_rate.until={until}", "train.steps=10")
    assert small_game(*words).generator.schedule.factor(5) == pytest.approx(at_five)


@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_each_players_learning_rate_follows_and_is_logged_as_that_of_the_step_just_done(optimizer: str) -> None:
    rates = ("optimizer.lr=0.01", "optimizer.discriminator.lr=0.02")
    game = small_game(f"optimizer={optimizer}", *MOVING, *rates, "train.steps=10", model="mlp", data="ring")
    factors = [0.5, 1.0, *((1 + math.cos(math.pi * step / 8)) / 2 for step in range(8)), 0.0]
    for step, factor in enumerate(factors):
        train_step(game, step)
        numbers = measure(game, step)
        assert numbers["learning_rate/generator"] == pytest.approx(0.01 * factor)
        assert numbers["learning_rate/discriminator"] == pytest.approx(0.02 * factor)


def test_a_learning_rate_of_zero_leaves_the_weights() -> None:
    game = small_game("schedule.learning_rate.shape=linear", "train.steps=3", model="mlp", data="ring")
    train_step(game, 0)
    before = [weight.detach().clone() for weight in game.generator.parameters]
    train_step(game, 3)
    assert all(torch.equal(old, new) for old, new in zip(before, game.generator.parameters, strict=True))


def test_penalty_weights_follow_and_other_terms_do_not() -> None:
    choices = ("penalty=[r1,r2]", "penalty.r1.weight=4", "penalty.r1.every=2", "penalty.r2.weight=6")
    moving = ("schedule.penalty.shape=linear", "schedule.penalty.final=0", "train.steps=4")
    game = small_game(*choices, *moving, "device.precision=fp64")
    for step in range(4):
        train_step(game, step)
        numbers = measure(game, step)
        share = 1 - step / 4
        expected = (
            4 * share * numbers["term/discriminator/r1"]
            + 6 * share * numbers["term/discriminator/r2"]
            + numbers["term/discriminator/adversarial"]
        )
        assert numbers["loss/discriminator"] == pytest.approx(expected, rel=1e-5)


def test_a_moved_penalty_counts_in_the_update_as_one_of_that_weight() -> None:
    moving = ("schedule.penalty.shape=linear", "schedule.penalty.final=0", "train.steps=4")
    moved = small_game("penalty=[r1]", "penalty.r1.weight=8", "penalty.r1.every=1", *moving)
    fixed = small_game("penalty=[r1]", "penalty.r1.weight=2", "penalty.r1.every=1")
    for game in (moved, fixed):
        train_step(game, 3)
    for ours, theirs in zip(moved.discriminator.parameters, fixed.discriminator.parameters, strict=True):
        assert torch.equal(ours, theirs)


def test_the_averages_half_life_follows() -> None:
    short = ("ema.half_life=8", "ema.ramp=0", "schedule.ema.shape=linear", "schedule.ema.final=0", "train.steps=4")
    game = small_game(*short, "train.batch_size=4")
    assert game.ema is not None
    for step, share in ((0, 0.5**0.5), (2, 0.5), (4, 0.0)):
        before = [weight.clone() for weight in game.ema.average.parameters()]
        train_step(game, step)
        pairs = zip(before, game.ema.average.parameters(), game.generator.parameters, strict=True)
        for old, average, new in pairs:
            torch.testing.assert_close(average, share * old + (1 - share) * new)


@pytest.mark.parametrize("key", ["learning_rate", "penalty", "ema"])
def test_going_on_in_the_middle_of_a_schedule_is_exact(key: str) -> None:
    words = (
        f"schedule.{key}.shape=cosine",
        f"schedule.{key}.warmup=2",
        f"schedule.{key}.final=0.1",
        "train.steps=8",
    )
    whole, first, second = (small_game(*words, "penalty=[r1]", "ema.half_life=40") for _ in range(3))
    for game, steps in ((whole, range(8)), (first, range(4))):
        for step in steps:
            train_step(game, step)
    state.restore(second, state.tensors(first))
    for step in range(4, 8):
        train_step(second, step)
    expected, got = state.tensors(whole), state.tensors(second)
    assert [name for name in expected if not torch.equal(expected[name], got[name])] == []
    assert measure(second, 7) == measure(whole, 7)


def test_a_run_stopped_in_the_middle_of_a_schedule_logs_what_one_in_one_go_does(workspace: Path, cli: Cli) -> None:
    words = [*TINY, *MOVING, "schedule.learning_rate.until=6", "logging.every=1"]
    assert cli("train", *words, "name=whole", "train.steps=6").code == 0
    assert cli("train", *words, "name=parts", "train.steps=3").code == 0
    outcome = cli("resume", "outputs/parts", "train.steps=6")
    assert (outcome.code, outcome.err) == (0, "")
    rows = [
        [json.loads(line) for line in Path(f"outputs/{name}/metrics.jsonl").read_text().splitlines()]
        for name in ("whole", "parts")
    ]
    for row in [*rows[0], *rows[1]]:
        del row["images_per_second"], row["data_wait"]
    assert len(rows[0]) == 6
    assert rows[0] == rows[1]


@pytest.mark.parametrize("key", ["learning_rate", "penalty", "ema"])
def test_a_run_whose_schedule_ends_with_it_cannot_be_made_longer(key: str, workspace: Path, cli: Cli) -> None:
    words = [*TINY, f"schedule.{key}.shape=linear", "name=run"]
    assert cli("train", *words).code == 0
    before = contents(workspace)
    outcome = cli("resume", "outputs/run", "train.steps=2")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(
        f"ganctl: train.steps: cannot change when a run goes on, because schedule.{key} ends with the run"
    )
    outcome = cli("train", *words, "train.steps=2")
    assert outcome.code == 2
    assert "train.steps (1 there, 2 here)" in outcome.err
    assert contents(workspace) == before


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], False),
        (["schedule.learning_rate.warmup=5"], False),
        (["schedule.learning_rate.shape=linear"], True),
        (["schedule.ema.shape=cosine"], True),
        (["schedule.penalty.shape=cosine"], True),
        (["schedule.learning_rate.shape=linear", "schedule.learning_rate.until=900"], False),
    ],
    ids=str,
)
def test_the_number_of_steps_is_part_of_a_run_only_where_a_schedule_ends_with_it(
    words: list[str], part: bool
) -> None:
    short, long = (train_config(composed(*words, f"train.steps={steps}")) for steps in (1000, 2000))
    assert (short.run_name() != long.run_name()) == part
    assert ("train.steps" in short.identity()) == part


def test_each_schedule_that_moves_makes_another_run() -> None:
    words = [
        f"schedule.{key}.{change}"
        for key in ("learning_rate", "penalty", "ema")
        for change in ("shape=linear", "shape=cosine", "warmup=3")
    ]
    names = {train_config(composed(word)).run_name() for word in words}
    assert len(names | {train_config(composed()).run_name()}) == len(words) + 1
