"""The files that a generator is exported to, each as bytes, and what runs these bytes to check them.

`torch.export.load` unpickles, so it reads here alone, and only bytes that this process has just written.
"""

import io
import json
import re
import warnings
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import torch
from safetensors import torch as safe
from torch import Tensor

from ganctl.errors import ConfigError
from ganctl.models import MODELS
from ganctl.samples import SampleSpace
from ganctl.uses.deployable import Deployable

FormatName = Literal["onnx", "torch_export", "safetensors"]
Facts = Mapping[str, str]
"""What a file says of its generator."""

Inputs = tuple[Tensor, ...]
"""Latents, float32 [batch, width], and of a conditional generator labels, int64 [batch]."""

Run = Callable[..., Tensor]
"""Maps inputs to outputs."""

INPUTS = ("latents", "labels")
NOTES = "ganctl.json"
"""The file of facts within a .pt2 file."""

TRACES = ("stack_trace", "nn_module_stack", "source_fn_stack", "torch_fn", "from_node")
"""What torch notes at the nodes of a program about the code, and its folders, that it was traced from."""

LARGEST_ONNX = (1 << 31) - (1 << 24)
"""Bytes of weights in an ONNX file, which ends at 2 GB; the rest is for its graph."""


@dataclass(frozen=True)
class FileFormat:
    """How bytes are made of a generator, inputs such as it takes, and facts; how they are run; a file's ending."""

    ending: str
    write: Callable[[Deployable, Inputs, Facts], bytes]
    open: Callable[[bytes], Run]


def write_onnx(generator: Deployable, inputs: Inputs, facts: Facts) -> bytes:
    """Return an ONNX file, as torch's exporter makes it of a traced program, with the facts as its metadata.

    Its inputs are `latents` and `labels`, its output `images`, `points` or `sequences`. Raises `ConfigError`
    without the packages that it takes, for an operator that ONNX lacks, and for weights beyond 2 GB.
    """
    onnx = _packages()[0]
    if sum(tensor.nbytes for tensor in generator.state_dict().values()) > LARGEST_ONNX:
        raise ConfigError("format: an ONNX file holds 2 GB, and these weights are more; take format=torch_export")
    program = _traced(generator, inputs)
    names = INPUTS[: len(inputs)]
    try:
        with redirect_stdout(io.StringIO()), warnings.catch_warnings():  # onnxscript 0.6 prints
            warnings.filterwarnings("ignore", "# The axis name: batch will not be used")  # twice: it is one axis
            found = torch.onnx.export(
                program,
                dynamo=True,
                verbose=False,
                input_names=names,
                output_names=[f"{generator.space.kind.noun}s"],
                dynamic_shapes={name: {0: "batch"} for name in names},
            )
    except torch.onnx.OnnxExporterError as error:
        raise ConfigError(
            f"format: ONNX has no {_operator(error)}, which this generator computes; take format=torch_export"
        ) from error
    assert found is not None, "asked for no file, it is returned"
    model = found.model_proto
    _strip(model.graph)
    onnx.helper.set_model_props(model, dict(facts))
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def open_onnx(content: bytes) -> Run:
    """Return what ONNX Runtime computes of an ONNX file on the CPU; raise `ConfigError` if it cannot."""
    runtime = _packages()[1]
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = torch.get_num_threads(), 3
    try:
        session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of classes that are private to it
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"format: ONNX Runtime cannot run the file ({reason}); take format=torch_export"
        ) from error

    def run(*inputs: Tensor) -> Tensor:
        feed = {name: values.numpy() for name, values in zip(INPUTS, inputs, strict=False)}
        return torch.from_numpy(session.run(None, feed)[0])

    return run


def write_program(generator: Deployable, inputs: Inputs, facts: Facts) -> bytes:
    """Return a .pt2 file of the traced program, with the facts in its file `NOTES`."""
    content = io.BytesIO()
    torch.export.save(_traced(generator, inputs), content, extra_files={NOTES: json.dumps(facts, indent=1)})
    return content.getvalue()


def open_program(content: bytes) -> Run:
    """Return what a .pt2 file computes, which must be one that this process has written."""
    run: Run = torch.export.load(io.BytesIO(content)).module()
    return run


def write_weights(generator: Deployable, inputs: Inputs, facts: Facts) -> bytes:
    """Return a safetensors file of a generator's weights, with the facts, its model's config and a sample's shape.

    The weights are those of the network without parametrizations; no batch norm is folded.
    """
    tensors = generator.plain().network.state_dict()
    told = {"model_config": generator.model.model_dump_json(), "shape": json.dumps(generator.space.shape)}
    content: bytes = safe.save(tensors, {**facts, **told})
    return content


def open_weights(content: bytes) -> Deployable:
    """Return the generator of a safetensors file, rebuilt by the model's config in it."""
    length = 8 + int.from_bytes(content[:8], "little")
    facts = json.loads(content[8:length])["__metadata__"]
    model = MODELS[facts["model"]].model_validate_json(facts["model_config"])
    classes = tuple(json.loads(facts["classes"]))
    space = model.space(SampleSpace.of_shape(tuple(json.loads(facts["shape"])), classes=classes))
    rebuilt = Deployable(model.build_generator(space), model, space, "own").plain()
    rebuilt.network.load_state_dict(safe.load(content))
    return rebuilt


FORMATS: dict[FormatName, FileFormat] = {
    "onnx": FileFormat("onnx", write_onnx, open_onnx),
    "torch_export": FileFormat("pt2", write_program, open_program),
    "safetensors": FileFormat("safetensors", write_weights, open_weights),
}


def _traced(generator: Deployable, inputs: Inputs) -> torch.export.ExportedProgram:
    """Return the program of a folded generator for any batch, without a trace of where its code lies.

    Raises `ConfigError` if torch cannot trace it.
    """
    batch = torch.export.Dim("batch")
    try:
        program = torch.export.export(
            generator.folded(), inputs, dynamic_shapes={name: {0: batch} for name in INPUTS[: len(inputs)]}
        )
    except RuntimeError as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"format: torch.export cannot trace this generator for any batch ({reason}); take format=safetensors"
        ) from error
    for module in program.graph_module.modules():
        for node in getattr(getattr(module, "graph", None), "nodes", ()):
            for key in TRACES:
                node.meta.pop(key, None)
    return program


def _packages() -> tuple[ModuleType, ModuleType]:
    """Return onnx and onnxruntime; raise `ConfigError` if one is missing, or onnxscript."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            f"format: onnx needs onnx, onnxscript and onnxruntime ({error}); pip install 'ganctl[export]', or "
            "take format=torch_export"
        ) from error
    return onnx, onnxruntime


def _operator(error: BaseException) -> str:
    """Return the name of the operator that an error of torch's exporter, or one that it came from, is about."""
    told = str(error)
    while error.__cause__ is not None:
        error = error.__cause__
        told = f"{error}\n{told}"
    found = re.search(r"OpOverload\(op='([\w.:]+)'", told)
    return found[1] if found else f"counterpart of a part of the program ({told.strip().partition(chr(10))[0]})"


def _strip(graph: Any) -> None:
    """Remove what torch's exporter notes about the code at the parts of an ONNX graph, and of those within it."""
    for parts in ([graph], graph.node, graph.input, graph.output, graph.value_info, graph.initializer):
        for part in parts:
            part.ClearField("doc_string")
            part.ClearField("metadata_props")
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    _strip(inner)
