"""scripts/compare_metrics: the tools that are installed find our number, and what is missing is one line."""

import builtins
import sys
from typing import Any

import pytest
import torch

from ganctl.metrics.frechet import frechet_distance
from ganctl.metrics.statistics import MomentSum
from scripts import compare_metrics
from scripts.compare_metrics import TOLERANCE, TOOLS


@pytest.mark.filterwarnings("ignore:The `disp` argument is deprecated:DeprecationWarning")
@pytest.mark.parametrize(
    ("name", "module"),
    [("pytorch-fid", "pytorch_fid"), ("clean-fid", "cleanfid"), ("torch-fidelity", "torch_fidelity")],
)
@pytest.mark.parametrize("count", [40, 200])  # fewer than dimensions, whose covariance is singular, and more
def test_a_tool_finds_our_number_of_the_same_features(name: str, module: str, count: int) -> None:
    pytest.importorskip(module, reason=f"{name} is not installed")
    numbers = torch.Generator().manual_seed(0)
    sides = [torch.randn(count, 64, generator=numbers) * scale + scale for scale in (1.0, 1.5)]
    moments = []
    for side in sides:
        found = MomentSum(64, torch.device("cpu"))
        found.add(side)
        moments.append(found.moments())
    ours = frechet_distance(*moments)
    assert TOOLS[name].of_features(*sides) == pytest.approx(ours, rel=TOLERANCE)


def test_packages_that_are_missing_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    imported = builtins.__import__

    def without(name: str, *arguments: Any, **keys: Any) -> Any:
        if name == "cleanfid":
            raise ImportError(name)
        return object() if name in ("pytorch_fid", "torch_fidelity") else imported(name, *arguments, **keys)

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(sys, "argv", ["compare_metrics"])
    assert compare_metrics.main() == 2
    told = "compare_metrics: not installed: clean-fid; pip install --no-deps clean-fid\n"
    assert capsys.readouterr() == ("", told)


def test_tools_that_must_agree_and_do_not_end_with_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [("tool", "images", 2.0, 2.5, False), ("tool", "our features", 2.0, 2.0 + 1e-6, True)]
    monkeypatch.setattr(compare_metrics, "lacking", lambda: "")
    monkeypatch.setattr(compare_metrics, "draw_weights", lambda path, _: path.write_bytes(b""))
    monkeypatch.setattr(compare_metrics, "compared", lambda *_: rows)
    monkeypatch.setattr(sys, "argv", ["compare_metrics", "--num", "1", "--sides", "8"])
    assert compare_metrics.main() == 0
    assert capsys.readouterr().out.splitlines()[2:] == [
        "| tool | images | 2 | 2.5 | +0.5 |",
        "| tool | our features | 2 | 2 | +1e-06 |",
    ]
    rows.append(("tool", "our features", 2.0, 2.001, True))
    assert compare_metrics.main() == 1
