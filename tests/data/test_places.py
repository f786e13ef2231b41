"""What is no set at all, or no file of one, in its place: each is refused in one line, at once."""

import os
import socket
from pathlib import Path

import pytest
import yaml

from ganctl.data.sources import SOURCES
from ganctl.errors import DataError

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "data"


def refusal(source: str, key: str) -> str:
    """Return the line that refuses `set` in the current folder as a source's data."""
    values = yaml.safe_load((CONFIGS / f"{source}.yaml").read_text(encoding="utf-8")) | {key: "set"}
    with pytest.raises(DataError) as refused:
        SOURCES[source](**values | ({"download": False} if key == "root" else {})).load()
    assert "\n" not in str(refused.value)
    return str(refused.value)


def pipe(path: Path) -> None:
    os.mkfifo(path)


def listening(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path.name)  # in the current folder: the whole path may be too long for a socket


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize("place", [pipe, listening, endless, sparse], ids=lambda place: place.__name__)
@pytest.mark.parametrize("source", ["folder", "mnist", "fashion_mnist", "cifar10", "celeba"])
def test_what_is_no_set_is_refused_in_one_line(source, place, workspace: Path) -> None:
    place(workspace / "set")
    key = "path" if source == "folder" else "root"
    assert refusal(source, key).startswith(f"data.{key}: ")


@pytest.mark.parametrize("place", [pipe, listening, endless, sparse], ids=lambda place: place.__name__)
@pytest.mark.parametrize(
    ("source", "below"),
    [
        ("mnist", "train-images-idx3-ubyte"),
        ("mnist", "MNIST/raw/train-labels-idx1-ubyte.gz"),
        ("cifar10", "cifar-10-batches-py"),
        ("cifar10", "cifar-10-batches-py/data_batch_1"),
        ("celeba", "img_align_celeba"),
        ("celeba", "celeba/img_align_celeba.zip"),
    ],
)
def test_what_is_no_file_of_a_set_is_refused_in_one_line(
    source, below, place, workspace: Path, monkeypatch
) -> None:
    path = workspace / "set" / below
    path.parent.mkdir(parents=True)
    with monkeypatch.context() as patch:
        patch.chdir(path.parent)
        place(path)
    assert "set" in refusal(source, "root")
