import gzip
import http.client
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from ganctl.data.sources import download as downloading
from ganctl.data.sources.mnist import load_idx, read_idx
from ganctl.errors import DataError
from ganctl.runtime import bounded
from tests.data import drawn

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 28, 28), np.uint8)
LABELS = np.array([3, 1, 4, 1, 5], np.uint8)
REPOSITORY = Path(__file__).resolve().parents[2]
REAL = [place for place in (REPOSITORY / "shared/data", REPOSITORY.parent / "shared/data") if place.is_dir()]


def torchvision(**sets: object) -> Callable[[], SimpleNamespace]:
    return lambda: SimpleNamespace(datasets=SimpleNamespace(**sets))


def put(
    folder: Path,
    prefix: str = "train",
    *,
    gz: bool = False,
    pixels: np.ndarray = PIXELS,
    labels: np.ndarray = LABELS,
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, array in ((f"{prefix}-images-idx3-ubyte", pixels), (f"{prefix}-labels-idx1-ubyte", labels)):
        content = drawn.idx(array)
        (folder / (name + ".gz" * gz)).write_bytes(gzip.compress(content) if gz else content)
    return folder


def refuse_download(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def mnist(root, download):
        raise error

    monkeypatch.setattr(downloading, "import_torchvision", torchvision(MNIST=mnist))


@pytest.mark.parametrize("gz", [False, True])
@pytest.mark.parametrize("inner", ["MNIST/raw", ""])
def test_files_are_read_from_both_layouts_plain_and_gzipped(tmp_path, inner, gz):
    put(tmp_path / inner, gz=gz)
    pixels, labels = load_idx("MNIST", str(tmp_path), train=True, fetch=False)
    np.testing.assert_array_equal(pixels, PIXELS)
    np.testing.assert_array_equal(labels, LABELS)
    assert pixels.dtype == labels.dtype == np.uint8


@pytest.mark.parametrize("inner", ["MNIST/raw", "MNIST", "raw", ""])
@pytest.mark.parametrize("spelling", ["train-{}.idx{}-ubyte", "train-{0}-idx{1}-ubyte/train-{0}-idx{1}-ubyte"])
@pytest.mark.parametrize("gz", [False, True])
def test_files_are_found_with_a_dot_in_their_names_and_in_folders_of_their_own(tmp_path, inner, spelling, gz):
    for what, array in (("images", PIXELS), ("labels", LABELS)):
        path = tmp_path / inner / spelling.format(what, array.ndim)
        if gz:
            path = path.with_name(f"{path.name}.gz")
            path = path.parent.with_name(f"{path.parent.name}.gz") / path.name if "/" in spelling else path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(drawn.idx(array)) if gz else drawn.idx(array))
    pixels, labels = load_idx("MNIST", str(tmp_path), train=True, fetch=False)
    np.testing.assert_array_equal(pixels, PIXELS)
    np.testing.assert_array_equal(labels, LABELS)


def test_the_splits_are_told_apart(tmp_path):
    put(tmp_path, "train")
    put(tmp_path, "t10k", pixels=255 - PIXELS)
    np.testing.assert_array_equal(load_idx("MNIST", str(tmp_path), train=True, fetch=False)[0], PIXELS)
    np.testing.assert_array_equal(load_idx("MNIST", str(tmp_path), train=False, fetch=False)[0], 255 - PIXELS)


def test_a_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    put(tmp_path / "digits")
    assert len(load_idx("MNIST", "~/digits", train=True, fetch=False)[0]) == 5


def test_files_at_hand_are_not_downloaded(tmp_path, monkeypatch):
    refuse_download(monkeypatch, AssertionError("downloaded"))
    put(tmp_path)
    assert len(load_idx("MNIST", str(tmp_path), train=True, fetch=True)[0]) == 5


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:-1], id="truncated"),
        pytest.param(lambda content: content[:7], id="truncated header"),
        pytest.param(lambda content: b"", id="zero bytes"),
        pytest.param(lambda content: content + b"\x00", id="a byte too many"),
        pytest.param(lambda content: b"\x00\x01" + content[2:], id="wrong magic"),
        pytest.param(lambda content: content[:2] + b"\x0d" + content[3:], id="floats"),
        pytest.param(lambda content: b"\x00\x00\x08\x00", id="no dimensions"),
        pytest.param(lambda content: b"<html>not found</html>", id="a web page"),
        pytest.param(lambda content: b"\0\0\x08\xff" + b"\0\0\0\1" * 255 + b"x", id="255 dimensions"),
        pytest.param(lambda content: b"\0\0\x08\xff" + b"\0" * 1020, id="255 dimensions of nothing"),
    ],
)
def test_a_file_that_is_not_a_whole_idx_file_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "digits-idx3-ubyte"
    path.write_bytes(damage(drawn.idx(PIXELS)))
    with pytest.raises(DataError) as refused:
        read_idx(path)
    assert str(refused.value) == f"{path}: not a whole idx file of unsigned bytes; fetch it again"


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda content: content[:-20], id="truncated"),
        pytest.param(lambda content: content[:10] + b"\xff" * 40 + content[50:], id="garbled"),
        pytest.param(lambda content: gzip.decompress(content), id="not gzipped"),
    ],
)
def test_a_damaged_gzip_file_is_refused_by_name(tmp_path, damage):
    path = tmp_path / "digits-idx3-ubyte.gz"
    path.write_bytes(damage(gzip.compress(drawn.idx(PIXELS))))
    with pytest.raises(DataError) as refused:
        read_idx(path)
    assert str(refused.value).startswith(f"{path}: cannot be read (")
    assert "\n" not in str(refused.value)


def test_a_gzip_file_that_unpacks_to_more_than_memory_holds_is_refused_before_it_is_unpacked(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(bounded, "memory_limit", lambda: 8 << 20)
    path = tmp_path / "bomb-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(64 << 20)))
    with pytest.raises(DataError, match=r"cannot be read \(more than 2,097,152 bytes unpacked\)$"):
        read_idx(path)


def test_a_sparse_file_larger_than_memory_is_refused_unread(tmp_path):
    path = tmp_path / "sparse-idx3-ubyte"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(DataError, match=r"cannot be read \(1,099,511,627,776 bytes, more than"):
        read_idx(path)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_pipe_and_a_device_do_not_block(tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    (tmp_path / f"zero{suffix}").symlink_to("/dev/zero")
    for name, kind in (("pipe", "a pipe"), ("zero", "a device")):
        with pytest.raises(DataError, match=rf"cannot be read \({kind}, not a regular file\)$"):
            read_idx(tmp_path / f"{name}{suffix}")


@pytest.mark.parametrize("shape", [(5, 0, 28), (5, 28, 0), (5, 28, 14)])
def test_images_that_are_not_square_are_refused(tmp_path, shape):
    put(tmp_path, pixels=np.zeros(shape, np.uint8))
    with pytest.raises(DataError, match=rf"images of {shape[1]}×{shape[2]} pixels, but MNIST's are 28×28$"):
        load_idx("MNIST", str(tmp_path), train=True, fetch=False)


def test_an_unreadable_file_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="cannot be read"):
        read_idx(tmp_path)


def test_files_of_no_images_are_refused(tmp_path):
    put(tmp_path, pixels=PIXELS[:0], labels=LABELS[:0])
    with pytest.raises(DataError, match=r"\(0, 28, 28\) pixels and \(0,\) labels do not belong together"):
        load_idx("MNIST", str(tmp_path), train=True, fetch=False)


def test_pixels_and_labels_of_different_lengths_are_refused(tmp_path):
    put(tmp_path, pixels=PIXELS[:4])
    with pytest.raises(DataError, match=r"\(4, 28, 28\) pixels and \(5,\) labels do not belong together"):
        load_idx("MNIST", str(tmp_path), train=True, fetch=False)


def test_missing_files_are_answered_with_what_to_put_where(tmp_path):
    put(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as refused:
        load_idx("MNIST", str(tmp_path), train=True, fetch=False)
    line = str(refused.value)
    assert line.startswith(
        f"data.root: no train-labels-idx1-ubyte in {tmp_path / 'MNIST' / 'raw'} or {tmp_path}; "
    )
    assert "data.download=true" in line
    assert "\n" not in line


def test_a_download_fetches_into_the_root_and_is_read(tmp_path, monkeypatch):
    asked = []

    def mnist(root, download):
        asked.append((root, download))
        put(Path(root) / "MNIST" / "raw")

    monkeypatch.setattr(downloading, "import_torchvision", torchvision(MNIST=mnist))
    pixels, _ = load_idx("MNIST", str(tmp_path), train=True, fetch=True)
    np.testing.assert_array_equal(pixels, PIXELS)
    ((place, download),) = asked
    assert download is True
    assert Path(place).parent == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["MNIST"]


def test_a_download_that_is_stopped_leaves_no_file_that_looks_whole(tmp_path, monkeypatch):
    def stopped(root, download):
        put(Path(root) / "MNIST" / "raw")
        raise KeyboardInterrupt

    monkeypatch.setattr(downloading, "import_torchvision", torchvision(MNIST=stopped))
    with pytest.raises(KeyboardInterrupt):
        load_idx("MNIST", str(tmp_path), train=True, fetch=True)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            RuntimeError("Error downloading a.gz:\nTried mirror, got:\n<timed out>\n"),
            "a.gz: Tried mirror, got: <timed",
        ),
        (OSError(28, "No space left on device"), "No space left on device"),
        (http.client.IncompleteRead(b"", 100), "IncompleteRead"),
        (ConnectionResetError(), "ConnectionResetError"),
    ],
)
def test_a_failed_download_is_one_line_with_its_reason_and_the_way_out(tmp_path, monkeypatch, error, reason):
    refuse_download(monkeypatch, error)
    with pytest.raises(DataError) as refused:
        load_idx("MNIST", str(tmp_path), train=True, fetch=True)
    line = str(refused.value)
    assert line.startswith("data.root: MNIST could not be downloaded (")
    assert reason in line
    assert str(tmp_path / "MNIST" / "raw") in line
    assert "\n" not in line


def test_a_download_that_brings_too_little_is_refused(tmp_path, monkeypatch):
    def nothing(root, download):
        (Path(root) / "MNIST" / "raw").mkdir(parents=True)

    monkeypatch.setattr(downloading, "import_torchvision", torchvision(MNIST=nothing))
    with pytest.raises(DataError, match="no train-images-idx3-ubyte in"):
        load_idx("MNIST", str(tmp_path), train=True, fetch=True)


@pytest.mark.skipif(not REAL, reason="MNIST's files are not at hand in shared/data")
def test_real_mnist_has_its_known_size_and_mean():
    pixels, labels = load_idx("MNIST", str(REAL[0]), train=True, fetch=False)
    assert (pixels.shape, labels.shape) == ((60_000, 28, 28), (60_000,))
    assert abs(pixels.mean() / 255 - 0.1307) < 1e-4
    assert np.bincount(labels).tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert load_idx("MNIST", str(REAL[0]), train=False, fetch=False)[0].shape == (10_000, 28, 28)
