import hashlib
import io
import os
import pickle
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torchvision.datasets

from ganctl.data.sources import SOURCES
from ganctl.data.store import Store
from ganctl.errors import DataError
from tests.conftest import Cli

BATCHES = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch"]
NAMES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class OldType:
    """Warns when it is unpickled, as the types of the real files do in some versions of numpy."""

    def __reduce__(self):
        return (warnings.warn, ("align", np.exceptions.VisibleDeprecationWarning))


def photographs(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (4, 3, 32, 32), np.uint8)


def write(root: Path) -> Path:
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    for number, name in enumerate(BATCHES):
        batch = {"data": photographs(number).reshape(4, 3072), "labels": [number, 9, 0, number], "type": OldType()}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": NAMES}))
    return folder


def no_network(self: torchvision.datasets.CIFAR10) -> None:
    raise AssertionError("downloaded")


@pytest.fixture(autouse=True)
def _a_small_original(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let torchvision take the files that `write` makes for the original ones."""
    folder = write(tmp_path_factory.mktemp("original"))
    digests = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    cifar = torchvision.datasets.CIFAR10
    monkeypatch.setattr(cifar, "train_list", [[name, digests[name]] for name in BATCHES[:5]])
    monkeypatch.setattr(cifar, "test_list", [[name, digests[name]] for name in BATCHES[5:]])
    monkeypatch.setattr(cifar, "meta", cifar.meta | {"md5": digests["batches.meta"]})
    monkeypatch.setattr(cifar, "download", no_network)


def cifar(root: Path, split: str = "train", *, download: bool = True, resolution: int = 32) -> Store:
    values = {"root": str(root), "split": split, "download": download, "resolution": resolution}
    return SOURCES["cifar10"](name="cifar10", balance=False, **values).load()


@pytest.mark.parametrize("place", ["", "cifar-10-batches-py"])
def test_files_at_hand_are_read_without_a_download(tmp_path, place):
    write(tmp_path)
    store = cifar(tmp_path / place)
    expected = np.concatenate([photographs(number) for number in range(5)]).transpose(0, 2, 3, 1)
    np.testing.assert_array_equal(store.samples.numpy(), expected)
    assert store.samples.is_contiguous()
    assert store.labels.tolist() == [label for number in range(5) for label in (number, 9, 0, number)]
    assert store.classes == tuple(NAMES)


def test_the_splits_are_told_apart(tmp_path):
    write(tmp_path)
    store = cifar(tmp_path, "test")
    np.testing.assert_array_equal(store.samples.numpy(), photographs(5).transpose(0, 2, 3, 1))
    assert store.labels.tolist() == [5, 9, 0, 5]


def test_other_resolutions_are_resized(tmp_path):
    write(tmp_path)
    small = cifar(tmp_path, resolution=8).samples.double()
    assert small.shape == (20, 8, 8, 3)
    means = cifar(tmp_path).samples.double().mean((1, 2))
    assert (small.mean((1, 2)) - means).abs().max() < 2  # a resized image keeps its colours, up to its edges


def test_a_download_comes_whole_or_not_at_all(tmp_path, monkeypatch):
    asked = []

    def fetch(self):
        asked.append(Path(self.root))
        write(Path(self.root))

    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", fetch)
    assert len(cifar(tmp_path / "data")) == 20
    assert asked[0].parent == tmp_path / "data"
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["cifar-10-batches-py"]


def test_a_failed_download_is_one_line_that_says_what_to_put_where(tmp_path, monkeypatch):
    def fail(self):
        raise OSError("<urlopen error timed out>\n")

    monkeypatch.setattr(torchvision.datasets.CIFAR10, "download", fail)
    with pytest.raises(DataError) as refused:
        cifar(tmp_path)
    line = str(refused.value)
    assert line.startswith(
        "data.root: CIFAR-10 could not be downloaded (<urlopen error timed out>); unpack cifar-10"
    )
    assert f"{tmp_path / 'cifar-10-batches-py'} with data_batch_1, data_batch_2" in line
    assert line.endswith("test_batch, batches.meta")
    assert "\n" not in line


def test_a_missing_file_is_named_where_nothing_may_be_downloaded(tmp_path):
    (write(tmp_path) / "data_batch_3").unlink()
    with pytest.raises(DataError) as refused:
        cifar(tmp_path, download=False)
    folder = tmp_path / "cifar-10-batches-py"
    assert str(refused.value).startswith(f"data.root: no data_batch_3 in {folder}; unpack cifar-10-python.tar.gz")


@pytest.fixture
def packed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The archive of a small original, as the download leaves it, in an otherwise empty folder."""
    root = tmp_path / "data"
    root.mkdir()
    write(tmp_path / "original")
    path = root / "cifar-10-python.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tmp_path / "original/cifar-10-batches-py", "cifar-10-batches-py")
        archive.addfile(tarfile.TarInfo("cifar-10-batches-py/more"))
        archive.addfile(tarfile.TarInfo("../outside"))
    monkeypatch.setattr(torchvision.datasets.CIFAR10, "tgz_md5", hashlib.md5(path.read_bytes()).hexdigest())
    return path


@pytest.mark.parametrize("named", [False, True])
@pytest.mark.parametrize("download", [False, True])
def test_the_archive_at_hand_is_unpacked_without_a_download(packed, named, download):
    assert len(cifar(packed if named else packed.parent, download=download)) == 20
    places = sorted(str(path.relative_to(packed.parent)) for path in packed.parent.rglob("*"))
    folder = "cifar-10-batches-py"
    assert places == sorted([packed.name, folder, *(f"{folder}/{name}" for name in [*BATCHES, "batches.meta"])])
    assert not (packed.parent.parent / "outside").exists()


def bomb(path: Path) -> None:
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("cifar-10-batches-py/data_batch_1")
        member.size = 64 << 20
        archive.addfile(member, io.BytesIO(bytes(member.size)))


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


@pytest.mark.parametrize(
    ("replace", "told"),
    [
        (bomb, "its md5 is not that of the original; fetch it again"),
        (lambda path: path.write_bytes(b"<html>"), "its md5 is not that of the original; fetch it again"),
        (sparse, "has 1,099,511,627,776 bytes, and is not the original"),
        (os.mkfifo, "a pipe, not a regular file"),
        (lambda path: path.symlink_to("/dev/zero"), "a device, not a regular file"),
    ],
)
def test_an_archive_that_is_not_the_original_is_one_line_and_never_unpacked(packed, replace, told):
    packed.unlink()
    replace(packed)
    with pytest.raises(DataError) as refused:
        cifar(packed.parent)
    line = str(refused.value)
    assert line.startswith(f"data.root: CIFAR-10 could not be unpacked from {packed} (")
    assert told in line
    assert "\n" not in line
    assert list(packed.parent.rglob("data_batch_1")) == []


def test_a_batch_of_any_size_is_refused_before_it_is_read(tmp_path):
    path = write(tmp_path) / "data_batch_2"
    sparse(path)
    with pytest.raises(DataError, match=r"data_batch_2 has 1,099,511,627,776 bytes, and is not the original"):
        cifar(tmp_path)


class Trap:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return (Path.touch, (self.path,))


@pytest.mark.parametrize("name", ["data_batch_2", "batches.meta"])
def test_a_file_that_is_not_the_original_is_refused_by_name_and_never_unpickled(tmp_path, name):
    trap = tmp_path / "sprung"
    (write(tmp_path) / name).write_bytes(pickle.dumps(Trap(trap)))
    with pytest.raises(DataError) as refused:
        cifar(tmp_path)
    assert f"{name} is missing or not the original (its md5 differs); remove that folder" in str(refused.value)
    assert not trap.exists()


def test_the_command_line_answers_with_one_line_and_3(workspace: Path, cli: Cli):
    outcome = cli("train", "data=cifar10", "data.root=nowhere", "data.download=false")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert outcome.err.startswith(
        "ganctl: data.root: no data_batch_1 in nowhere/cifar-10-batches-py; unpack cifar-10"
    )
