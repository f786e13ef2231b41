"""Files of exported generators: of every model what PyTorch computes, for any batch, and no word of folders."""

import io
import json
import sys
from typing import Any, cast

import onnx
import onnxruntime
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from ganctl.errors import ConfigError
from ganctl.models import MODELS
from ganctl.models.parts import convolutions
from ganctl.uses import file_formats
from ganctl.uses.agreement import checked
from ganctl.uses.deployable import Deployable
from ganctl.uses.file_formats import FORMATS, FormatName
from tests.uses.untrained import CLASSES, deployable, inputs_of

FACTS = {"model": "dcgan", "classes": json.dumps(CLASSES)}
NAMED = {name: MODELS[name] for name in MODELS}
HINTS = (b"site-packages", b"ganctl/", b".py", b"stack_trace", b"pkg.torch")
"""What a file would hold that tells where its code lay."""


def as_written(generator: Deployable, name: FormatName) -> bytes:
    """Return a file that was checked for batches of 1, 2 and 5."""
    content, found = checked(FORMATS[name], generator, inputs_of(generator), (1, 2, 5), FACTS)
    assert found.largest < 2e-6  # some ten roundings of fp32 near 1
    return content


@pytest.mark.parametrize("conditional", [False, True])
@pytest.mark.parametrize("model", {model.networks[0]: name for name, model in NAMED.items()}.values())
def test_every_generator_is_exported_for_any_batch(
    model: str, conditional: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(convolutions, "MIN_CHANNELS", 1)  # else only wide layers are computed in another way
    monkeypatch.setattr(convolutions, "MAX_SAMPLES", 6)
    generator = deployable(model, conditional=conditional)
    program = file_formats._traced(generator, inputs_of(generator, 2))
    monkeypatch.setattr(file_formats, "_traced", lambda *_: program)  # which takes a third of the time
    # Programs without labels are those with labels, less a few operations; but resnet's batch norms are others.
    other = conditional or model == "resnet"
    for name in ("torch_export", "onnx") if other else ("torch_export",):  # to convert takes half of all time
        content = as_written(generator, name)
        assert not [hint for hint in HINTS if hint in content]
        run = FORMATS[name].open(content)
        many = inputs_of(generator, convolutions.MAX_SAMPLES + 1)
        found = run(*many)
        assert torch.equal(found, run(*many)), "noise of its own"
        torch.testing.assert_close(found, generator(*many), rtol=0, atol=2e-6)


def test_an_onnx_file_names_its_inputs_and_says_what_it_is() -> None:
    for conditional, pixels in ((True, "uint8"), (False, "float")):
        generator = deployable("dcgan", conditional=conditional, pixels=cast(Any, pixels))
        content = FORMATS["onnx"].write(generator, inputs_of(generator, 2), FACTS)
        session = onnxruntime.InferenceSession(content)
        told = [(each.name, each.shape, each.type) for each in session.get_inputs()]
        labels = [("labels", ["batch"], "tensor(int64)")] if conditional else []
        assert told == [("latents", ["batch", 5], "tensor(float)"), *labels]
        (output,) = session.get_outputs()
        expected = (["batch", 8, 8, 1], "tensor(uint8)") if conditional else (["batch", 1, 8, 8], "tensor(float)")
        assert (output.name, output.shape, output.type) == ("images", *expected)
        assert session.get_modelmeta().custom_metadata_map == FACTS
        operators = {node.op_type for node in onnx.load_from_string(content).graph.node}
        assert operators.isdisjoint({"BatchNormalization", "ScatterND", "Col2Im"})


def test_what_the_file_does_with_styles_is_what_the_network_did() -> None:
    generator = deployable("stylegan2")
    run = FORMATS["torch_export"].open(as_written(generator, "torch_export"))
    found, network = run(*inputs_of(generator)), cast(Any, generator.network)
    network.truncation = 1.0
    assert (found - generator(*inputs_of(generator))).abs().max() > 0.01
    network.truncation = 0.5
    network.blocks[-1].conv1.noise.normal_()
    assert (found - generator(*inputs_of(generator))).abs().max() > 0.01


def test_a_program_of_torch_carries_the_facts() -> None:
    generator = deployable("mlp")
    content = FORMATS["torch_export"].write(generator, inputs_of(generator, 2), FACTS)
    found = {"ganctl.json": ""}
    torch.export.load(io.BytesIO(content), extra_files=found)
    assert json.loads(found["ganctl.json"]) == FACTS


@pytest.mark.parametrize("model", ["dcgan", "resnet"])
def test_weights_are_the_generators_alone_and_of_plain_layers(model: str) -> None:
    words = ["model.generator.spectral=true"] if model == "resnet" else []
    generator = deployable(model, *words, conditional=True, pixels="own")
    facts = {**FACTS, "model": model}
    content, found = checked(FORMATS["safetensors"], generator, inputs_of(generator), (1, 2, 5), facts)
    assert found.largest == 0
    tensors = safetensors.torch.load(content)
    network = cast(Any, generator.network)
    assert not [name for name in tensors if "parametrizations" in name]
    layer = network.doublings if model == "dcgan" else network.pixels
    name = "doublings.0.weight" if model == "dcgan" else "pixels.weight"
    assert torch.equal(tensors[name], layer[0].weight if model == "dcgan" else layer.weight)
    told = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])["__metadata__"]
    assert told == facts | {"model_config": generator.model.model_dump_json(), "shape": "[1, 8, 8]"}


class Odd(nn.Module):
    """Computes what ONNX has no operator for, or what fixes the batch."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, latents: Tensor) -> Tensor:
        values = latents if self.how == "fixed" else torch.special.bessel_j1(latents)
        return values.reshape(len(values), 3, 4, 5) if self.how == "fixed" else values[:, :, None, None]


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("bessel", "format: ONNX has no prims.bessel_j1, which this generator computes; take format=torch_export"),
        ("fixed", "format: torch.export cannot trace this generator for any batch (Constraints violated (batch)!"),
    ],
)
def test_what_cannot_be_exported_is_one_line(how: str, told: str) -> None:
    generator = deployable("mlp")
    generator.network = Odd(how)
    with pytest.raises(ConfigError) as caught:
        FORMATS["onnx"].write(generator, (torch.zeros(2, 60),), {})
    assert str(caught.value).startswith(told)
    assert len(str(caught.value).splitlines()) == 1


def test_weights_that_no_onnx_file_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_formats, "LARGEST_ONNX", 100)
    generator = deployable("mlp")
    with pytest.raises(ConfigError, match="an ONNX file holds 2 GB, and these weights are more"):
        FORMATS["onnx"].write(generator, inputs_of(generator, 2), {})


@pytest.mark.parametrize("missing", ["onnx", "onnxscript", "onnxruntime"])
def test_a_missing_package_is_named_with_its_command(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    generator = deployable("mlp")
    with pytest.raises(ConfigError, match=rf"{missing} .*pip install 'ganctl\[export\]', or take format=torch_"):
        FORMATS["onnx"].write(generator, inputs_of(generator, 2), {})


def test_bytes_that_onnx_runtime_cannot_run_are_one_line() -> None:
    with pytest.raises(ConfigError, match=r"format: ONNX Runtime cannot run the file \(.*INVALID_PROTOBUF"):
        FORMATS["onnx"].open(b"no protobuf")


@pytest.mark.parametrize(
    ("words", "shape", "told"),
    [
        (
            "model.init_std=1",
            (3, 4, 5),
            r"8 samples of the file would differ from PyTorch's by .*explains \(1e-04\)",
        ),
        (
            "model.init_std=1",
            (3, 4, 6),
            r"the file would give torch.float32 \[8, 3, 4, 6\], not torch.float32 \[8, 3",
        ),
    ],
)
def test_a_file_that_computes_something_else_is_refused(words: str, shape: tuple[int, ...], told: str) -> None:
    other, generator = deployable("mlp", words, shape=shape), deployable("mlp")
    form = file_formats.FileFormat("pt2", lambda *_: b"", lambda _: other)
    with pytest.raises(ConfigError, match=told):
        checked(form, generator, inputs_of(generator), (1, 2, 5), {})
