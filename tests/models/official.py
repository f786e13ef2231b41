"""Names of the residual networks of mimicry in ours, and what their files say otherwise."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn.functional import relu
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.models.parts.residual import DiscriminatorBlock
from tests.reference.vectors import GRADIENTS, Case

BLOCK = {"conv1": "c1", "conv2": "c2", "shortcut": "c_sc", "norm1": "b1", "norm2": "b2"}
ATTENTION = {name: name for name in ("theta", "phi", "g", "o", "gamma")}


def plain(layer: nn.Module, gain: float) -> nn.Module:
    return layer


def spectral(layer: nn.Module, gain: float) -> nn.Module:
    return spectral_norm(layer)


def within(ours: str, theirs: str, names: Mapping[str, str] = BLOCK) -> dict[str, str]:
    """Return the names of a block's layers in a network."""
    return {f"{ours}.{mine}": f"{theirs}.{other}" for mine, other in names.items()}


def split(case: Case) -> Case:
    """Return a case whose embeddings [γ, β] of each class are gains γ - 1 and shifts β, and `b.bn.…` is `b.…`."""
    tensors: dict[str, Tensor] = {}
    rounded: set[str] = set()
    for name, values in case.tensors.items():
        parts = {name.replace("bn.running", "running"): values}
        if name.endswith("embed.weight"):
            gain, shift = values.chunk(2, 1)
            stem = name.removesuffix("embed.weight")
            parts = {f"{stem}gain.weight": gain - int(name.startswith("w.")), f"{stem}shift.weight": shift}
        tensors |= parts
        rounded |= set(parts) if name in case.rounded else set()
    return replace(case, tensors=tensors, rounded=frozenset(rounded))


def renamed(case: Case) -> Case:
    """Return a case whose spectral norms are called as torch's, not as BigGAN's, U-Net GAN's or mimicry's own.

    The latter iterate in evaluation mode, too; what comes out there is left out.
    """
    vectors, values_of = ("u0", "sn_u"), ("sv0", "sn_sigma")
    own = {name.rpartition(".")[0] for name in case.under("w.") if name.endswith(vectors)}
    tensors: dict[str, Tensor] = {}
    rounded = set(case.rounded)
    for name, values in case.tensors.items():
        stem, _, leaf = name.rpartition(".")
        if leaf == "weight" and stem.rpartition("w.")[2] in own:
            tensors[f"{stem}.weight_orig"] = values
            rounded |= {f"{stem}.weight_orig"} if name in case.rounded else set()
        elif leaf in vectors and name.startswith("w."):
            tensors[f"{stem}.weight_u"] = values.flatten()
            tensors[f"{stem}.weight_v"] = values.flatten() @ case[f"w.{stem[2:]}.weight"].flatten(1)
        elif leaf not in vectors + values_of and not (own and name.startswith("eval.")):
            tensors[name] = values
    return replace(case, tensors=tensors, rounded=frozenset(rounded))


def unspoilt(case: Case) -> Case:
    """Return a case of the results where shortcuts see a block's input itself, as ours do."""
    prefix = "noinplace."
    tensors = {name: values for name, values in case.tensors.items() if name.startswith(("w.", "in.", "coef."))}
    for name, values in case.under(prefix).items():
        tensors[name if "grad." in name else f"out.{name}"] = values
    rounded = {name.removeprefix(prefix) for name in case.rounded if name.startswith(prefix)}
    return replace(case, tensors=tensors, rounded=frozenset(rounded))


def spoil(module: nn.Module) -> None:
    """Make the shortcuts of blocks see relu(x), as those of official code, whose first ReLU overwrites x."""
    for each in module.modules():
        if isinstance(each, DiscriminatorBlock) and not each.first:
            each.register_forward_pre_hook(lambda _, inputs: tuple(relu(maps) for maps in inputs))


def check(
    case: Case,
    module: nn.Module,
    table: Mapping[str, str],
    output: str,
    call: Callable[[nn.Module, Tensor], Tensor] = lambda module, inputs: module(inputs),
) -> set[str]:
    """Assert that the file's weights give its output, gradients and running statistics.

    Returns the parameters of whose gradients it tells nothing.
    """
    case.load(module, table)
    inputs = case["in.x"].clone().requires_grad_()
    found = call(module, inputs).reshape(case[f"out.{output}"].shape)
    case.check(f"out.{output}", found)
    case.scalar({output: found}).backward()
    assert inputs.grad is not None
    case.check("grad.in.x", inputs.grad, GRADIENTS)
    lacking = case.check_gradients(module, table)
    for name in case.under("after."):
        if "running" in name:
            ours = {f"w.{theirs(name, table)}": buffer for name, buffer in module.named_buffers()}
            case.check(f"after.{name}", ours[f"w.{name}"])
    if f"eval.{output}" in case.tensors:
        with torch.no_grad():
            later = call(module.eval(), case["in.x"])
        case.check(f"eval.{output}", later.reshape(found.shape))
    return lacking


def theirs(name: str, table: Mapping[str, str]) -> str:
    """Return the official name of a buffer of ours."""
    module, _, leaf = name.rpartition(".")
    return f"{table.get(module, module)}.{leaf}".removeprefix(".")
