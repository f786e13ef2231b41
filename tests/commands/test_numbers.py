"""ganctl sample numbers=true: samples in the range and with the axes of the array that a model was trained on."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import ganctl
from ganctl.checkpoints import file as checkpoint
from tests.commands.labelled import WORDS
from tests.conftest import Cli

TINY = [word for word in WORDS if not word.startswith("data")]
SAMPLE = ["sample", "run", "device=cpu", "num=5", "seed=3"]
NEWEST = Path("outputs/run/checkpoints/step-00000001.safetensors")
DRAWN = np.random.default_rng(0)


def train(cli: Cli, array: np.ndarray, *words: str) -> None:
    np.save("a.npy", array)
    outcome = cli("train", "data=array", "data.path=a.npy", *TINY, *words)
    assert outcome.code == 0, outcome.err


def numbers(cli: Cli, *words: str, out: str = "x.npy") -> np.ndarray:
    outcome = cli(*SAMPLE, "numbers=true", f"out={out}", *words)
    assert (outcome.code, outcome.err) == (0, "")
    found: np.ndarray = np.load(out)
    return found


def made() -> np.ndarray:
    """Return what the network makes of the same latents, float32 [5, channels, height, width]."""
    generator = ganctl.load("run", device="cpu", precision="fp32")
    found: np.ndarray = generator(generator.latents(5, seed=3)).numpy()
    return found


FLOATS = DRAWN.random((6, 8, 7))


@pytest.mark.parametrize(
    ("array", "words", "order", "ends"),
    [
        pytest.param(FLOATS, [], (0, 2, 3), (0, 1), id="[N,H,W] of a guessed range"),
        pytest.param(FLOATS * 2 - 1, [], (0, 2, 3), (-1, 1), id="[N,H,W] of the other guessed range"),
        pytest.param(FLOATS[..., None], ["data.range=[-3,9]"], (0, 2, 3, 1), (-3, 9), id="[N,H,W,1]"),
        pytest.param(FLOATS[:, None], ["data.range=[-3,9]"], (0, 1, 2, 3), (-3, 9), id="[N,1,H,W]"),
        pytest.param(DRAWN.random((6, 8, 7, 3)), [], (0, 2, 3, 1), (0, 1), id="[N,H,W,3]"),
        pytest.param(DRAWN.random((6, 3, 8, 7)), [], (0, 1, 2, 3), (0, 1), id="[N,3,H,W]"),
        pytest.param(DRAWN.integers(0, 256, (6, 8, 7), np.uint8), [], (0, 2, 3), (0, 255), id="mapped bytes"),
        pytest.param(DRAWN.integers(0, 256, (6, 3, 8, 7), np.uint8), [], (0, 1, 2, 3), (0, 255), id="bytes"),
        pytest.param(FLOATS > 0.5, [], (0, 2, 3), (0, 1), id="truth values"),
        pytest.param(FLOATS, ["model.generator.output=sigmoid"], (0, 2, 3), (0, 1), id="a sigmoid"),
    ],
)
def test_images_are_had_in_the_range_and_with_the_axes_of_their_array(
    array: np.ndarray, words: Sequence[str], order: tuple[int, ...], ends: tuple[float, float], workspace, cli: Cli
) -> None:
    train(cli, array, *words)
    found = numbers(cli)
    assert found.dtype == np.float32
    assert found.shape == (5, *array.shape[1:])
    low = 0.0 if "model.generator.output=sigmoid" in words else -1.0
    shares = (made().astype(np.float64) - low) / (1 - low)
    if len(order) == 3:
        shares = shares[:, 0]
    expected = ends[0] + (shares if len(order) == 3 else shares.transpose(order)) * (ends[1] - ends[0])
    np.testing.assert_array_equal(found, expected.astype(np.float32))
    assert found.min() >= ends[0]
    assert found.max() <= ends[1]
    assert len(np.unique(found)) > 256  # which no byte could tell apart


def test_without_the_key_images_stay_bytes_which_are_these_numbers_rounded(workspace, cli: Cli) -> None:
    train(cli, FLOATS)
    assert cli(*SAMPLE, "out=bytes.npy").code == 0
    bytes_of = np.load("bytes.npy")
    assert (bytes_of.dtype, bytes_of.shape) == (np.uint8, (5, 8, 7, 1))
    np.testing.assert_array_equal(bytes_of[..., 0], np.round(numbers(cli) * np.float32(255)))
    np.testing.assert_array_equal(ganctl.load("run", device="cpu").sample(5, seed=3), bytes_of)


def test_numbers_are_computed_in_fp32_where_images_would_not_be(
    workspace, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(cli, FLOATS)
    exact = made()[:, 0]
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True})
    np.testing.assert_array_equal(numbers(cli), ((exact.astype(np.float64) + 1) / 2).astype(np.float32))
    coarse = numbers(cli, "device.precision=bf16")
    assert 0 < np.abs(coarse - numbers(cli)).max() < 1 / 64


def test_a_table_has_a_row_for_each_flattened_image(workspace, cli: Cli) -> None:
    train(cli, FLOATS)
    for words, expected in ((["numbers=true"], numbers(cli)), ([], ganctl.load("run", device="cpu").sample(5, 3))):
        assert cli(*SAMPLE, *words, "out=x.csv").code == 0
        table = np.loadtxt("x.csv", expected.dtype, delimiter=",")
        np.testing.assert_array_equal(table, expected.reshape(5, -1))
    assert cli(*SAMPLE, "numbers=true", "out=x.npz").code == 0
    np.testing.assert_array_equal(np.load("x.npz")["samples"], numbers(cli))


def test_what_was_drawn_can_be_trained_on_in_the_same_range(workspace, cli: Cli) -> None:
    train(cli, FLOATS * 2 - 1)
    np.save("b.npy", np.concatenate([numbers(cli)] * 2))
    outcome = cli("train", "data=array", "data.path=b.npy", *TINY[:-1], "name=again")
    assert outcome.code == 0, outcome.err
    assert "data.range: taken as [-1,1]" in outcome.out


@pytest.mark.parametrize("shape", [(20,), (20, 3)])
def test_points_are_unscaled_by_every_path_and_keep_their_axes(shape, workspace, cli: Cli) -> None:
    train(cli, 1000 + DRAWN.standard_normal(shape))
    found, expected = numbers(cli), made()
    assert found.shape == (5, *shape[1:])
    np.testing.assert_array_equal(found.reshape(5, -1), expected)
    np.testing.assert_array_equal(ganctl.load("run", device="cpu").sample(5, seed=3), expected)
    for ending in ("npy", "csv"):
        assert cli(*SAMPLE, f"out=p.{ending}").code == 0
    np.testing.assert_array_equal(np.load("p.npy"), expected)
    np.testing.assert_array_equal(np.loadtxt("p.csv", np.float32, delimiter=",", ndmin=2), expected)


def test_the_numbers_of_generated_points_are_what_they_are_anyway(trained: Path, cli: Cli) -> None:
    assert cli(*SAMPLE, "out=p.npy").code == 0
    np.testing.assert_array_equal(numbers(cli), np.load("p.npy"))


def test_a_checkpoint_needs_its_data_no_more(workspace: Path, cli: Cli) -> None:
    train(cli, FLOATS)
    before = numbers(cli)
    Path("a.npy").unlink()
    np.testing.assert_array_equal(numbers(cli), before)


def test_of_an_earlier_version_the_range_is_read_from_the_data_while_it_is_there(
    workspace: Path, cli: Cli
) -> None:
    train(cli, FLOATS)
    before = numbers(cli)
    opened = checkpoint.read_header(NEWEST)
    checkpoint.write(NEWEST, opened.header.model_copy(update={"scale": None}), opened.read())
    np.testing.assert_array_equal(numbers(cli), before)
    np.save("a.npy", FLOATS[::-1])
    outcome = cli(*SAMPLE, "numbers=true", "out=x.npy")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert "kept no range of its array, and that cannot be read again (data: a.npy has changed" in outcome.err
    Path("a.npy").unlink()
    outcome = cli(*SAMPLE, "numbers=true", "out=x.npy")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert "kept no range of its array, and that cannot be read again (data.path: a.npy does not" in outcome.err
    assert cli("resume", "run", "train.steps=2").code == 3


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "numbers: are for a file of them; name it by out=samples.npy, .npz or .csv"),
        (["out=x.png"], "numbers: are for a file of them"),
        (["out=folder"], "numbers: are for a file of them"),
        (["out=x.npy"], "numbers: the data of this run came as pictures, whose values are bytes"),
    ],
)
def test_what_has_no_numbers_is_refused_in_one_line(words: list[str], told: str, workspace, cli: Cli) -> None:
    small = ["model.generator.width=2", "model.discriminator.width=2", "data.resolution=8", *TINY[-6:]]
    assert cli("train", *small).code == 0
    outcome = cli(*SAMPLE, "numbers=true", *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert told in outcome.err
    assert not list(Path().glob("x.*"))
