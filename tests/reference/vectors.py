"""Reads the numbers that official implementations computed, and compares networks of ours with them.

A table gives the names of theirs by ours, of modules ("blocks.0.first": "blocks.0.0.conv2d1") or of single tensors
("attention.gain": "blocks.2.0.sigma"). The longest name that fits counts.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.utils.parametrize import ParametrizationList

FOLDER = Path(__file__).parent
LEAVES = {
    "parametrizations.weight.original": "weight_orig",
    "parametrizations.weight.0._u": "weight_u",
    "parametrizations.weight.0._v": "weight_v",
}
"""Tensors of torch's spectral norm, and what the hook of theirs calls them."""

OUTPUTS, GRADIENTS, ROUNDED = 1e-10, 1e-9, 1.2e-7
"""Relative tolerances: results in float64, gradients in float64, results that are stored as float32."""


@dataclass(frozen=True)
class Case:
    """One file: tensors by name, in float64 unless they are whole numbers, and those that were rounded."""

    tensors: Mapping[str, Tensor]
    rounded: frozenset[str]
    metadata: Mapping[str, str]

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def under(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors whose names begin so, by the rest of their names."""
        return {name.removeprefix(prefix): self[name] for name in self.tensors if name.startswith(prefix)}

    def scalar(self, outputs: Mapping[str, Tensor]) -> Tensor:
        """Return the sum of the products of outputs, by their names, and the file's coefficients."""
        return torch.stack([(self[f"coef.{name}"] * outputs[name]).sum() for name in outputs]).sum()

    def check(self, name: str, found: Tensor, tolerance: float = OUTPUTS) -> None:
        """Assert that a tensor is the file's, relative to the largest number of that.

        A gradient that is zero in exact arithmetic is compared relative to the largest gradient of the file.
        """
        expected = self[name]
        assert found.shape == expected.shape, name
        largest = expected.abs().max().item()
        if "grad." in name and largest < GRADIENTS * self._steepest:
            largest = self._steepest
        bound = ROUNDED if name in self.rounded else tolerance
        difference = (found.detach() - expected).abs().max().item()
        assert difference <= bound * largest, f"{name}: off by {difference:.2e}, largest {largest:.2e}"

    def check_gradients(self, module: nn.Module, table: Mapping[str, str], prefix: str = "") -> set[str]:
        """Assert that all parameters' gradients, or their sums, are the file's; return those that it lacks."""
        lacking = set()
        for name, parameter in module.named_parameters():
            theirs = f"w.{_theirs(name, table)}"
            gradient = parameter.grad
            assert gradient is not None, name
            if (full := f"{prefix}grad.{theirs}") in self.tensors:
                self.check(full, gradient.reshape(self[full].shape), GRADIENTS)
            elif (sums := f"{prefix}gradsum.{theirs}") in self.tensors:
                total, squares = self[sums].tolist()
                scale = (squares * gradient.numel()) ** 0.5  # no sum is larger (Cauchy and Schwarz)
                assert abs(gradient.sum().item() - total) <= GRADIENTS * scale, sums
                assert abs(gradient.square().sum().item() - squares) <= GRADIENTS * squares, sums
            else:
                lacking.add(name)
        return lacking

    def load(self, module: nn.Module, table: Mapping[str, str], prefix: str = "w.") -> None:
        """Give a module of ours the file's weights and running statistics, in float64.

        Its spectral norms get the vectors of theirs after one power iteration and stay there: the two find u and
        v in a different order, which float64 would show.
        """
        state = module.double().state_dict()
        weights, used = self.under(prefix), set()
        for name, tensor in state.items():
            theirs = _theirs(name, table)
            used.add(theirs)
            if theirs in weights:
                tensor.copy_(weights[theirs].reshape(tensor.shape))
            else:
                assert theirs.endswith("num_batches_tracked"), f"{name}: no {theirs} in the file"
        left = {name for name in weights if name not in used and not name.endswith("num_batches_tracked")}
        assert not left, f"nothing of ours is called {sorted(left)}"
        for each in module.modules():
            if isinstance(each, ParametrizationList):
                norm = each[0].eval()
                matrix = norm._reshape_weight_to_matrix(each.original.detach())
                norm._v.copy_(normalize(matrix.T @ norm._u, dim=0))
                norm._u.copy_(normalize(matrix @ norm._v, dim=0))

    @property
    def _steepest(self) -> float:
        return max(values.abs().max().item() for name, values in self.tensors.items() if "grad." in name)


@cache
def read(name: str) -> Case:
    """Return the case of tests/reference/NAME.safetensors."""
    with safe_open(FOLDER / f"{name}.safetensors", "pt") as file:
        stored = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        rounded = {
            key
            for key, values in stored.items()
            if values.dtype == torch.float32 and not key.startswith(("w.", "in.", "draw.", "coef."))
        }
        tensors = {
            key: values.double() if values.is_floating_point() else values for key, values in stored.items()
        }
        return Case(tensors, frozenset(rounded), file.metadata())


def official_sizes() -> dict[str, Any]:
    """Return parameter counts and constructor arguments of official networks by name."""
    sizes: dict[str, Any] = json.loads((FOLDER / "parameter_counts.json").read_text())
    return sizes


def _theirs(name: str, table: Mapping[str, str]) -> str:
    for ours, theirs in LEAVES.items():
        name = f"{name.removesuffix(ours)}{theirs}" if name.endswith(f".{ours}") else name
    parts = name.split(".")
    for count in range(len(parts), 0, -1):
        if (found := table.get(".".join(parts[:count]))) is not None:
            return ".".join([found, *parts[count:]])
    return name
