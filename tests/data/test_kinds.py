"""What a file is taken for by its name and by its first bytes, and what is said of those that are no images."""

import gzip
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.data.decoding.decode import BadImageError, Decoding
from ganctl.data.decoding.files import search
from ganctl.data.decoding.formats import ENDINGS, FORMATS, HEIF_ENDINGS
from ganctl.errors import DataError, counted
from tests.conftest import Cli
from tests.data.cached import pixels_of
from tests.data.drawn import RED, encoded, pack, plain, write

HEIC_START = b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf"

REASONS = {
    b"": "zero bytes",
    bytes(5000): "zeros alone, as a download leaves that broke off",
    b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n": "a Git LFS pointer in place of the file",
    b"\n<!DOCTYPE html>\n<title>404</title>" + b" " * 2000: "an HTML page, as a site sends in place of a file",
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>": "XML text",
    b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>": "an SVG drawing",
    b'{"message": "Not FoundImages"}': "JSON text",
    "Zugriff für alle verweigert".encode(): "plain text",
    b"%PDF-1.7\n": "a PDF document",
    b"\0\0\0\x20ftypisom": "a video (MP4 or QuickTime)",
    b"8BPS\0\1": "a Photoshop file",
    b"PK\x03\x04": "a zip file",
    gzip.compress(b"x"): "a gzip file",
    bytes(128) + b"DICM": "a DICOM file",
    b"\x93NUMPY\1\0": "a .npy file; take data=array for it",
    b"\x01\x02\x03\x04nothing": "not an image that Pillow knows",
    b"II*\0" + bytes(40): "a TIFF file that Pillow cannot read: ",
    plain()[:20]: "a PNG file that Pillow cannot read: ",
    encoded(Image.new("RGB", (8, 8)), "JPEG")[:40]: "a JPEG file that Pillow cannot read: ",
}


@pytest.mark.parametrize("content", REASONS, ids=REASONS.values())
def test_a_file_that_is_no_image_is_called_what_it_is(content):
    with pytest.raises(BadImageError) as refused:
        pixels_of(io.BytesIO(content), 8, Decoding(8, 3, "crop"))
    reason = str(refused.value)
    assert reason.startswith(REASONS[content])
    assert "\n" not in reason
    assert not reason.endswith(": ")


def test_every_ending_that_pillow_has_for_the_formats_is_read():
    Image.init()
    of_formats = {
        ending[1:] for ending, name in Image.registered_extensions().items() if name in {*FORMATS, "MPO"}
    }
    assert of_formats <= ENDINGS
    assert not ENDINGS & HEIF_ENDINGS


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.j2k", encoded(Image.new("RGB", (8, 8), RED), "JPEG2000", no_jp2=True)),
        ("a.JPE", encoded(Image.new("RGB", (8, 8), RED), "JPEG", quality=100)),
        ("a.dib", encoded(Image.new("RGB", (8, 8), RED), "DIB")),
        ("a.apng", plain(RED)),
        ("a.mpo", encoded(Image.new("RGB", (8, 8), RED), "MPO", quality=100)),
        ("a.avifs", encoded(Image.new("RGB", (8, 8), RED), "AVIF", quality=100)),
        ("a.pfm", encoded(Image.new("F", (8, 8), 0.5), "PPM")),
    ],
)
def test_less_usual_endings_are_found_and_decode(tmp_path, name, content):
    (file,) = search(str(write(tmp_path, {name: content})), None).files
    pixels = pixels_of(io.BytesIO(Path(file.name).read_bytes()), 8, Decoding(8, 3, "crop"))
    expected = (128, 128, 128) if name == "a.pfm" else RED
    assert np.abs(pixels[4, 4].astype(int) - expected).max() <= 3  # JPEG rounds


def test_files_passed_over_are_counted_by_ending_and_what_systems_leave_is_not(tmp_path):
    files = {
        "1.jpg": plain(),
        "notes.txt": b"",
        "a/b.TXT": b"",
        "clip.mov": b"",
        "README": b"",
        "x.verylongending": b"",
    }
    silent = (
        "Thumbs.db",
        "a/desktop.ini",
        ".DS_Store",
        "__MACOSX/1.jpg",
        "__MACOSX/x.txt",
        "._1.jpg",
        ".git/x.txt",
    )
    root = write(tmp_path / "set", files | dict.fromkeys(silent, b""))
    told = "2 .txt, 2 without a usual ending, 1 .mov"
    assert search(str(root), None).passed_over == told
    assert search(str(pack(tmp_path / "set.zip", files | dict.fromkeys(silent, b""))), None).passed_over == told


def test_many_endings_are_told_by_the_most_frequent(tmp_path):
    files = {f"{number}.e{kind}": b"" for kind in range(8) for number in range(9 - kind)}
    found = search(str(write(tmp_path, files | {"a.png": plain()})), None)
    assert found.passed_over == "9 .e0, 8 .e1, 7 .e2, 6 .e3, 5 .e4, 3 more kinds"


def test_a_folder_without_images_is_refused_with_what_it_holds(tmp_path):
    write(tmp_path, {"a.raw": b"", "b.raw": b"", "c.txt": b""})
    with pytest.raises(DataError, match=r"holds no images \(.*\); it holds 2 \.raw, 1 \.txt$"):
        search(str(tmp_path), None)


def test_without_pillow_heif_heic_is_passed_over_with_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    files = {f"{number}.HEIC": HEIC_START for number in range(37)} | {"a.jpg": plain()}
    found = search(str(write(tmp_path, files)), None)
    assert found.passed_over == "37 .heic (reading HEIC needs pip install 'ganctl[heic]')"
    with pytest.raises(BadImageError, match=r"^a HEIC image; reading HEIC needs pip install 'ganctl\[heic\]'$"):
        pixels_of(io.BytesIO(HEIC_START), 8, Decoding(8, 3, "crop"))


def test_with_pillow_heif_heic_is_read_whatever_its_name_ends_in(tmp_path):
    heif = pytest.importorskip("pillow_heif", reason="the extra ganctl[heic] is not installed")
    content = io.BytesIO()
    heif.from_pillow(Image.new("RGB", (64, 64), RED)).save(content, quality=100)
    write(tmp_path, {"a.heic": content.getvalue(), "b.jpg": content.getvalue()})
    found = search(str(tmp_path), None)
    assert (len(found.files), found.passed) == (2, {})
    for file in found.files:
        pixels = pixels_of(io.BytesIO(Path(file.name).read_bytes()), 8, Decoding(8, 3, "crop"))
        assert np.abs(pixels.astype(int) - RED).max() <= 6  # its colours are rounded


def test_with_pillow_heif_a_damaged_heic_needs_nothing_to_install():
    pytest.importorskip("pillow_heif", reason="the extra ganctl[heic] is not installed")
    with pytest.raises(BadImageError, match=r"^a HEIC image that does not decode$") as refused:
        pixels_of(io.BytesIO(HEIC_START), 8, Decoding(8, 3, "crop"))
    assert "pip" not in str(refused.value)


def test_what_training_passes_over_is_said_once_and_what_the_command_tells(workspace: Path, cli: Cli) -> None:
    write(workspace / "set", {"1.png": plain(), "2.pdf": b"", "3.pdf": b""})
    assert "passed over   2 .pdf\n" in cli("data", "check", "path=set", "cache=null").out
    assert "passed over  2 .pdf\n" in cli("data", "info", "path=set", "cache=null").out
    prepared = cli("data", "prepare", "path=set", "resolution=8").out
    assert prepared.startswith("path: passed over 2 .pdf\nprepared: 1 image of 8×8×3, 192 bytes\n")
    assert "decoded 1 file in" in prepared


@pytest.mark.parametrize(
    ("number", "noun", "told"),
    [
        (1, "image", "1 image"),
        (0, "image", "0 images"),
        (2000, "image", "2,000 images"),
        (2, "class", "2 classes"),
    ],
)
def test_numbers_and_what_they_count_agree(number, noun, told):
    assert counted(number, noun) == told


@pytest.mark.parametrize(("size", "bars"), [((40, 20), "rows"), ((20, 40), "columns"), ((10_000, 3), "rows")])
def test_a_padded_image_is_whole_between_black_bars(size, bars):
    image = Image.new("RGB", size, "white")
    pixels = pixels_of(io.BytesIO(encoded(image)), 8, Decoding(8, 3, "pad"))
    if bars == "columns":
        pixels = pixels.transpose(1, 0, 2)
    lit = (pixels == 255).all((1, 2))
    assert (pixels[~lit] == 0).all()
    assert np.flatnonzero(lit).tolist() == ([3] if size[1] == 3 else [2, 3, 4, 5])


def test_sizes_are_told_as_images_stand(workspace: Path, cli: Cli) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = Image.new("RGB", (40, 20))
    files = {f"{kind}.png": encoded(lying, kind, exif=exif) for kind in ("JPEG", "PNG", "TIFF", "WEBP")}
    write(workspace / "set", files | {"c.png": encoded(lying)})
    assert "sizes         20×40 4, 40×20 1\n" in cli("data", "check", "path=set").out
