"""Sequences: what a file of them gives, what is refused, and that known processes are what they say."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.samples import SEQUENCES, Scale
from tests.metrics.measured import source

ROWS = np.array([[0.5, -1.5, 2.0], [1.0, 0.0, -0.25]])


def load(path: Path, **more: Any) -> Store:
    return source("sequences", path=str(path), **more).load()


@pytest.mark.parametrize(
    "text",
    [
        "0.5,-1.5,2\n1,0,-0.25\n",
        "a,b,c\r\n0.5,-1.5,2\r\n\r\n1,0,-0.25",
        "0.5; -1.5; 2\n1; 0; -25e-2\n",
        "0.5\t-1.5\t2\n1\t0\t-.25\n",
        "0.5 -1.5 2\n1 0 -0.25\n",
        "\ufeff0.5,-1.5,2\n1,0,-0.25\n",
    ],
)
def test_a_table_holds_a_sequence_a_line(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text, "utf-8")
    store = load(tmp_path / "a.csv")
    assert store.samples.dtype == torch.float32
    assert store.samples[..., 0].tolist() == ROWS.tolist()
    assert (store.space.kind, store.space.shape, store.scale) == (SEQUENCES, (1, 3), Scale(axes="NT"))
    assert store.describe() == "2 sequences of 3 values"


def test_an_array_holds_channels_and_labels(tmp_path: Path) -> None:
    values = np.random.default_rng(0).standard_normal((4, 6, 2))
    np.savez(tmp_path / "a.npz", x=values, y=np.array(["up", "down", "up", "up"]))
    store = load(tmp_path / "a.npz", labels="y")
    assert torch.equal(store.samples, torch.from_numpy(values).float())
    assert (store.space.shape, store.space.classes, store.labels.tolist()) == (
        (2, 6),
        ("down", "up"),
        [1, 0, 1, 1],
    )
    assert store.describe() == "4 sequences of 6 values in 2 channels in 2 classes"
    np.save(tmp_path / "a.npy", np.arange(12).reshape(4, 3))
    np.save(tmp_path / "y.npy", np.arange(4) % 2)
    (tmp_path / "a.csv").write_text("\n".join(",".join(map(str, row)) for row in np.arange(12).reshape(4, 3)))
    alike = [load(tmp_path / name, labels=str(tmp_path / "y.npy")) for name in ("a.npy", "a.csv")]
    assert alike[0].fingerprint == alike[1].fingerprint


def test_values_far_from_one_are_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    np.save(tmp_path / "a.npy", ROWS)
    load(tmp_path / "a.npy")
    assert capsys.readouterr() == ("", "")
    np.save(tmp_path / "a.npy", ROWS * 100 + 300)
    load(tmp_path / "a.npy")
    told = "".join(capsys.readouterr())
    assert "data: the values have mean 329 and standard deviation 108; networks learn best near 0 and 1" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("1,2\n3,four\n", "line 2: could not convert string to float: 'four'; each cell must be a number"),
        ("1,2\n3,4,5\n", "line 2: 3 values; each line must have as many, 2 to 65,536"),
        ("1,NA,3\n4,5,6\n", "line 1: could not convert string to float: 'NA'; each cell must be a number"),
        ("1\n2\n", "line 1: 1 values; each line must have as many, 2 to 65,536"),
        ("1,2\n3,nan\n", "holds values that are not finite"),
        ("1,2\n3,1e99\n", "holds values that are not finite"),
        ("", "holds no sequence; write one a line, as numbers between commas"),
        ("\x00\x01", "holds no sequence"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_line(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataError, match=told):
        load(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros(3), r"float64 \[3\]; sequences are \[N,T\]"),
        (np.zeros((2, 3, 4, 5)), r"sequences are \[N,T\]"),
        (np.zeros((2, 1)), "it takes one sequence or more, of 2 to"),
        (np.zeros((0, 5)), "it takes one sequence or more"),
        (np.array([["a", "b"]]), "values must be floats, whole numbers or truth values"),
        (np.full((2, 3), np.inf), "not finite"),
    ],
)
def test_an_array_that_cannot_be_used_is_refused(values: np.ndarray, told: str, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", values)
    with pytest.raises(DataError, match=told):
        load(tmp_path / "a.npy")


def test_other_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "walks.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"cannot be read as text .*; take a .csv, .npy or .npz file"):
        load(tmp_path / "walks.csv")
    with pytest.raises(DataError, match=r"does not exist; did you mean 'walks\.csv'|does not exist"):
        load(tmp_path / "walk.csv")
    with pytest.raises(DataError, match=r"data\.samples: is for \.npz files"):
        load(tmp_path / "walks.csv", samples="x")
    np.save(tmp_path / "a.npy", ROWS)
    monkeypatch.setattr("ganctl.data.sources.array_file.memory_limit", lambda: 40)
    with pytest.raises(DataError, match="makes 24 bytes of samples, more than half of the 40 of memory"):
        load(tmp_path / "a.npy")


def test_the_process_has_its_moments_from_the_first_value_on() -> None:
    values = source("ar1", phi=-0.6, sigma=2.0, length=50, num=20_000).load().samples[..., 0].double()
    noise = values[:, 1:] + 0.6 * values[:, :-1]
    assert abs(noise.mean()) < 5 * 2 / math.sqrt(noise.numel())
    assert abs(noise.std() / 2 - 1) < 5 / math.sqrt(2 * noise.numel())
    spread = 2 / 0.8  # σ / √(1 − φ²)
    assert (values.std(0) / spread - 1).abs().max() < 6 / math.sqrt(2 * 20_000)
    assert abs((noise[:, 1:] * noise[:, :-1]).mean() / 4) < 5 / math.sqrt(noise.numel())


def test_sines_have_their_frequencies_in_equal_shares() -> None:
    store = source("sines", frequencies=[3, 5.0], noise=0.0, amplitude=2.0, length=32, num=1000).load()
    power = torch.fft.rfft(store.samples[..., 0].double()).abs()
    assert store.classes == ("3", "5")
    assert torch.bincount(store.labels).tolist() == [500, 500]
    assert power.argmax(1).tolist() == [3, 5] * 500
    assert (power.amax(1) - 32).abs().max() < 1e-3  # half of length · amplitude
    phases = torch.fft.rfft(store.samples[::2, :, 0].double())[:, 3].angle()
    assert abs(phases.cos().mean()) + abs(phases.sin().mean()) < 5 / math.sqrt(500)


@pytest.mark.parametrize(("name", "fingerprint"), [("ar1", "8a37f6f79e79b5a0"), ("sines", "26b61a1f37f68625")])
def test_known_sequences_follow_their_seed_and_are_the_same_everywhere(name: str, fingerprint: str) -> None:
    first = source(name, num=100).load()
    assert first.fingerprint.startswith(fingerprint)
    assert source(name, num=100).load().fingerprint == first.fingerprint
    assert source(name, num=100, seed=1).load().fingerprint != first.fingerprint
