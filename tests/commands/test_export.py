"""ganctl export: what other programs make of its files, where they go, and what is refused in one line."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import safetensors
import torch

from ganctl.runtime.version import __version__
from ganctl.uses import agreement
from tests.commands.labelled import train
from tests.conftest import TINY, Cli, contents

EXPORT = ["export", "run", "device=cpu"]
STEM = "step-00000001"


@pytest.fixture
def labelled(workspace: Path, cli: Cli) -> Path:
    """Work beside a conditional run on images of two classes."""
    train(cli, ["ant", "bee"])
    return workspace


def latents_of(count: int) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((count, 2), np.float32)


def test_an_onnx_file_draws_what_ganctl_sample_draws(labelled: Path, cli: Cli) -> None:
    outcome = cli(*EXPORT)
    path = f"outputs/run/exports/{STEM}.onnx"
    size = Path(path).stat().st_size / 1e6
    assert outcome.out.splitlines() == [
        f"generator of step 1, {size:.1f} MB: {path}",
        "largest difference from PyTorch 0 of 255 levels over batches of 1, 2 and 5 latents",
    ]
    assert (outcome.code, outcome.err) == (0, "")
    np.save("latents.npy", latents_of(7))
    assert (
        cli("sample", "run", "device=cpu", "device.precision=fp32", "latents=latents.npy", "out=s.npy").code == 0
    )
    feed = {"latents": latents_of(7), "labels": np.arange(7) % 2}
    (images,) = onnxruntime.InferenceSession(path).run(None, feed)
    sampled = np.load("s.npy")
    assert (images.shape, images.dtype) == (sampled.shape, np.uint8)
    differences = np.abs(images.astype(int) - sampled)
    assert differences.max() <= 1
    assert (differences > 0).mean() <= agreement.CHANGED


def test_each_format_draws_the_same(labelled: Path, cli: Cli) -> None:
    for out in ("a.onnx", "a.pt2", "a.safetensors"):
        images = [] if out == "a.safetensors" else ["images=float"]
        assert cli(*EXPORT, f"out={out}", *images).code == 0
    latents, labels = latents_of(3), np.array([1, 0, 1])
    (expected,) = onnxruntime.InferenceSession("a.onnx").run(None, {"latents": latents, "labels": labels})
    assert (expected.shape, expected.dtype) == ((3, 1, 8, 8), np.float32)
    inputs = torch.from_numpy(latents), torch.from_numpy(labels)
    found = torch.export.load(io.BytesIO(Path("a.pt2").read_bytes())).module()(*inputs)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6)
    with safetensors.safe_open("a.safetensors", "pt") as file:
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        facts = file.metadata()
    hidden = torch.cat([inputs[0], weights["joined.embedding.weight"][inputs[1]]], 1)
    hidden = torch.nn.functional.linear(hidden, weights["dense.0.weight"], weights["dense.0.bias"])
    hidden = torch.nn.functional.leaky_relu(hidden, 0.2)
    images = torch.tanh(torch.nn.functional.linear(hidden, weights["dense.2.weight"], weights["dense.2.bias"]))
    np.testing.assert_allclose((images.view(3, 1, 8, 8) + 1) / 2, expected, rtol=0, atol=1e-6)
    assert json.loads(facts["model_config"])["generator"]["activation"] == "leaky_relu"
    assert (facts["value_range"], facts["output"]) == ("[-1.0, 1.0]", "float32 [batch, channels, height, width]")


def test_a_file_says_what_it_holds_and_no_folder_of_this_machine(labelled: Path, cli: Cli) -> None:
    assert cli(*EXPORT, "ema=false").code == 0
    path = Path(f"outputs/run/exports/{STEM}-raw.onnx")
    content = path.read_bytes()
    found = {entry.key: entry.value for entry in onnx.load_from_string(content).metadata_props}
    digest = found.pop("config_digest")
    assert (len(digest), int(digest, 16) > 0) == (64, True)
    assert found == {
        "ganctl_version": __version__,
        "model": "mlp",
        "step": "1",
        "averaged": "false",
        "latents": "2",
        "prior": "normal",
        "categorical_codes": "[]",
        "continuous_codes": "0",
        "classes": '["ant", "bee"]',
        "output": "uint8 [batch, height, width, channels]",
        "value_range": "[0, 255]",
        "truncation": "null",
        "standing": "0",
    }
    hints = (str(labelled), str(Path(agreement.__file__).parents[2]), "site-packages", ".py", "outputs/")
    assert not [hint for hint in hints if hint.encode() in content]


def test_points_are_floats(trained: Path, cli: Cli) -> None:
    np.save("latents.npy", latents_of(4))
    assert cli(*EXPORT, "out=p.onnx").code == 0
    assert cli("sample", "run", "device=cpu", "latents=latents.npy", "out=s.npy").code == 0
    (points,) = onnxruntime.InferenceSession("p.onnx").run(["points"], {"latents": latents_of(4)})
    assert (points.shape, points.dtype) == ((4, 2), np.float32)
    np.testing.assert_allclose(points, np.load("s.npy"), rtol=1e-5, atol=1e-6)


def test_statistics_are_measured_and_styles_truncated_before(workspace: Path, cli: Cli) -> None:
    words = ["data=digits", "data.resolution=8", "model=stylegan2", "model.latent=2"]
    small = ["model.generator.width=2", "model.discriminator.width=2", "model.generator.style=4"]
    end = [*TINY[6:], "name=run"]
    assert cli("train", *words, *small, *end).code == 0
    for truncation in ("null", "0.5"):
        assert cli(*EXPORT, "format=torch_export", f"truncation={truncation}").code == 0
    names = [f"{STEM}-truncation-0.5.pt2", f"{STEM}.pt2"]
    assert sorted(path.name for path in Path("outputs/run/exports").iterdir()) == names
    outcome = cli(*EXPORT, "standing=2")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "standing: the generator of this run has no batch norm" in outcome.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["format=jit"], "format: must be 'onnx', 'torch_export' or 'safetensors', not 'jit'"),
        (["images=int8"], "images: must be 'uint8' or 'float', not 'int8'"),
        (
            ["out=x.pt2", "format=onnx"],
            "out: x.pt2 has the ending of format=torch_export, but format=onnx ends in .o",
        ),
        (["out=x.png"], "out: x.png would be a file of another kind than .onnx, .pt2, .safetensors; take one of"),
        (["images=float"], "images: this model draws points, which are float32; leave it null"),
        (
            ["out=x.safetensors", "images=uint8"],
            "images: says nothing of weights, and a safetensors file has no m",
        ),
        (["format=safetensors", "truncation=0.5"], "truncation: says nothing of weights"),
        (["truncation=0.5"], "truncation: moves styles, and this generator has none"),
        (["standing=2"], "standing: the generator of this run has no batch norm"),
        (["out=outputs/run/checkpoints"], f"outputs/run/checkpoints/{STEM}.onnx is a place of checkpoints"),
        (
            [f"out=outputs/run/checkpoints/{STEM}.safetensors"],
            f"out: outputs/run/checkpoints/{STEM}.safetensors is a place of checkpoints; name another file",
        ),
        (["ckpt=c.safetensors", "out=c.safetensors"], "out: c.safetensors is a place of checkpoints"),
        (["num=3"], "num: unknown key"),
    ],
)
def test_what_does_not_go_together_is_one_line(words: list[str], told: str, trained: Path, cli: Cli) -> None:
    Path("c.safetensors").write_bytes(Path(f"outputs/run/checkpoints/{STEM}.safetensors").read_bytes())
    before = contents(trained)
    run = [] if any(word.startswith("ckpt=") for word in words) else ["run"]
    outcome = cli("export", *run, "device=cpu", *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert told in outcome.err
    assert contents(trained) == before


def test_a_missing_extra_is_told_with_its_command(
    trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    outcome = cli(*EXPORT)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "pip install 'ganctl[export]', or take format=torch_export" in outcome.err
    assert cli(*EXPORT, "format=torch_export").code == 0


def test_a_file_that_would_differ_is_not_written(trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agreement, "FLOATS", -1.0)
    outcome = cli(*EXPORT, "format=torch_export", "out=x.pt2")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "8 samples of the file would differ from PyTorch's by 0.0e+00 of the range" in outcome.err
    assert not list(trained.glob("x.pt2*"))
