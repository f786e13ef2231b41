"""Sets of images of more than 8 bits: one range for the whole set, and a question where it is not clear."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.data.decoding import parallel
from ganctl.data.decoding.decode import Decoding
from ganctl.data.decoding.depth import FLOAT, UINT16, WHOLE, Values, suggestion
from ganctl.data.sources import image_folder as folder
from ganctl.data.store import Store
from ganctl.errors import DataError
from tests.conftest import Cli
from tests.data.drawn import BLUE, RED, encoded, plain, write


def ramp(low: float, high: float, dtype: type, kind: str = "TIFF") -> bytes:
    return encoded(Image.fromarray(np.linspace(low, high, 64).astype(dtype).reshape(8, 8)), kind)


def loaded(root: Path, cache: Path | None = None, *, frames: str = "first", ends: object = None) -> Store:
    decoding = Decoding(8, 1, "crop", ends, frames)
    return folder.load(str(root), None, decoding, 0.05, 2, cache and str(cache))


SLIVERS = {
    "12 bits": (0, 4095, np.uint16, "[0,4095]"),
    "14 bits": (0, 16383, np.uint16, "[0,16383]"),
    "classes": (0, 20, np.int32, "[0,31]"),
    "CT": (-1024, 3071, np.int32, "[-1100,3100]"),
    "elevation": (120, 2960, np.float32, "[100,3000]"),
    "z-scores": (-3.21, 3.4, np.float32, "[-3.3,3.4]"),
    "dim floats": (0, 0.01, np.float32, "[0,0.01]"),
}


@pytest.mark.parametrize("name", SLIVERS)
@pytest.mark.parametrize("cached", [False, True])
def test_a_set_that_would_be_black_or_cut_off_is_refused_with_the_range_to_set(
    name: str, cached: bool, tmp_path: Path
) -> None:
    low, high, dtype, wanted = SLIVERS[name]
    root = write(tmp_path / "set", {f"{number}.tif": ramp(low, high, dtype) for number in range(3)})
    with pytest.raises(DataError) as refusal:
        loaded(root, tmp_path / "cache" if cached else None)
    assert str(refusal.value).startswith("data.range: ")
    assert str(refusal.value).endswith(f"set data.range=[black,white], such as {wanted}")
    ends = tuple(float(end) for end in wanted[1:-1].split(","))
    pixels = loaded(root, tmp_path / "cache" if cached else None, ends=ends).samples.numpy()
    assert pixels.max() - pixels.min() > 150


def test_floats_are_scaled_alike_in_every_file_of_a_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "set", {"1.tif": ramp(0, 0.5, np.float32), "2.tif": ramp(0, 200, np.float32)})
    for _ in range(2):
        samples = loaded(root, tmp_path / "cache").samples
        assert (int(samples[0].max()), int(samples[1].max())) == (0, 200)
        assert "data.range: taken as [0,255] for floats from 0 to 200\n" in capsys.readouterr().out


def test_one_hot_pixel_does_not_hide_that_a_set_is_dark(tmp_path: Path) -> None:
    values = np.full((64, 64), 100, np.uint16)
    values[:, :32] = 4000
    values[0, 0] = 65535
    root = write(tmp_path / "set", {"1.png": encoded(Image.fromarray(values))})
    with pytest.raises(DataError, match=r"such as \[0,4095\]$"):
        loaded(root)


def test_what_a_given_range_cuts_off_or_leaves_unused_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "set", {"1.tif": ramp(0, 63, np.int32), "2.png": plain(RED)})
    loaded(root, ends=(0.0, 60.0))
    assert "; 3 values in 1 of 1 images lie outside and are cut off\n" in capsys.readouterr().out
    loaded(root, ends=(0.0, 4095.0))
    assert "; the values use less than 25% of it\n" in capsys.readouterr().out
    (root / "1.tif").unlink()
    loaded(root, ends=(0.0, 4095.0))
    assert "data.range: has no effect, as no image has more than 8 bits\n" in capsys.readouterr().out


def test_images_of_8_bits_are_decoded_once_and_the_others_again(tmp_path: Path, decoded: list[str]) -> None:
    files = {"1.png": plain(RED), "2.png": plain(BLUE), "3.png": ramp(0, 65535, np.uint16, "PNG")}
    loaded(write(tmp_path / "set", files))
    assert sorted(decoded) == ["1.png", "2.png", "3.png", "3.png"]


@pytest.mark.parametrize("cached", [False, True])
def test_processes_scale_as_threads_do(cached: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {f"{number}.tif": ramp(0, 60000 - number, np.uint16) for number in range(6)}
    root = write(tmp_path / "set", {**files, "0.png": plain(RED)})
    expected = loaded(root)
    monkeypatch.setattr(parallel, "PROCESSES_FROM", 2)
    found = loaded(root, tmp_path / "cache" if cached else None)
    assert found.fingerprint == expected.fingerprint


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (Values(UINT16, 0, 65535, 0, 1000), "[0,1023]"),
        (Values(WHOLE, 0, 0, 0, 0), "[0,1]"),
        (Values(WHOLE, 31990, 33020, 32000, 33000), "[32000,33000]"),
        (Values(FLOAT, -9999, 812.7, 3.4, 801.2), "[0,810]"),
    ],
)
def test_a_suggested_range_is_round_and_not_the_extremes(values: Values, wanted: str) -> None:
    assert suggestion(values) == wanted


def animation(count: int) -> bytes:
    frames = [Image.new("RGB", (8, 8), (40 * number, 0, 0)) for number in range(count)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def test_frames_left_out_are_counted_and_all_of_them_can_be_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write(tmp_path / "set", {"a/1.gif": animation(4), "b/2.png": plain(RED), "b/3.gif": animation(3)})
    for _ in range(2):
        assert len(loaded(root, tmp_path / "cache")) == 3
        line = "data.frames: 2 files hold 5 further frames or pages, which are left out;"
        assert capsys.readouterr().out.count(line) == 1
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        store = loaded(root, cache, frames="all")
        assert store.labels is not None
        assert store.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
        assert len(set(map(bytes, store.samples[:4].numpy()))) == 4
        assert "data.frames" not in capsys.readouterr().out


def test_check_and_info_tell_of_the_range_and_of_frames(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ganctl.data.cache.image_set.SETTLED_SECONDS", -1.0)
    write(tmp_path / "set", {"1.tif": ramp(0, 4095, np.uint16), "2.gif": animation(3)})
    refused = cli("data", "check", "path=set")
    assert refused.code == 3
    assert refused.err.startswith("ganctl: range: [0,65535] would leave little contrast; set holds")
    assert "images        2 of 2 decode" in refused.out
    words = ("path=set", "range=[0,4095]", "cache=cache")
    told = cli("data", "check", *words)
    assert told.code == 0
    rows = (
        "frames        1 file holds 2 further frames or pages, which are left out; frames=all takes every one\n",
        "range         [0,4095] for whole numbers of 16 bits from 0 to 4095\n",
    )
    assert all(row in told.out for row in rows)
    assert cli("data", "prepare", *words).code == 0
    assert all(row.split(None, 1)[1] in cli("data", "info", *words).out for row in rows)
