"""Images with alpha: decoded with it, resized by it, trained on and sampled."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.data.decoding import depth
from ganctl.data.decoding.decode import Decoding
from ganctl.data.sources import image_folder as folder
from ganctl.images.png import over_checkerboard
from tests.conftest import Cli
from tests.data.cached import entries, pixels_of
from tests.data.drawn import BLUE, GREEN, RED, WHITE, encoded, write

DRAWN = np.random.default_rng(0).integers(0, 256, (16, 16, 4), np.uint8)
DRAWN[:4, :, 3], DRAWN[4:8, :, 3] = 0, 255
CLEAR = (0, 0, 0, 0)


def decoded(content: bytes, side: int, channels: int = 4, fit: str = "crop") -> np.ndarray:
    return pixels_of(io.BytesIO(content), side, Decoding(side, channels, fit))


def over_white(pixels: np.ndarray) -> np.ndarray:
    layers = Image.fromarray(pixels)
    return np.asarray(Image.alpha_composite(Image.new("RGBA", layers.size, "white"), layers).convert("RGB"))


def palette() -> Image.Image:
    """Red and green in turn."""
    image = Image.new("P", (2, 2))
    image.putpalette([*RED, *GREEN])
    image.putpixel((1, 0), 1)
    image.putpixel((0, 1), 1)
    return image


FILES = {
    "PNG of RGBA": encoded(Image.fromarray(DRAWN)),
    "WebP of RGBA": encoded(Image.fromarray(DRAWN), "WEBP", lossless=True),
    "TIFF of RGBA": encoded(Image.fromarray(DRAWN), "TIFF"),
    "PNG of LA": encoded(Image.fromarray(DRAWN).convert("LA")),
    "TIFF of LA": encoded(Image.fromarray(DRAWN).convert("LA"), "TIFF"),
    "palette with alphas": encoded(palette().resize((16, 16)), transparency=bytes([128, 51])),
    "palette with a clear colour": encoded(palette().resize((16, 16)), transparency=1),
    "GIF with a clear colour": encoded(palette().resize((16, 16)), "GIF", transparency=0),
    "RGB with a clear colour": encoded(palette().convert("RGB").resize((16, 16), 0), transparency=GREEN),
    "grey with a clear value": encoded(palette().convert("L").resize((16, 16), 0), transparency=76),
}


@pytest.mark.parametrize("name", FILES)
def test_alpha_is_kept_and_over_white_gives_what_three_channels_show(name: str) -> None:
    pixels, opaque = decoded(FILES[name], 16), decoded(FILES[name], 16, 3)
    with Image.open(io.BytesIO(FILES[name])) as image:
        expected = np.asarray(image.convert("RGBA"))
    np.testing.assert_array_equal(pixels[..., 3], expected[..., 3])
    seen = expected[..., 3] > 0
    np.testing.assert_array_equal(pixels[seen], expected[seen])
    assert (pixels[~seen] == 0).all()
    assert (pixels[..., 3] < 255).any()
    np.testing.assert_array_equal(over_white(pixels), opaque)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "1", "CMYK", "YCbCr", "I;16"])
def test_an_image_without_alpha_is_opaque(mode: str) -> None:
    image = Image.fromarray(DRAWN[..., :3])
    if mode == "I;16":
        image = Image.fromarray(DRAWN[..., 0].astype(np.uint16) * 257)
    content = encoded(image.convert(mode), "TIFF")
    pixels = decoded(content, 8)
    assert (pixels[..., 3] == 255).all()
    np.testing.assert_array_equal(pixels[..., :3], decoded(content, 8, 3))


def test_a_clear_value_of_16_bits_is_transparent() -> None:
    values = np.array([[0, 1000], [32896, 65535]], np.uint16)
    pixels = decoded(encoded(Image.fromarray(values), transparency=1000), 2)
    np.testing.assert_array_equal(pixels[..., 3], [[255, 0], [255, 255]])
    np.testing.assert_array_equal(pixels[..., 1], [[0, 0], [128, 255]])


def test_colours_are_resized_by_their_alpha() -> None:
    """By two columns of red and two of hidden green: each new one is a mean by alpha and Lanczos's weights."""
    row = [(*RED, 255), (*RED, 255), (*GREEN, 0), (*GREEN, 0)]
    pixels = decoded(encoded(Image.fromarray(np.array([row] * 4, np.uint8))), 2)
    places = np.arange(4) + 0.5
    for column in range(2):
        weights = np.sinc((places - 2 * column - 1) / 2) * np.sinc((places - 2 * column - 1) / 6)
        alpha = 255 * weights[:2].sum() / weights.sum()
        assert np.abs(pixels[:, column, 3] - alpha).max() <= 1
        np.testing.assert_array_equal(pixels[:, column, :3], [RED, RED])


def test_a_resized_image_over_white_is_the_resized_image_over_white() -> None:
    """Linear steps commute, but for bytes that are rounded in between and what Lanczos overshoots."""
    smooth = np.asarray(Image.fromarray(DRAWN).resize((64, 64), Image.Resampling.BILINEAR))
    content = encoded(Image.fromarray(smooth))
    apart = over_white(decoded(content, 32)).astype(int) - decoded(content, 32, 3)
    assert np.abs(apart).max() <= 4
    assert np.abs(apart).mean() < 0.5


def test_what_is_hidden_never_shows() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 40, 4), np.uint8)
    pixels[..., 3] = 0
    pixels[10:30, 10:30] = (*BLUE, 255)
    result = decoded(encoded(Image.fromarray(pixels)), 16)
    assert (result[..., :2] == 0).all()
    assert set(np.unique(result[result[..., 3] > 16][:, 2])) == {255}
    assert (result[result[..., 3] == 0] == 0).all()


def test_padding_is_transparent() -> None:
    pixels = decoded(encoded(Image.new("RGB", (8, 4), RED)), 8, fit="pad")
    assert (pixels[:2] == CLEAR).all()
    assert (pixels[6:] == CLEAR).all()
    assert (pixels[2:6] == (*RED, 255)).all()


@pytest.mark.parametrize("name", ["PNG of LA", "palette with alphas", "RGB with a clear colour"])
def test_an_image_of_many_bands_keeps_its_alpha(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    once = decoded(FILES[name], 8)
    monkeypatch.setattr(depth, "BAND_PIXELS", 20)
    np.testing.assert_array_equal(decoded(FILES[name], 8), once)


def test_the_cache_keeps_both(tmp_path: Path) -> None:
    root = write(tmp_path / "set", {"1.png": FILES["PNG of RGBA"], "2.png": FILES["PNG of LA"]})
    stores = [
        folder.load(str(root), None, Decoding(16, channels, "crop"), 0, 1, str(tmp_path / "cache"))
        for channels in (3, 4, 4)
    ]
    assert [tuple(store.samples.shape) for store in stores] == [(2, 16, 16, 3), (2, 16, 16, 4), (2, 16, 16, 4)]
    assert len(entries(tmp_path / "cache")) == 2
    np.testing.assert_array_equal(stores[2].samples[0, ..., 3], DRAWN[..., 3])


@pytest.fixture
def icons(workspace: Path) -> Path:
    """A folder of discs in two colours, transparent around them, and one plain square."""
    rows, columns = np.indices((16, 16)) - 7.5
    files = {"square.png": encoded(Image.new("RGB", (16, 16), WHITE))}
    for number in range(12):
        pixels = np.zeros((16, 16, 4), np.uint8)
        pixels[rows**2 + columns**2 < (4 + number / 4) ** 2] = (*(RED, BLUE)[number % 2], 200)
        files[f"{number}.png"] = encoded(Image.fromarray(pixels))
    write(workspace / "icons", files)
    return workspace


TINY = ["model.generator.width=4", "model.discriminator.width=4", "train.steps=2", "train.batch_size=4"]


def test_icons_are_checked_trained_and_sampled_with_alpha(icons: Path, cli: Cli) -> None:
    told = cli("data", "check", "path=icons", "channels=4", "resolution=16")
    assert (told.code, told.err) == (0, "")
    assert "13 of 13 decode, to 16×16×4\nmodes         RGBA 12, RGB 1\n" in told.out
    assert "data.channels=4" in told.out
    words = ["data=folder", "data.path=icons", "data.channels=4", "data.resolution=16", "augment=[diffaugment]"]
    outcome = cli("train", *words, *TINY, "name=icons", "sample.every=1", "sample.num=4", "device=cpu")
    assert (outcome.code, outcome.err) == (0, "")
    grids = sorted((icons / "outputs/icons/samples").glob("*.png"))
    assert grids
    for path in grids:
        with Image.open(path) as image:
            assert image.mode == "RGB"
    outcome = cli("sample", "icons", "num=4", "images=true", "out=drawn", "device=cpu")
    assert (outcome.code, outcome.err) == (0, "")
    assert cli("sample", "icons", "num=4", "out=fakes.npz", "device=cpu").code == 0
    samples = np.load(icons / "fakes.npz")["samples"]
    assert samples.shape == (4, 16, 16, 4)
    singles = sorted((icons / "drawn").glob("*/*.png"))
    for path, sample in zip(singles, samples, strict=True):
        with Image.open(path) as image:
            assert image.mode == "RGBA"
            np.testing.assert_array_equal(np.asarray(image), sample)
    (sheet,) = (icons / "drawn").glob("*.png")
    with Image.open(sheet) as image:
        np.testing.assert_array_equal(np.asarray(image)[2:18, 2:18], over_checkerboard(samples)[0])
