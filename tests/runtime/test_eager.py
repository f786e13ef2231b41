"""Optimizers without the compiler: the same bits, and it is not imported."""

import subprocess
import sys
from typing import Any

import pytest
import torch

from ganctl.runtime.eager import eager

KINDS: dict[type[torch.optim.Optimizer], dict[str, Any]] = {
    torch.optim.Adam: {"betas": (0.5, 0.99)},
    torch.optim.AdamW: {"weight_decay": 0.1},
    torch.optim.SGD: {"momentum": 0.9},
    torch.optim.RMSprop: {"momentum": 0.5},
}


def stepped(kind: type[torch.optim.Optimizer], settings: dict[str, Any]) -> tuple[torch.Tensor, dict[str, Any]]:
    """Return weights and state after three steps, the last by an optimizer that was restored from the first."""
    weight = torch.nn.Parameter(torch.linspace(-1, 1, 7))
    optimizer = kind([weight], lr=0.1, **settings)  # type: ignore[call-arg]
    for step in range(3):
        optimizer.zero_grad()
        weight.pow(3).sum().backward()
        if step == 2:
            restored = kind([weight], lr=0.1, **settings)  # type: ignore[call-arg]
            restored.load_state_dict(optimizer.state_dict())
            optimizer = restored
        optimizer.step()
    return weight.detach(), optimizer.state_dict()


@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_torchs_to_the_last_bit(kind: type[torch.optim.Optimizer]) -> None:
    ours, theirs = (stepped(each, KINDS[kind]) for each in (eager(kind), kind))
    assert torch.equal(ours[0], theirs[0])
    assert ours[1]["param_groups"] == theirs[1]["param_groups"]
    assert ours[1]["state"][0].keys() == theirs[1]["state"][0].keys()
    for key, value in ours[1]["state"][0].items():
        assert torch.equal(value, theirs[1]["state"][0][key])


def test_hooks_and_closures_work_as_they_do_in_torch() -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = eager(torch.optim.SGD)([weight], lr=0.5)  # type: ignore[call-arg]
    seen: list[str] = []
    optimizer.register_step_post_hook(lambda *given: seen.append("stepped"))

    def closure() -> float:
        with torch.enable_grad():
            optimizer.zero_grad()
            loss = weight.sum()
            loss.backward()
        return loss.item()

    assert optimizer.step(closure) == 2.0
    assert seen == ["stepped"]
    assert weight.tolist() == [0.5, 0.5]


def test_torchs_compiler_is_not_imported() -> None:
    lines = [
        "import sys, torch",
        "from ganctl.runtime.eager import eager",
        "weight = torch.nn.Parameter(torch.ones(2))",
        *(
            f"optimizer = eager(torch.optim.{kind.__name__})([weight], lr=0.1); optimizer.zero_grad(); "
            "weight.sum().backward(); optimizer.step(); optimizer.load_state_dict(optimizer.state_dict())"
            for kind in KINDS
        ),
        "print(weight.tolist() != [1, 1], 'torch._dynamo' in sys.modules)",
    ]
    result = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert result.stdout == "True False\n"
