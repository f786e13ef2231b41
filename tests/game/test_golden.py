"""Every experiment's first losses are those that were looked at when they were written down."""

import pytest

from scripts.golden import EXPERIMENTS, FOLDER, PLAYERS, STEPS, first_losses, read

TOLERANCE = 1e-6
"""Losses are read in float32. The games are in fp64, in which processors agree to far more digits."""


def test_every_experiment_has_golden_losses_and_none_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_first_losses_are_the_golden_ones(experiment: str) -> None:
    golden, losses = read(experiment), first_losses(experiment)
    for player in PLAYERS:
        assert len(golden[player]) == STEPS
        for step, (ours, written) in enumerate(zip(losses[player], golden[player], strict=True)):
            expected = pytest.approx(written, rel=TOLERANCE, abs=TOLERANCE)
            assert ours == expected, f"{player}, step {step + 1}; if it is meant: scripts/golden {experiment}"
