import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from ganctl.data.batches import Batches
from ganctl.data.sources import SOURCES
from ganctl.data.store import MappedStore, Store
from ganctl.errors import DataError
from ganctl.samples import KINDS
from tests.conftest import Cli

DRAWN = np.random.default_rng(0)
PIXELS = DRAWN.integers(0, 256, (5, 8, 6, 3), np.uint8)
POINTS = DRAWN.standard_normal((7, 4))


def source(path: Path, **values: Any) -> Any:
    given = {"path": str(path), "samples": None, "labels": None, "range": None, "balance": False} | values
    return SOURCES["array"](name="array", **given)


def load(path: Path, **values: Any) -> Store:
    return source(path, **values).load()


def npy(folder: Path, array: np.ndarray, name: str = "a.npy") -> Path:
    np.save(folder / name, array, allow_pickle=True)
    return folder / name


def npz(folder: Path, **arrays: np.ndarray) -> Path:
    np.savez(folder / "a.npz", **arrays)
    return folder / "a.npz"


def refusal(path: Path, **values: Any) -> str:
    """What a user reads; that the data are points or images is refused by the same words if it is refused."""
    with pytest.raises(DataError) as refused:
        load(path, **values)
    assert "\n" not in str(refused.value)
    return str(refused.value)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, ">f4", np.int16, np.int64])
def test_one_or_two_axes_are_points(tmp_path, dtype):
    values = (POINTS * 10).astype(dtype)
    store = load(npy(tmp_path, values))
    assert (store.space.shape, store.samples.dtype, store.labels) == ((4,), torch.float32, None)
    np.testing.assert_array_equal(store.samples.numpy(), values.astype(np.float32))
    line = load(npy(tmp_path, values[:, 0]))
    np.testing.assert_array_equal(line.samples.numpy(), values[:, :1].astype(np.float32))


def test_truth_values_are_points_of_zeros_and_ones(tmp_path):
    assert load(npy(tmp_path, np.array([[True, False]]))).samples.tolist() == [[1, 0]]


@pytest.mark.parametrize(
    ("shape", "layout"),
    [
        ((5, 8, 6), (0, 1, 2, None)),
        ((5, 8, 6, 1), (0, 1, 2, 3)),
        ((5, 8, 6, 3), (0, 1, 2, 3)),
        ((5, 1, 8, 6), (0, 2, 3, 1)),
        ((5, 3, 8, 6), (0, 2, 3, 1)),
        ((5, 8, 6, 4), (0, 1, 2, 3)),
        ((5, 4, 8, 6), (0, 2, 3, 1)),
        ((5, 3, 8, 3), (0, 1, 2, 3)),
        ((5, 1, 8, 1), (0, 1, 2, 3)),
        ((5, 3, 3, 1), (0, 1, 2, 3)),
        ((5, 8, 5), (0, 1, 2, None)),
    ],
)
@pytest.mark.parametrize("order", ["C", "F"])
def test_three_or_four_axes_are_images_with_channels_last_where_in_doubt(tmp_path, shape, layout, order):
    values = np.asarray(DRAWN.integers(0, 256, shape, np.uint8), order=order)
    expected = values[..., None] if None in layout else values.transpose(layout)
    store = load(npy(tmp_path, values))
    assert store.samples.dtype == torch.uint8
    assert store.samples.is_contiguous()
    np.testing.assert_array_equal(store.samples.numpy(), expected)


@pytest.mark.parametrize(("array", "kind"), [(POINTS, KINDS[1]), (POINTS[:, 0], KINDS[1]), (PIXELS, KINDS[0])])
def test_the_header_tells_points_from_images(tmp_path, array, kind):
    assert source(npy(tmp_path, array)).kind is kind
    assert source(npz(tmp_path, samples=array, other=POINTS)).kind is kind


@pytest.mark.parametrize("pixels", [PIXELS, PIXELS[..., 0]])
def test_a_file_of_images_is_trained_on_as_it_lies(tmp_path, pixels):
    store = load(npy(tmp_path, pixels))
    assert isinstance(store, MappedStore)
    in_memory = Store(store.samples.clone())
    assert store.fingerprint == in_memory.fingerprint
    ours, theirs = (
        Batches(each, 2, 0, torch.device("cpu"), torch.float32, (-1.0, 1.0)) for each in (store, in_memory)
    )
    for number in range(5):
        assert torch.equal(ours.samples("generator", number), theirs.samples("generator", number))


def test_a_file_of_images_is_mapped_and_not_read(tmp_path):
    path = npy(tmp_path, PIXELS)
    samples = load(path).samples
    with path.open("r+b") as content:
        content.seek(-1, io.SEEK_END)
        content.write(bytes([255 - PIXELS[-1, -1, -1, -1]]))
    assert samples[-1, -1, -1, -1] == 255 - PIXELS[-1, -1, -1, -1]


@pytest.mark.parametrize(
    ("array", "ends", "expected"),
    [
        pytest.param(np.array([0, 0.25, 1]), None, [0, 64, 255], id="floats from 0 to 1"),
        pytest.param(np.array([-1, 0, 1.0]), None, [0, 128, 255], id="floats from −1 to 1"),
        pytest.param(np.array([-0.25, 0, 0.5], np.float16), None, [96, 128, 191], id="floats within −1 to 1"),
        pytest.param(np.array([0, 7, 255]), None, [0, 7, 255], id="whole numbers"),
        pytest.param(np.array([False, True, False]), None, [0, 255, 0], id="truth values"),
        pytest.param(np.array([0, 1, 1]), (0.0, 1.0), [0, 255, 255], id="zeros and ones"),
        pytest.param(np.array([0, 1, 1], np.uint8), (0.0, 1.0), [0, 255, 255], id="bytes of zeros and ones"),
        pytest.param(np.array([0, 32768, 65535], np.uint16), (0.0, 65535.0), [0, 128, 255], id="16 bits"),
        pytest.param(np.array([-6, 1.5, 9]), (-3.0, 3.0), [0, 191, 255], id="beyond the range"),
    ],
)
def test_black_and_white_follow_from_the_range_or_where_there_is_no_doubt(tmp_path, array, ends, expected):
    store = load(npy(tmp_path, array.reshape(1, 1, 3, 1)), range=ends)
    assert store.samples.flatten().tolist() == expected


@pytest.mark.parametrize(
    ("array", "ends", "told"),
    [
        (np.array([0, 0.5, 1]), None, "data.range: taken as [0,1], as {path} lies in 0 to 1"),
        (np.array([-0.5, 0, 1]), None, "data.range: taken as [-1,1], as {path} lies in -0.5 to 1"),
        (np.array([0, 2, 200]), None, "data.range: taken as [0,255], as {path} lies in 0 to 200"),
        (np.array([-2, 0, 2]), (-1.0, 1.0), "data.range: 2 of 3 values lie outside [-1,1] and are cut off"),
        (np.array([-1, 0, 1]), (-1.0, 1.0), None),
        (np.array([0, 1, 2], np.uint8), None, None),
    ],
)
def test_a_guess_and_a_loss_are_said(tmp_path, capsys, array, ends, told):
    path = npy(tmp_path, array.reshape(1, 1, 3, 1))
    load(path, range=ends)
    assert capsys.readouterr().out == (told.format(path=path) + "\n" if told else "")


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.array([0, 0.5, 1.5]), "floats from 0 to 1.5; set data.range=[black,white], such as [0,1.5]"),
        (np.array([-3.0, 0, 255]), "floats from -3 to 255; set data.range=[black,white], such as [-10,260]"),
        (np.array([0, 0, 256]), "whole numbers from 0 to 256; set data.range=[black,white], such as [0,511]"),
        (np.array([0, 1, 1]), "whole numbers from 0 to 1; set data.range=[black,white], such as [0,1]"),
        (np.array([0, 0, 0]), "whole numbers from 0 to 0; set data.range=[black,white], such as [0,1]"),
    ],
)
def test_a_doubtful_range_is_asked_for(tmp_path, array, told):
    path = npy(tmp_path, array.reshape(1, 1, 3, 1))
    assert refusal(path) == f"data.range: which values are black and white? {path} holds {told}"


@pytest.mark.parametrize("ends", [(1.0, 0.0), (0.5, 0.5)])
def test_a_range_that_does_not_rise_is_refused(tmp_path, ends):
    with pytest.raises(ValidationError, match="must rise, black first"):
        source(tmp_path, range=ends)


def test_large_arrays_are_scaled_in_parts(tmp_path):
    values = DRAWN.random((70_000, 8, 8)).astype(np.float32)
    store = load(npy(tmp_path, values))
    np.testing.assert_array_equal(store.samples[..., 0].numpy(), (values.astype(float) * 255).round())


@pytest.mark.parametrize(
    ("arrays", "values", "chosen"),
    [
        ({"anything": POINTS}, {}, "anything"),
        ({"anything": POINTS, "y": np.arange(7)}, {"labels": "y"}, "anything"),
        ({"z": POINTS[:2], "data": POINTS, "arr_0": POINTS[:3]}, {}, "data"),
        ({"images": POINTS, "x": POINTS[:3]}, {}, "images"),
        ({"images": POINTS[:2], "z": POINTS}, {"samples": "z"}, "z"),
    ],
)
def test_the_array_of_an_archive_is_the_named_the_only_or_the_usual_one(tmp_path, arrays, values, chosen):
    np.testing.assert_array_equal(
        load(npz(tmp_path, **arrays), **values).samples.numpy(), arrays[chosen].astype(np.float32)
    )


def test_a_compressed_archive_reads_the_same(tmp_path):
    np.savez_compressed(tmp_path / "b.npz", x=PIXELS)
    assert load(tmp_path / "b.npz").fingerprint == load(npy(tmp_path, PIXELS)).fingerprint


@pytest.mark.parametrize(
    ("labels", "indices", "classes"),
    [
        (np.array([5, 2, 2, 9, 5]), [1, 0, 0, 2, 1], ("2", "5", "9")),
        (np.array([[1], [0], [0], [1], [1]], np.uint8), [1, 0, 0, 1, 1], ("0", "1")),
        (np.array(["dog", "cat", "cat", "dog", "eel"]), [1, 0, 0, 1, 2], ("cat", "dog", "eel")),
        (np.array([b"dog", b"cat", b"cat", b"dog", b"cat"]), [1, 0, 0, 1, 0], ("cat", "dog")),
        (np.array([True, False, True, True, True]), [1, 0, 1, 1, 1], ("False", "True")),
    ],
)
def test_labels_become_classes_in_the_order_of_their_values(tmp_path, labels, indices, classes):
    store = load(npz(tmp_path, x=PIXELS, y=labels), labels="y")
    assert store.labels.dtype == torch.int64
    assert (store.labels.tolist(), store.classes) == (indices, classes)


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.arange(4), "is int64 [4], but there are 5 samples, and each needs one label"),
        (np.eye(5), "is float64 [5,5]; labels must be whole numbers or text"),
        (np.eye(5, dtype=int), "is int64 [5,5], but there are 5 samples"),
        (np.array([None] * 5), "is object [5]; labels must be whole numbers or text"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path, labels, told):
    path = npz(tmp_path, x=PIXELS, y=labels)
    assert refusal(path, labels="y").startswith(f"data.labels: y in {path} {told}")


@pytest.mark.parametrize(
    ("arrays", "values", "told"),
    [
        ({"a": POINTS, "b": POINTS}, {}, "data.samples: {path} holds a, b; choose by data.samples=…"),
        ({}, {}, "data.samples: {path} holds no array"),
        ({"a": POINTS}, {"samples": "b"}, "data.samples: there is no 'b' in {path}; there are a"),
        ({"a": POINTS}, {"labels": "b"}, "data.labels: there is no 'b' in {path}; there are a"),
        ({"a": POINTS}, {"range": (0.0, 1.0)}, "data.range: is for images, but {path} holds points"),
    ],
)
def test_what_an_archive_does_not_hold_is_refused(tmp_path, arrays, values, told):
    path = npz(tmp_path, **arrays)
    assert refusal(path, **values).startswith(told.format(path=path))


def test_a_single_array_has_no_name(tmp_path):
    path = npy(tmp_path, POINTS)
    assert refusal(path, samples="x") == f"data.samples: is for .npz files, but {path} is a .npy, of one array"


@pytest.mark.parametrize("array", [PIXELS, PIXELS / 255, POINTS[:5]], ids=["mapped", "scaled", "points"])
def test_the_labels_of_a_single_array_lie_in_a_file_beside_it(tmp_path, array):
    path, labels = npy(tmp_path, array), np.array(["dog", "cat", "cat", "dog", "eel"])
    store = load(path, labels=str(npy(tmp_path, labels, "labels.npy")))
    assert (store.labels.tolist(), store.classes) == ([1, 0, 0, 1, 2], ("cat", "dog", "eel"))
    assert isinstance(store, MappedStore) == (array is PIXELS)
    assert store.fingerprint == Store(store.samples.clone(), store.labels).fingerprint
    assert store.fingerprint != load(path).fingerprint


def test_a_file_of_labels_that_cannot_be_used_is_refused_by_its_name(tmp_path):
    path, place = npy(tmp_path, PIXELS), tmp_path / "labels.npy"
    assert refusal(path, labels=str(place)) == f"data.labels: {place} does not exist (did you mean 'a.npy'?)"
    place.write_bytes(b"5")
    assert refusal(path, labels=str(place)) == f"data.labels: {place} is neither a .npy nor an .npz file"
    npy(tmp_path, np.eye(5, dtype=int), "labels.npy")
    assert refusal(path, labels=str(place)).startswith(f"data.labels: {place} is int64 [5,5], but there are 5 sa")
    npy(tmp_path, np.array([{}] * 5), "labels.npy")
    assert refusal(path, labels=str(place)).startswith(f"data.labels: {place} is object [5]; labels must be")
    archive = npz(tmp_path, y=np.arange(5))
    assert refusal(path, labels=str(archive)).startswith(f"data.labels: {archive} is an .npz file; ")


def test_an_array_without_labels_says_how_to_name_them(tmp_path):
    for path in (npy(tmp_path, PIXELS), npy(tmp_path, POINTS), npz(tmp_path, x=PIXELS)):
        assert load(path).without_labels == "name an array of labels by data.labels=…"


@pytest.mark.parametrize(
    ("array", "told"),
    [
        (np.array([[None, 1]]), "holds an array of object [1,2]; samples must be floats"),
        (np.zeros(3, [("x", "f4"), ("y", "f4")]), "[3]; samples must be floats"),
        (np.zeros((3, 2), complex), "of complex128 [3,2]; samples must be floats"),
        (np.array(["a", "b"]), "[2]; samples must be floats"),
        (np.zeros((3, 2), "datetime64[s]"), "[3,2]; samples must be floats"),
        (np.float64(3), "of float64 []; points are [N] or [N,D]"),
        (np.zeros((1, 2, 3, 4, 5)), "of float64 [1,2,3,4,5]; points are [N] or [N,D]"),
        (np.zeros((0, 2)), "of float64 [0,2], which is empty"),
        (np.zeros((2, 0, 3), np.uint8), "of uint8 [2,0,3], which is empty"),
        (np.zeros((2, 8, 8, 5), np.uint8), "of uint8 [2,8,8,5]; images have 1, 3 or 4 channels, as the last axis"),
        (np.zeros((2, 784), np.uint8), "of uint8 [2,784]; save images as [N,H,W] or [N,H,W,C], and points as"),
    ],
)
def test_arrays_of_other_kinds_are_refused_by_their_header(tmp_path, array, told):
    path = npy(tmp_path, array)
    line = refusal(path)
    assert line.startswith(f"data.path: {path} holds an array of ")
    assert told in line
    with pytest.raises(DataError):
        source(path).kind  # noqa: B018


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf, 1e300])
@pytest.mark.parametrize("shape", [(2, 2), (1, 2, 2, 1)])
def test_numbers_that_are_not_finite_are_refused(tmp_path, wrong, shape):
    values = np.zeros(4)
    values[2] = wrong
    line = refusal(npy(tmp_path, values.reshape(shape)))
    if wrong == 1e300 and len(shape) == 4:
        assert "which values are black and white?" in line
    else:
        assert (
            line
            == f"data.path: {tmp_path / 'a.npy'} holds values that are not finite (NaN or infinite) in 32 bits"
        )


def test_nothing_that_a_file_holds_is_unpickled(tmp_path):
    trap = tmp_path / "sprung"

    class Trap:
        def __reduce__(self):
            return (Path.touch, (trap,))

    refusal(npy(tmp_path, np.array([Trap()], dtype=object)))
    refusal(npz(tmp_path, x=PIXELS, y=np.array([Trap()] * 5, dtype=object)), labels="y")
    assert not trap.exists()


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "is neither a .npy nor an .npz file"),
        (b"<html>", "is neither a .npy nor an .npz file"),
        (b"\x93NUMPY", "cannot be read ("),
        (b"\x93NUMPY\x01\x00\x76\x00{'descr':", "cannot be read ("),
        (b"\x93NUMPY\x01\x00\x05\x00__a()" + bytes(20), "cannot be read ("),
        (b"\x93NUMPY\x03\x00\x76\x00", "cannot be read (version 3.0 of the format"),
        (b"PK\x03\x04 cut off", "cannot be read ("),
    ],
)
def test_files_of_other_kinds_and_damaged_ones_are_refused(tmp_path, content, told):
    path = tmp_path / "a.npy"
    path.write_bytes(content)
    assert refusal(path).startswith(f"data.path: {path} {told}")


@pytest.mark.parametrize("cut", [1, 500])
def test_a_truncated_file_is_refused_with_what_is_missing(tmp_path, cut):
    path = npy(tmp_path, PIXELS)
    path.write_bytes(path.read_bytes()[:-cut])
    assert refusal(path) == f"data.path: {path} cannot be read (it ends after {720 - cut} of 720 bytes of values)"


def test_a_damaged_archive_is_refused(tmp_path):
    path = npz(tmp_path, x=PIXELS)
    content = bytearray(path.read_bytes())
    content[400] ^= 255
    path.write_bytes(content)
    assert refusal(path).startswith(f"data.path: {path}, array x, cannot be read (Bad CRC-32")


def test_a_member_that_claims_more_than_it_holds_is_refused_before_it_is_allocated(tmp_path):
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, {"descr": "<f4", "fortran_order": False, "shape": (10**9, 10**3)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", head.getvalue() + bytes(8))
    assert "array x, cannot be read (it ends after 8 of 4,000,000,000,000 bytes" in refusal(tmp_path / "a.npz")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    npy(tmp_path, POINTS, "points.npy")
    assert refusal(tmp_path / "point.npy").endswith("point.npy does not exist (did you mean 'points.npy'?)")
    assert refusal(tmp_path) == f"data.path: {tmp_path} is a folder; name the .npy or .npz file in it"


def test_a_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    npy(tmp_path, POINTS)
    assert len(load(Path("~/a.npy"))) == 7


def test_the_command_line_answers_with_one_line_and_3(workspace: Path, cli: Cli):
    npy(workspace, np.array([[np.nan, 0]]), "nan.npy")
    for path, told in {
        "nowhere.npy": "nowhere.npy does not exist",
        "nan.npy": "nan.npy holds values that",
    }.items():
        outcome = cli("train", "data=array", f"data.path={path}", "model=mlp")
        assert (outcome.code, outcome.err.count("\n")) == (3, 1)
        assert outcome.err.startswith(f"ganctl: data.path: {told}")


def test_a_range_on_the_command_line_is_checked(workspace: Path, cli: Cli):
    outcome = cli("train", "data=array", "data.path=a.npy", "data.range=[1,0]")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("ganctl: data.range: must rise, black first, such as [-1,1], not [1, 0]")
