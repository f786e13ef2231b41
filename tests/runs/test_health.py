"""Numbers that tell how the game goes, and the line that is said when it goes wrong for long."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from sklearn.metrics import roc_auc_score

from ganctl.command_line.explain import config_folder
from ganctl.config import TrainConfig, flatten
from ganctl.game.scalars import diversity, measure, separation
from ganctl.game.step import SHOWN, train_step
from ganctl.runs.health import (
    ALIKE,
    LONG_ROWS,
    LONG_STEPS,
    LOST,
    TROUBLES,
    VANISHED,
    WON,
    HealthWatch,
)
from scripts.soaks.warm import Warm
from tests.behaviours.runs import TINY
from tests.game.games import small_config, small_game

SEPARATION, GRADIENT, DIVERSITY = "health/separation", "health/generator_gradient", "health/diversity"
WELL = {SEPARATION: 0.8, GRADIENT: 1e-3, DIVERSITY: 0.9}
LINES = {
    "won": {SEPARATION: WON},
    "lost": {SEPARATION: LOST},
    "learns": {GRADIENT: VANISHED / 2},
    "alike": {DIVERSITY: ALIKE / 2},
}
"""A word of each line, and the number that brings it about."""


@pytest.mark.parametrize("decimals", [7, 0], ids=["distinct", "ties"])
def test_separation_is_the_area_under_the_receiver_operating_characteristic(decimals: int) -> None:
    noise = np.random.default_rng(0)
    real, fake = noise.normal(1, 1, 40).round(decimals), noise.normal(0, 1, 25).round(decimals)
    expected = roc_auc_score([1] * 40 + [0] * 25, np.concatenate([real, fake]))
    assert float(separation(torch.tensor(real), torch.tensor(fake))) == pytest.approx(expected)


@pytest.mark.parametrize(("shift", "expected"), [(9.0, 1.0), (0.0, 0.5), (-9.0, 0.0)])
def test_separation_goes_from_0_over_guessing_to_1(shift: float, expected: float) -> None:
    fake = torch.linspace(-1, 1, 8)
    assert float(separation(fake.flip(0) + shift, fake)) == expected


@pytest.mark.parametrize("spread", [3.0, 1.0, 1e-4])
def test_diversity_is_the_ratio_of_the_mean_pairwise_distances(spread: float) -> None:
    noise = np.random.default_rng(0)
    real = noise.normal(size=(20, 1, 8, 8)).astype(np.float32)
    fake = (5 + spread * noise.normal(size=(12, 1, 8, 8))).astype(np.float32)
    expected = pdist(fake.reshape(12, -1)).mean() / pdist(real.reshape(20, -1)).mean()
    assert float(diversity(torch.from_numpy(real), torch.from_numpy(fake))) == pytest.approx(expected, rel=1e-3)


def test_diversity_of_samples_that_are_all_alike_is_0_and_is_no_number_beside_such_data() -> None:
    varied = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))
    alike = varied[:1].expand(8, -1)
    assert float(diversity(varied, alike)) == 0
    assert not math.isfinite(float(diversity(alike, varied)))
    assert math.isnan(float(diversity(alike, alike)))
    assert math.isnan(float(diversity(varied, varied[:1])))


@pytest.mark.parametrize(
    "words", [["loss=relativistic"], ["loss=wgan_gp"], ["train.pack=2"], ["train.accumulate=2"]]
)
def test_every_game_has_the_three_numbers_of_its_last_step(words: list[str]) -> None:
    game = small_game(*words)
    for step in range(2):
        train_step(game, step)
    found = measure(game, 1)
    gradients = torch.cat(
        [weight.grad.flatten() for weight in game.generator.parameters if weight.grad is not None]
    )
    assert found[GRADIENT] == pytest.approx(float(gradients.square().mean().sqrt()), rel=1e-5)
    logits = game.discriminator.last.logits
    pairs = (logits["real"][:, None] > logits["fake"]).float().mean()
    assert found[SEPARATION] == pytest.approx(float(pairs))
    last = game.draws.accumulate * game.discriminator.updates * 2 - 1
    real = game.draws.batches.samples("discriminator", last)
    assert found[DIVERSITY] == pytest.approx(float(diversity(real, game.discriminator.last.samples["fake"])))


def test_few_samples_of_the_discriminators_are_kept_off_the_graph_and_none_of_the_generators() -> None:
    game = small_game(f"train.batch_size={SHOWN + 8}", model="mlp", data="ring")
    train_step(game, 0)
    assert not game.generator.last.samples
    for side in ("real", "fake"):
        kept = game.discriminator.last.samples[side]
        assert kept.shape == (SHOWN, 2)
        assert not kept.requires_grad


@pytest.fixture(scope="module")
def plain() -> TrainConfig:
    return small_config()


def said(watch: HealthWatch, steps: range, **changed: float) -> list[tuple[int, str]]:
    """Return step and line of everything said while all is well but for what is changed."""
    row = WELL | {f"health/{name}": value for name, value in changed.items()}
    return [(step, line) for step in steps for line in watch.look(step, row)]


def sick(word: str) -> dict[str, float]:
    return {name.removeprefix("health/"): value for name, value in LINES[word].items()}


@pytest.mark.parametrize("word", LINES)
def test_trouble_is_said_once_when_it_has_lasted_and_again_only_after_it_was_away_for_as_long(
    word: str, plain: TrainConfig
) -> None:
    watch = HealthWatch(plain)
    once, long = 25, LONG_STEPS + 25
    assert said(watch, range(25, 3 * long, once)) == []
    found = said(watch, range(2000, 2000 + 3 * long, once), **sick(word))
    assert [step for step, _ in found] == [2000 + LONG_STEPS]
    assert word in found[0][1]
    assert f"for {LONG_STEPS} steps; what usually helps: " in found[0][1]
    assert said(watch, range(4000, 4000 + LONG_STEPS, once)) == []
    assert said(watch, range(5000, 5000 + 2 * long, once), **sick(word)) == []
    assert said(watch, range(6000, 6000 + long, once)) == []
    assert [step for step, _ in said(watch, range(7000, 7000 + long, once), **sick(word))] == [7000 + LONG_STEPS]


def test_trouble_that_pauses_for_a_row_begins_anew(plain: TrainConfig) -> None:
    watch = HealthWatch(plain)
    assert said(watch, range(25, LONG_STEPS + 1, 25), diversity=0.1) == []
    assert said(watch, range(500, 501)) == []
    assert said(watch, range(525, 525 + LONG_STEPS, 25), diversity=0.1) == []


def test_what_is_long_grows_with_the_run_and_needs_several_rows(plain: TrainConfig) -> None:
    watch = HealthWatch(small_config("train.steps=20000"))
    assert [step for step, _ in said(watch, range(25, 2001, 25), diversity=0.1)] == [1025]
    watch = HealthWatch(plain)
    assert [step for step, _ in said(watch, range(500, 9000, 500), diversity=0.1)] == [500 * LONG_ROWS]


def test_a_number_that_is_missing_or_none_is_no_trouble(plain: TrainConfig) -> None:
    watch = HealthWatch(plain)
    assert said(watch, range(25, 2000, 25), diversity=math.nan, separation=math.nan) == []
    assert [line for step in range(2000, 4000, 25) for line in watch.look(step, {})] == []


def test_a_critic_may_tell_everything_apart_but_not_worse_than_by_guessing() -> None:
    critic = HealthWatch(small_config("loss=wgan_gp"))
    assert said(critic, range(25, 2000, 25), separation=1.0) == []
    assert "lost" in said(critic, range(2000, 4000, 25), separation=0.0)[0][1]


@pytest.mark.parametrize(
    "words",
    [
        ["penalty=[]", "loss=hinge"],
        ["penalty=[r1]", "train.pack=2", "train.n_dis=2", "optimizer=sgd", "optimizer.generator.lr=1e-5"],
        ["penalty=[orthogonal,dragan]", "loss=minimax", "train.n_gen=2", "train.batch_size=6"],
        ["loss=wgan_gp"],
        ["loss=wgan", "penalty=[weight_clipping]", "optimizer=rmsprop"],
    ],
    ids=" ".join,
)
def test_what_usually_helps_is_in_keys_and_options_that_there_are(words: list[str]) -> None:
    config = small_config(*words)
    values = flatten(config.saved())
    for trouble in TROUBLES:
        found = trouble.remedies(config)
        assert found
        for advice in found:
            key, way, value = advice.replace("=", " = ").split()
            if key in ("loss", "penalty"):
                options = value.strip("[]").split(",")
                assert all((config_folder() / key / f"{option}.yaml").exists() for option in options)
                assert set(options) - {str(each) for each in values.values()}
            elif way == "=":
                assert float(value) >= 0.1
                assert float(value) != values[key]
            else:
                assert way in ("above", "below")
                assert float(value) == pytest.approx(values[key])


WORDS = ["train", *TINY[-3:], "model=mlp", "model.latent=8", "model.generator.hidden=[8,8]", "penalty=[]"]
WORDS += ["model.discriminator.hidden=[128,128]", "train.batch_size=16", f"train.steps={LONG_STEPS + 50}"]
WORDS += ["logging.every=50", "sample.every=0"]
SATURATED = ["optimizer.discriminator.lr=0.02", "optimizer.betas=[0.9,0.99]", "optimizer.generator.lr=1e-6"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["data=ring", "data.num=512", "penalty=[r1]", "optimizer.lr=1e-3"], []),
        (["data=ring", "optimizer.discriminator.lr=1e-9", "optimizer.generator.lr=1e-2"], ["lost"]),
        (["data.resolution=8", "loss=minimax", *SATURATED], ["won", "learns", "alike"]),
    ],
    ids=["well", "a discriminator that stands still", "a generator that saturates"],
)
def test_a_run_says_what_it_suffers_from_and_a_healthy_one_nothing(
    words: list[str], expected: list[str], warm: Warm, tmp_path: Path
) -> None:
    code, out, err = warm.finish(tmp_path, *WORDS, *words)
    assert (code, err) == (0, "")
    lines = [line for line in out.splitlines() if line.startswith("health  ")]
    assert len(lines) == len(expected)
    assert all(word in line for word, line in zip(expected, lines, strict=True))
    recorded = (tmp_path / "outputs/run/run.log").read_text().splitlines()
    assert [line.partition("  ")[2] for line in recorded if "  health  " in line] == lines
