"""The reader itself: it would see a wrong number, a missing weight, a weight that is left over."""

import json

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

from tests.reference.vectors import FOLDER, Case, read


def linear_case() -> tuple[Case, nn.Module]:
    layer = spectral_norm(nn.Linear(3, 2).double())
    weight = layer.parametrizations.weight.original.detach().clone()
    tensors = {
        "w.theirs.weight_orig": weight,
        "w.theirs.bias": layer.bias.detach().clone(),
        "w.theirs.weight_u": torch.tensor([1.0, 0.0]).double(),
        "w.theirs.weight_v": torch.tensor([1.0, 0.0, 0.0]).double(),
    }
    return Case(tensors, frozenset(), {}), nn.ModuleDict({"ours": layer})


def test_spectral_norm_takes_one_iteration_in_the_order_of_theirs() -> None:
    case, module = linear_case()
    case.load(module, {"ours": "theirs"})
    weight = case["w.theirs.weight_orig"]
    v = weight.T @ case["w.theirs.weight_u"]
    sigma = (weight @ (v / v.norm())).norm()
    assert torch.allclose(module["ours"].weight, weight / sigma, rtol=1e-12, atol=0)


def test_names_that_fit_nothing_are_refused() -> None:
    case, module = linear_case()
    with pytest.raises(AssertionError, match=r"no other\.bias in the file"):
        case.load(module, {"ours": "other"})
    more = Case({**case.tensors, "w.further.weight": torch.zeros(2)}, frozenset(), {})
    with pytest.raises(AssertionError, match=r"further\.weight"):
        more.load(module, {"ours": "theirs"})


def test_a_difference_above_the_tolerance_is_seen() -> None:
    case = Case({"out.y": torch.tensor([1.0, 100.0]).double()}, frozenset(), {})
    case.check("out.y", case["out.y"] + 9e-9)
    with pytest.raises(AssertionError, match="off by"):
        case.check("out.y", case["out.y"] + 1.1e-8)


def test_gradients_that_are_zero_are_measured_by_the_largest() -> None:
    tensors = {"grad.w.a": torch.tensor([4.0]).double(), "grad.w.b": torch.tensor([1e-15]).double()}
    case = Case(tensors, frozenset(), {})
    case.check("grad.w.b", torch.tensor([-2e-10]).double())
    with pytest.raises(AssertionError):
        case.check("grad.w.b", torch.tensor([1e-9]).double())


def test_every_file_names_its_source_and_licence() -> None:
    sources = (FOLDER / "README.md").read_text()
    for path in FOLDER.glob("*.safetensors"):
        metadata = read(path.stem).metadata
        assert metadata["commit"] in sources
        assert metadata["license"] in sources
    assert json.loads((FOLDER / "parameter_counts.json").read_text())
