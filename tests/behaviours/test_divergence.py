"""Numbers that are not finite: the run stops, or goes back and draws others, exactly as often as it is killed."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from ganctl.checkpoints import state
from ganctl.game.scalars import measure
from ganctl.game.step import train_step
from scripts.soaks.traces import events, last_step, numbers, traces
from scripts.soaks.warm import Warm
from tests.behaviours.runs import TINY, wait_for_step
from tests.game.games import small_game

RUN = Path("outputs/run")
FRAGILE = """\
from typing import Literal

from ganctl.penalties import PENALTIES, PenaltyTerm


@PENALTIES.register
class Fragile(PenaltyTerm):
    name: Literal["fragile"]
    draws = {"fragile": "uniform"}

    def __call__(self, view):
        drawn = view.uniform("fragile")[0]
        return (drawn / (drawn < 0.95)).nan_to_num(posinf=float("nan")) * 0 + view.real_logits.mean() * 0
"""
"""A penalty that is not finite at one of twenty draws."""

WORDS = [
    "train",
    *TINY,
    "plugins=[fragile]",
    "penalty=[]",
    "+penalty.fragile={name: fragile, weight: 1, every: 1}",
    "train.steps=40",
    "logging.every=1",
    "sample.every=10",
    "checkpoint.every=2",
]
ROLLBACK = [*WORDS, "train.on_divergence=rollback", "train.max_rollbacks=20"]


@pytest.fixture
def fragile(tmp_path: Path) -> Path:
    (tmp_path / "fragile.py").write_text(FRAGILE)
    return tmp_path


@pytest.fixture(scope="module")
def rolled_back(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that went back a few times and came to its end."""
    folder = tmp_path_factory.mktemp("rolled_back")
    (folder / "fragile.py").write_text(FRAGILE)
    code, out, err = warm.finish(folder, *ROLLBACK)
    assert (code, err) == (0, "")
    assert "the discriminator's fragile is not finite; back to step" in out
    return folder / RUN


def rollbacks(run: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((run / "run.json").read_text())["rollbacks"]
    return found


def test_a_diverging_run_stops_and_names_step_network_term_and_checkpoint(warm: Warm, fragile: Path) -> None:
    code, _, err = warm.finish(fragile, *WORDS)
    assert (code, err.count("\n")) == (5, 1)
    step = last_step(fragile / RUN) + 1
    saved = step - 1 - (step - 1) % 2
    assert f"training diverged at step {step}: the discriminator's fragile is not finite" in err
    assert f"last good checkpoint: outputs/run/checkpoints/step-{saved:08d}.safetensors" in err
    assert json.loads((fragile / RUN / "run.json").read_text())["status"] == "diverged"
    assert warm.finish(fragile, *WORDS)[0] == 5
    code, _, err = warm.finish(fragile, *ROLLBACK)
    assert (code, err) == (0, "")
    assert rollbacks(fragile / RUN)


def test_a_rolled_back_run_says_so_and_has_each_step_once(rolled_back: Path) -> None:
    found = rollbacks(rolled_back)
    assert 0 < len(found) < 20
    for rollback in found:
        assert rollback["to_step"] % 2 == 0
        assert rollback["to_step"] < rollback["from_step"] <= rollback["to_step"] + 2
        assert f"step {rollback['from_step']}:" in str(rollback["because"])
    assert [row["step"] for row in numbers(rolled_back)] == list(range(1, 41))
    assert [event.step for event in events(rolled_back).Scalars("loss/generator")] == list(range(1, 41))


def test_speeds_after_a_rollback_are_those_of_the_steps_since(rolled_back: Path) -> None:
    lines = (rolled_back / "metrics.jsonl").read_text().splitlines()
    rows = [row for line in lines if "images_per_second" in (row := json.loads(line))]
    assert rows
    for row in rows:
        assert row["images_per_second"] > 0
        assert 0 <= row["data_wait"] <= 1


def test_a_run_killed_between_rollbacks_ends_the_same(warm: Warm, rolled_back: Path, fragile: Path) -> None:
    back = rollbacks(rolled_back)[0]["to_step"]
    for step in (back + 1, back + 6):
        process = warm.start(fragile, *ROLLBACK)
        wait_for_step(process, fragile / RUN, step)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    code, _, err = warm.finish(fragile, *ROLLBACK)
    assert (code, err) == (0, "")
    assert traces(fragile / RUN) == traces(rolled_back)
    assert rollbacks(fragile / RUN) == rollbacks(rolled_back)


COUNTING = """\
import gc, weakref

from ganctl.runs import runner, start

whole, made = runner.build_game, []

def counting(*arguments):
    gc.disable()
    print("games alive:", sum(each() is not None for each in made))
    game = whole(*arguments)
    made.append(weakref.ref(game))
    return game

runner.build_game = start.build_game = counting
"""
"""A plugin by which a run says how many games it holds before it makes one; the collector of cycles is off."""


def test_a_rollback_lets_go_of_the_game_before_it_makes_another(warm: Warm, fragile: Path) -> None:
    (fragile / "counting.py").write_text(COUNTING)
    code, out, err = warm.finish(fragile, *ROLLBACK, "plugins=[fragile,counting]")
    assert (code, err) == (0, "")
    assert out.count("games alive: ") == len(rollbacks(fragile / RUN)) + 1
    assert out.count("games alive: 0\n") == out.count("games alive: ")


def test_a_run_that_diverges_on_any_numbers_stops_after_the_last_rollback(warm: Warm, tmp_path: Path) -> None:
    hopeless = ["train", *TINY, "optimizer=sgd", "optimizer.lr=1e30", "train.on_divergence=rollback"]
    code, out, err = warm.finish(tmp_path, *hopeless, "logging.every=1", "train.max_rollbacks=2")
    assert (code, err.count("\n")) == (5, 1)
    assert out.count("back to step 0, from where other numbers are drawn") == 2
    assert "after train.max_rollbacks=2 rollbacks" in err
    assert (tmp_path / RUN / "checkpoints/step-00000000.safetensors").exists()


def test_a_rollback_draws_other_numbers_from_the_same_weights() -> None:
    plain, salted, again = (small_game() for _ in range(3))
    salted.draws.salt(1)
    again.draws.salt(1)
    for game in (plain, salted, again):
        train_step(game, 0)
    drawn = [game.draws.batches.indices("generator", 5).tolist() for game in (plain, salted, again)]
    assert drawn[0] != drawn[1] == drawn[2]
    losses = [game.generator.values["adversarial"] for game in (plain, salted, again)]
    assert losses[0] != losses[1] == losses[2]


def test_a_run_whose_weights_overflow_is_stopped_before_it_is_saved(warm: Warm, tmp_path: Path) -> None:
    words = ["train", *TINY, "optimizer=sgd", "train.steps=1", "optimizer.generator.lr=1e38"]
    words += ["optimizer.generator.weight_decay=1e6"]
    code, _, err = warm.finish(tmp_path, *words)
    assert (code, err.count("\n")) == (5, 1)
    assert "holds numbers that are not finite; no checkpoint was saved before" in err
    assert not list((tmp_path / RUN / "checkpoints").iterdir())


def test_updates_that_fp16_skips_are_counted_and_no_divergence() -> None:
    game = small_game("device.precision=fp16")
    game.discriminator.scaler._scale = torch.tensor(2.0**40)
    game.discriminator.scaler._growth_tracker = torch.tensor(0, dtype=torch.int32)
    for step in range(3):
        train_step(game, step)
    game.check()
    numbers = measure(game, 2)
    assert numbers["skipped_updates/discriminator"] == 3
    assert numbers["skipped_updates/generator"] == 0
    other = small_game("device.precision=fp16")
    state.restore(other, state.tensors(game))
    assert measure(other, 2)["skipped_updates/discriminator"] == 3
