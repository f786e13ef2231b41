"""scripts/import_stylegan: pickles of StyleGAN2-ADA's form, made here, are read; hostile ones are refused."""

import os
import pickle
import struct
import sys
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from ganctl.samples import SampleSpace
from scripts.stylegan.__main__ import main
from tests.models.styles import styled_model, unfiltered, widths
from tests.reference.vectors import Case, read

SOURCE = "raise SystemExit('the source of a network was run')"


class Persistent:
    """A network or layer as StyleGAN2-ADA pickles it."""

    def __init__(self, state: dict[str, Any]) -> None:
        self.state = state

    def __reduce__(self) -> tuple[Any, ...]:
        persistence, util = sys.modules["torch_utils.persistence"], sys.modules["dnnlib.util"]
        meta = util.EasyDict(type="class", version=6, module_src=SOURCE, class_name="Layer", state=self.state)
        return persistence._reconstruct_persistent_obj, (meta,)


@pytest.fixture(autouse=True)
def _authors_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let objects be pickled by the names of the authors' modules."""
    persistence, util = ModuleType("torch_utils.persistence"), ModuleType("dnnlib.util")

    def reconstruct(meta: Any) -> Any:
        raise AssertionError("only names are written")

    easy = type("EasyDict", (dict,), {"__module__": "dnnlib.util", "__qualname__": "EasyDict"})
    reconstruct.__module__, reconstruct.__qualname__ = "torch_utils.persistence", "_reconstruct_persistent_obj"
    persistence._reconstruct_persistent_obj = reconstruct  # type: ignore[attr-defined]
    util.EasyDict = easy  # type: ignore[attr-defined]
    for module in (ModuleType("torch_utils"), persistence, ModuleType("dnnlib"), util):
        monkeypatch.setitem(sys.modules, module.__name__, module)


def persistent(weights: dict[str, Tensor], **attributes: Any) -> Persistent:
    """Return nested layers of weights by their dotted names; noise, filters and means are buffers."""
    inner: dict[str, dict[str, Tensor]] = {}
    state: dict[str, Any] = {"training": False, "_parameters": OrderedDict(), "_buffers": OrderedDict()}
    state["_non_persistent_buffers_set"] = set()
    for name, values in weights.items():
        first, _, rest = name.partition(".")
        if rest:
            inner.setdefault(first, {})[rest] = values
        elif name in ("resample_filter", "noise_const", "w_avg"):
            state["_buffers"][name] = values
        else:
            state["_parameters"][name] = nn.Parameter(values, requires_grad=False)
    state["_modules"] = OrderedDict((name, persistent(part)) for name, part in inner.items())
    return Persistent(state | attributes)


def pickled(case: Case, **more: Any) -> bytes:
    weights = {side: {k: v.float() for k, v in case.under(f"w.{side}.").items()} for side in "GD"}
    judge = persistent(weights["D"])
    judge.state["_modules"]["b4"].state["_modules"]["mbstd"] = persistent({}, group_size=2, num_channels=1)
    made, average = (persistent({k: v + shift for k, v in weights["G"].items()}) for shift in (1.0, 0.0))
    return pickle.dumps({"training_set_kwargs": {}, "G": made, "D": judge, "G_ema": average} | more)


def test_networks_of_the_authors_form_become_ganctls(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "n.pkl").write_bytes(pickled(read("sg2_loss")))
    out = tmp_path / "n.safetensors"
    assert main([str(tmp_path / "n.pkl"), str(out)]) == 0
    told = capfd.readouterr().out
    assert told.splitlines()[0] == f"114 tensors: {out}"
    words = [*widths(8, 10), "latent=10", "generator.style=10", "discriminator.group=2"]
    for word in words:
        assert f" model.{word}" in told
    assert " data.resolution=16" in told
    case, space, tensors = unfiltered("sg2_loss"), SampleSpace.of_shape((3, 16, 16)), load_file(out)
    model = styled_model(*words)
    generator, judge = model.build_generator(space), model.build_discriminator(space)
    for network, part in ((generator, "ema"), (judge, "discriminator"), (generator, "ema")):
        state = {k.removeprefix(f"{part}."): v for k, v in tensors.items() if k.startswith(f"{part}.")}
        assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in network.state_dict().items()}
        network.load_state_dict(state)
    generator.double().eval()
    case.check("G.img", generator(case["in.z"]))
    case.check("Dreg.Loss/scores/real", judge.double()(case["in.real"])[:, None])
    assert torch.equal(tensors["generator.start"], tensors["ema.start"] + 1)


class Call:
    """Pickles as a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Any, ...]:
        return self.call


def tensor_of(size: tuple[int, ...], stride: tuple[int, ...]) -> Call:
    return Call(
        torch._utils._rebuild_tensor_v2, torch.zeros(4)._typed_storage(), 0, size, stride, False, OrderedDict()
    )


def marked(path: Path) -> str:
    return f"touch {path / 'run'}"


HOSTILE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a command": (lambda path: Call(os.system, marked(path)), "names posix.system, which is not run"),
    "a command in a storage": (
        lambda path: Call(torch.storage._load_from_bytes, pickle.dumps(Call(os.system, marked(path)))),
        "names posix.system, which is not run",
    ),
    "a chain of attributes": (
        lambda path: Call(getattr, Call(getattr, "", "__class__"), "mro"),
        "names builtins.getattr, which is not run",
    ),
    "source": (
        lambda path: Call(eval, f"__import__('os').system({marked(path)!r})"),
        "names builtins.eval, which",
    ),
    "a huge tensor of few numbers": (lambda path: tensor_of((1 << 40,), (0,)), "a tensor larger than its storage"),
    "a tensor beyond its storage": (lambda path: tensor_of((2,), (4,)), "a tensor larger than its storage"),
    "a tensor of no size": (lambda path: tensor_of(((),), (1,)), "a tensor of no size"),  # type: ignore[arg-type]
    "a storage of text": (lambda path: Call(torch.storage._load_from_bytes, b"no"), "no intact pickle"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_refused_in_one_line_and_not_run(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    make, told = HOSTILE[name]
    refuse(pickled(read("sg2_loss"), augment_pipe=make(tmp_path)), told, tmp_path, capfd)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93.", "names os.system, which is not run"),
        (b"\x80\x04\x8c\x08builtins\x8c\x0cset.__init__\x93.", "names builtins.set.__init__, which is not run"),
        (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 40) + b"x.", "asks for more memory"),
        (b"\x80\x04N" + b"r" + struct.pack("<I", (1 << 32) - 1) + b".", "asks for more memory"),
        (b"\x80\x04}q\x00.", "holds no networks G, D and G_ema"),
        (
            b"\x80\x04\x8c\x16dnnlib.tflib.network\x8c\x07Network\x93.".replace(b"\x16", b"\x14"),
            "a pickle of Tensor",
        ),
        (b"", "no intact pickle"),
        (b"PK\x03\x04", "no intact pickle"),
    ],
    ids=["stack", "dotted", "bytes", "memo", "empty", "tensorflow", "nothing", "zip"],
)
def test_other_files_are_refused_in_one_line(
    content: bytes, told: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    refuse(content, told, tmp_path, capfd)


def test_numbers_that_are_not_finite_and_strange_layers_are_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    case = read("sg2_loss")
    broken = {k: v * float("nan") if k == "w.G.synthesis.b8.conv0.bias" else v for k, v in case.tensors.items()}
    spoilt = Case(broken, frozenset(), {})
    refuse(pickled(spoilt), "generator.blocks.1.conv0.bias holds numbers that are not finite", tmp_path, capfd)
    strange = Case({**case.tensors, "w.D.b8.extra.weight": torch.zeros(2)}, frozenset(), {})
    refuse(pickled(strange), "holds b8.extra.weight, which no StyleGAN2 has", tmp_path, capfd)


def refuse(content: bytes, told: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source, out = folder / "n.pkl", folder / "n.safetensors"
    source.write_bytes(content)
    assert main([str(source), str(out)]) == 4
    printed = capfd.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(f"import_stylegan: {source}: {told}")
    assert printed.err.count("\n") == 1
    assert not out.exists()
