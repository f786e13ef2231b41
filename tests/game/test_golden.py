"""Every experiment's first losses are those that were looked at when they were written down."""

import pytest

from scripts.golden import EXPERIMENTS, FOLDER, PLAYERS, STEPS, first_losses, machine, read

FIRST_TOLERANCE, GROWTH = 5e-3, 1.2
"""Between processors, whose kernels round differently: games drift apart, here by up to 0.05 in 20 steps."""


def test_every_experiment_has_golden_losses_and_none_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(EXPERIMENTS)


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_first_losses_are_the_golden_ones(experiment: str) -> None:
    golden = read(experiment)
    losses = first_losses(experiment)
    same_machine = golden["machine"] == machine()
    for player in PLAYERS:
        assert len(golden[player]) == STEPS
        for step, (ours, written) in enumerate(zip(losses[player], golden[player], strict=True)):
            drift = FIRST_TOLERANCE * GROWTH**step
            expected = written if same_machine else pytest.approx(written, rel=drift, abs=drift)
            assert ours == expected, f"{player}, step {step + 1}; if it is meant: scripts/golden {experiment}"
