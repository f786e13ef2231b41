"""ganctl sample numbers=true: samples in the range and with the axes of the array that a model was trained on."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import ganctl
from ganctl.checkpoints import file as checkpoint
from ganctl.cli import main
from tests.commands.labelled import WORDS
from tests.conftest import Cli

TINY = [word for word in WORDS if not word.startswith("data")]
SAMPLE = ["sample", "run", "device=cpu", "num=5", "seed=3"]
NEWEST = Path("outputs/run/checkpoints/step-00000001.safetensors")
DRAWN = np.random.default_rng(0)
FLOATS = DRAWN.random((6, 8, 7)) * 2 - 1


def train(array: np.ndarray, *words: str) -> None:
    np.save("a.npy", array)
    assert main(["train", "data=array", "data.path=a.npy", *TINY, *words]) == 0


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on images [N,H,W] in a range that was guessed, and their array."""
    folder = tmp_path_factory.mktemp("numbers")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(FLOATS)
    return folder


@pytest.fixture
def floats(shared: Path, workspace: Path) -> Path:
    """Work beside it."""
    shutil.copytree(shared, workspace, dirs_exist_ok=True, symlinks=True)
    return workspace


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


@pytest.mark.parametrize(
    ("array", "words", "order", "ends", "low"),
    [
        pytest.param(FLOATS, [], (0, 2, 3, 1), (-1, 1), -1, id="a guessed range, no axis of channels"),
        pytest.param(FLOATS[:, None], ["data.range=[-3,9]"], (0, 1, 2, 3), (-3, 9), -1, id="channels first"),
        pytest.param(
            DRAWN.integers(0, 256, (6, 8, 7, 3), np.uint8),
            ["model.generator.output=sigmoid"],
            (0, 2, 3, 1),
            (0, 255),
            0,
            id="bytes, channels last, by a sigmoid",
        ),
    ],
)
def test_images_are_the_networks_output_in_the_range_and_with_the_axes_of_their_array(
    array: np.ndarray,
    words: Sequence[str],
    order: tuple[int, ...],
    ends: tuple[float, float],
    low: float,
    workspace: Path,
    cli: Cli,
) -> None:
    train(array, *words)
    found = numbers(cli)
    assert (found.shape, found.dtype) == ((5, *array.shape[1:]), np.float32)
    shares = (made().transpose(order).astype(np.float64) - low) / (1 - low)
    expected = ends[0] + shares * (ends[1] - ends[0])
    np.testing.assert_array_equal(found, expected.reshape(found.shape).astype(np.float32))
    assert ends[0] <= found.min() < found.max() <= ends[1]
    assert len(np.unique(found)) > 256  # more than bytes could tell apart


def test_without_the_key_images_stay_bytes_which_are_these_numbers_rounded(floats: Path, cli: Cli) -> None:
    assert cli(*SAMPLE, "out=bytes.npy").code == 0
    pixels = np.load("bytes.npy")
    assert (pixels.dtype, pixels.shape) == (np.uint8, (5, 8, 7, 1))
    np.testing.assert_array_equal(pixels[..., 0], np.round((numbers(cli) + 1) * np.float32(127.5)))
    np.testing.assert_array_equal(ganctl.load("run", device="cpu").sample(5, seed=3), pixels)


def test_numbers_are_computed_in_fp32_where_images_would_not_be(
    floats: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = made()[:, 0]
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True})
    np.testing.assert_array_equal(numbers(cli), exact)
    coarse = numbers(cli, "device.precision=bf16")
    assert 0 < np.abs(coarse - exact).max() < 1 / 32  # some steps of bf16, 1/128 near 1


def test_a_table_has_a_row_for_each_flattened_image(floats: Path, cli: Cli) -> None:
    for words, expected in ((["numbers=true"], numbers(cli)), ([], ganctl.load("run", device="cpu").sample(5, 3))):
        assert cli(*SAMPLE, *words, "out=x.csv").code == 0
        table = np.loadtxt("x.csv", expected.dtype, delimiter=",")
        np.testing.assert_array_equal(table, expected.reshape(5, -1))
    assert cli(*SAMPLE, "numbers=true", "out=x.npz").code == 0
    np.testing.assert_array_equal(np.load("x.npz")["samples"], numbers(cli))


def test_what_was_drawn_can_be_trained_on_in_the_same_range(floats: Path, cli: Cli) -> None:
    np.save("b.npy", numbers(cli))
    outcome = cli("train", "data=array", "data.path=b.npy", *TINY[:-1], "name=again")
    assert outcome.code == 0, outcome.err
    assert "data.range: taken as [-1,1]" in outcome.out


@pytest.mark.parametrize("shape", [(20,), (20, 3)])
def test_points_are_unscaled_by_every_path_and_keep_their_axes(
    shape: tuple[int, ...], workspace, cli: Cli
) -> None:
    train(1000 + DRAWN.standard_normal(shape))
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


def test_a_checkpoint_needs_its_data_no_more(floats: Path, cli: Cli) -> None:
    before = numbers(cli)
    Path("a.npy").unlink()
    np.testing.assert_array_equal(numbers(cli), before)


def test_of_an_earlier_version_the_range_is_read_from_the_data_while_it_is_there(floats: Path, cli: Cli) -> None:
    before = numbers(cli)
    opened = checkpoint.read_header(NEWEST)
    checkpoint.write(NEWEST, opened.header.model_copy(update={"scale": None}), opened.read())
    np.testing.assert_array_equal(numbers(cli), before)
    np.save("a.npy", FLOATS[::-1])
    for told in ("(data: a.npy has changed since", "(data.path: a.npy does not exist"):
        outcome = cli(*SAMPLE, "numbers=true", "out=x.npy")
        assert (outcome.code, outcome.err.count("\n")) == (3, 1)
        assert f"kept no range of its array, and that cannot be read again {told}" in outcome.err
        Path("a.npy").unlink(missing_ok=True)


def test_pictures_have_no_scale_and_a_drawing_no_numbers(workspace: Path, cli: Cli) -> None:
    small = ["model.generator.width=2", "model.discriminator.width=2", "data.resolution=8", *TINY[-6:]]
    assert cli("train", *small).code == 0
    for words, told in (
        ([], "numbers: are for a file of them; name it by out=samples.npy, .npz or .csv"),
        (["out=x.png"], "numbers: are for a file of them"),
        (["out=folder"], "numbers: are for a file of them"),
        (["out=x.npy"], "numbers: the data of this run came as pictures, whose values are bytes"),
    ):
        outcome = cli(*SAMPLE, "numbers=true", *words)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert told in outcome.err
    assert not list(Path().glob("x.*"))
