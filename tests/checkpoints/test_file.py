"""The checkpoint file: whole or refused, and never code."""

import hashlib
import json
import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints.file import Header
from ganctl.errors import CheckpointError, ConfigError, DivergenceError

HEADER = Header(
    config={"seed": 1}, step=7, shape=(1, 8, 8), data="abc", versions={"torch": "2"}, logs={"metrics.jsonl": 5}
)


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    return {
        "generator.weight": torch.arange(12, dtype=torch.float32).reshape(3, 4).t(),
        "generator.half": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
        "optimizer.generator.step": torch.tensor(3.0),
        "generator.count": torch.tensor(5, dtype=torch.int64),
        "generator.empty": torch.zeros(0, 3),
    }


@pytest.fixture
def path(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> Path:
    path = tmp_path / "step-00000007.safetensors"
    checkpoint.write(path, HEADER, tensors)
    return path


def test_what_is_written_is_read(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    opened = checkpoint.read_header(path)
    assert opened.header == HEADER
    read = opened.read()
    assert read.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert read[name].dtype == tensor.dtype
        assert torch.equal(read[name], tensor)


def test_only_wanted_tensors_are_read(path: Path) -> None:
    assert checkpoint.read_header(path).read(lambda name: name.startswith("generator.")).keys() == {
        "generator.weight",
        "generator.half",
        "generator.count",
        "generator.empty",
    }


def test_the_same_state_writes_the_same_bytes(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    digests = set()
    for name in ("a", "b"):
        checkpoint.write(tmp_path / name, HEADER, dict(reversed(tensors.items())) if name == "a" else tensors)
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(digests) == 1


def test_any_flipped_byte_is_noticed(path: Path) -> None:
    good = path.read_bytes()
    for position in range(0, len(good), 7):
        damaged = bytearray(good)
        damaged[position] ^= 0x10
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=path.name):
            checkpoint.read_header(path).read()


def test_a_truncated_file_is_noticed(path: Path) -> None:
    good = path.read_bytes()
    for length in (0, 4, 8, 100, len(good) - 1):
        path.write_bytes(good[:length])
        with pytest.raises(CheckpointError, match=path.name):
            checkpoint.read_header(path).read()


def test_a_pickle_a_text_and_a_foreign_safetensors_file_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(2)}, foreign)
    text = tmp_path / "text.safetensors"
    text.write_text("hello, I am not a checkpoint")
    pickled = tmp_path / "pickled.safetensors"
    pickled.write_bytes(pickle.dumps({"weight": 1}))
    for path in (foreign, text, pickled, tmp_path / "missing.safetensors"):
        with pytest.raises(CheckpointError, match=path.name):
            checkpoint.read_header(path)


def test_another_format_is_refused_by_its_number(tmp_path: Path) -> None:
    text = json.dumps({"format": 99, "tensors": {}})
    path = tmp_path / "later.safetensors"
    digest = hashlib.sha256(text.encode()).hexdigest()
    save_file({"generator.w": torch.zeros(1)}, path, {"ganctl": f"{digest}\n{text}"})
    with pytest.raises(CheckpointError, match="format 99"):
        checkpoint.read_header(path)


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(
    path: Path, tensors: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full)
    with pytest.raises(ConfigError, match="No space left"):
        checkpoint.write(path, HEADER, tensors)
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["generator.weight", "ema.weight", "optimizer.generator.exp_avg.weight"])
@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_what_could_not_be_read_again_is_not_written(
    name: str, number: float, path: Path, tensors: dict[str, torch.Tensor]
) -> None:
    before = path.read_bytes()
    with pytest.raises(DivergenceError, match=f"{name} holds numbers that are not finite"):
        checkpoint.write(path, HEADER, tensors | {name: torch.tensor([1.0, number])})
    assert path.read_bytes() == before


def test_a_logged_value_may_be_infinite(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    name = "values.generator.gradient_norm"
    checkpoint.write(path, HEADER, tensors | {name: torch.tensor(float("inf"))})
    assert checkpoint.read_header(path).read()[name] == float("inf")


@pytest.mark.parametrize("name", ["count", "generator", "generator.a/b", "generator..a", "généré.a"])
def test_a_name_that_could_not_be_read_again_is_a_programmers_mistake(name: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="no name that can be read back"):
        checkpoint.write(tmp_path / "file", HEADER, {name: torch.zeros(1)})


def test_the_largest_state_that_is_trained_has_a_header_that_is_read(tmp_path: Path) -> None:
    most = 9 * 2048
    names = [f"optimizer.discriminator.exp_avg_sq.blocks.{n}.convolution.weight" for n in range(most)]
    path = tmp_path / "large.safetensors"
    checkpoint.write(path, HEADER, {name: torch.zeros(1, 1, 1, 1) for name in names})
    assert checkpoint.read_header(path).tensors.keys() == set(names)
