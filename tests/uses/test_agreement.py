"""How two tensors differ, and how far they may."""

import pytest
import torch

from ganctl.uses.agreement import FLOATS, agreement

LEVELS = torch.arange(200, dtype=torch.uint8)


@pytest.mark.parametrize(
    ("changes", "largest", "changed", "close", "told"),
    [
        ({}, 0, 0, True, "0 of 255 levels"),
        ({3: 4}, 1, 0.005, True, "1 of 255 levels, in 0.50% of values"),
        ({3: 4, 7: 6}, 1, 0.01, True, "1 of 255 levels, in 1.00% of values"),
        ({3: 4, 7: 6, 9: 10}, 1, 0.015, False, "1 of 255 levels, in 1.50% of values"),
        ({3: 5}, 2, 0.005, False, "2 of 255 levels, in 0.50% of values"),
        ({0: 255}, 255, 0.005, False, "255 of 255 levels, in 0.50% of values"),
    ],
)
def test_bytes_differ_by_levels(
    changes: dict[int, int], largest: float, changed: float, close: bool, told: str
) -> None:
    found = LEVELS.clone()
    for place, value in changes.items():
        found[place] = value
    result = agreement(found, LEVELS)
    assert (result.largest, result.changed, result.close, str(result)) == (largest, changed, close, told)


def test_floats_differ_by_shares_of_their_range() -> None:
    expected = torch.tensor([0.0, -4.0, 2.0])
    for share, close in ((FLOATS / 2, True), (FLOATS * 2, False), (float("nan"), False)):
        found = expected + torch.tensor([0.0, 0.0, 4 * share])
        result = agreement(found, expected)
        assert result.largest == pytest.approx(share, rel=1e-3, nan_ok=True)
        assert result.close is close
    assert agreement(expected + 1, expected, span=2.0).largest == 0.5
    assert str(agreement(expected, expected)) == "0.0e+00 of the range"
    assert agreement(torch.zeros(3), torch.zeros(3)).close


def test_tensors_of_another_kind_are_not_compared() -> None:
    with pytest.raises(ValueError, match=r"torch.uint8 \[200\], not torch.float32 \[200\]"):
        agreement(LEVELS, LEVELS.float())
    with pytest.raises(ValueError, match=r"\[100\], not torch.uint8 \[200\]"):
        agreement(LEVELS[:100], LEVELS)
