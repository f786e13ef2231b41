"""Images as they are found in the wild: the right pixels or a counted skip; never a crash, a hang or a trace."""

import contextlib
import io
import os
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.data.decoding.decode import BadImageError, Decoding
from ganctl.data.decoding.files import read, search
from ganctl.data.sources import image_folder as folder
from tests.conftest import Cli, contents
from tests.data.drawn import BLUE, GREEN, RED, WHITE, encoded, pack, plain, write

GREY = (128, 128, 128)
SIDE = 8


def frames(kind: str) -> bytes:
    images = [Image.new("RGB", (16, 16), colour) for colour in (RED, GREEN, BLUE)]
    lossless = {"lossless": True} if kind == "WEBP" else {}
    return encoded(images[0], kind, save_all=True, append_images=images[1:], duration=50, **lossless)


def noise(kind: str, side: int = 64) -> bytes:
    return encoded(Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)), kind)


def with_chunk(content: bytes, kind: bytes, body: bytes) -> bytes:
    """Return a PNG file with one more chunk behind its header."""
    chunk = struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    return content[:33] + chunk + content[33:]


def png_header(width: int, height: int) -> bytes:
    content = bytearray(plain())
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


def turned() -> bytes:
    """Red above blue, as a camera on its side would have stored it."""
    image = Image.new("RGB", (8, 8), RED)
    image.paste(BLUE, (4, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(image, exif=exif)


def palette(**options: object) -> bytes:
    image = Image.new("P", (8, 8))
    image.putpalette([*RED, *GREEN])
    return encoded(image, **options)


def sixteen_bits(kind: str) -> bytes:
    return encoded(Image.fromarray(np.full((8, 8), 128 * 257, np.uint16)), kind)


def alpha(colour: tuple[int, ...], mode: str) -> bytes:
    return encoded(Image.new(mode, (8, 8), colour))


GOOD: dict[str, tuple[bytes, tuple[int, int, int]]] = {
    "16-bit.png": (sixteen_bits("PNG"), GREY),
    "16-bit.tiff": (sixteen_bits("TIFF"), GREY),
    "float.tiff": (encoded(Image.new("F", (8, 8), 0.502), "TIFF"), GREY),
    "bilevel.png": (encoded(Image.new("1", (8, 8), 1)), WHITE),
    "palette.png": (palette(), RED),
    "palette-clear.png": (palette(transparency=0), WHITE),
    "palette.gif": (encoded(Image.new("P", (8, 8), 0), "GIF"), (0, 0, 0)),
    "cmyk.jpg": (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG", quality=100), RED),
    "cmyk.tif": (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), RED),
    "lab.tif": (encoded(Image.new("LAB", (8, 8), (255, 128, 128)), "TIFF"), WHITE),
    "grey.jpg": (encoded(Image.new("L", (8, 8), 128), "JPEG", quality=100), GREY),
    "grey-alpha.png": (alpha((0, 0), "LA"), WHITE),
    "alpha.png": (alpha((*RED, 255), "RGBA"), RED),
    "alpha.webp": (encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 0)), "WEBP", lossless=True), WHITE),
    "animated.gif": (frames("GIF"), RED),
    "animated.webp": (frames("WEBP"), RED),
    "animated.png": (frames("PNG"), RED),
    "pages.tiff": (frames("TIFF"), RED),
    "burst.jpg": (frames("MPO"), RED),
    "progressive.jpg": (encoded(Image.new("RGB", (32, 32), RED), "JPEG", progressive=True, quality=100), RED),
    "interlaced.png": (plain(RED, (32, 32)), RED),
    "dot.png": (plain(RED, (1, 1)), RED),
    "wide.png": (plain(RED, (10_000, 3)), RED),
    "tall.png": (plain(RED, (3, 10_000)), RED),
    "really-a.png": (encoded(Image.new("RGB", (8, 8), RED), "JPEG", quality=100), RED),
    "really-b.jpg": (plain(RED), RED),
    "profile.jpg": (encoded(Image.new("RGB", (8, 8), RED), "JPEG", icc_profile=b"no profile", quality=100), RED),
    "broken-exif.jpg": (encoded(Image.new("RGB", (8, 8), RED), "JPEG", exif=b"Exif\0\0garbage", quality=100), RED),
    "trailing.png": (plain(RED) + b"and more" * 99, RED),
    "comment.png": (with_chunk(plain(RED), b"tEXt", b"Comment\0" + b"x" * 5000), RED),
    "plain.bmp": (encoded(Image.new("RGB", (8, 8), RED), "BMP"), RED),
    "plain.tga": (encoded(Image.new("RGB", (8, 8), RED), "TGA"), RED),
    "plain.ppm": (encoded(Image.new("RGB", (8, 8), RED), "PPM"), RED),
    "plain.jp2": (encoded(Image.new("RGB", (8, 8), RED), "JPEG2000"), RED),
}
"""What decodes: bytes by name, and the one colour that every pixel should have."""

BAD: dict[str, bytes] = {
    "empty.png": b"",
    "text.jpg": b"<html>404 Not FoundImages</html>",
    "cut.jpg": noise("JPEG")[:2000],
    "cut.png": noise("PNG")[:2000],
    "cut.gif": noise("GIF")[:2000],
    "cut.webp": noise("WEBP")[:1000],
    "cut.tif": noise("TIFF")[:5000],
    "cut.bmp": noise("BMP")[:5000],
    "header.png": plain()[:33],
    "header.jpg": noise("JPEG")[:200],
    "huge.png": png_header(60_000, 60_000),
    "huge.ppm": b"P6 100000 100000 255\n" + bytes(100),
    "huge.bmp": b"BM" + struct.pack("<IIIIiiHH", 100, 0, 54, 40, 1 << 20, 1 << 20, 1, 24) + bytes(60),
    "flat.png": png_header(0, 0),
    "crc.png": plain()[:30] + b"\0\0" + plain()[32:],
    "text-bomb.png": with_chunk(plain(), b"zTXt", b"Comment\0\0" + zlib.compress(bytes(1 << 24))),
    "postscript.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n",
    "vector.png": b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>",
    "zeros.tif": bytes(500),
}


def load(path: Path | str, cache: Path | None, side: int = SIDE):
    return folder.load(str(path), None, Decoding(side, 3, "crop"), 1.0, 2, cache and str(cache))


@pytest.mark.parametrize("name", GOOD)
def test_an_image_of_any_kind_has_the_right_colour(name: str, tmp_path: Path) -> None:
    content, colour = GOOD[name]
    store = load(write(tmp_path / "set", {name: content}), tmp_path / "cache")
    assert (len(store), store.skipped) == (1, 0)
    assert np.abs(store.samples.numpy().astype(int) - colour).max() <= 3  # JPEG rounds


@pytest.mark.parametrize("name", BAD)
def test_a_bad_image_is_skipped_with_a_reason_and_the_others_are_kept(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = load(write(tmp_path / "set", {name: BAD[name], "zz.png": plain(GREEN)}), tmp_path / "cache")
    assert (len(store), store.skipped) == (1, 1)
    assert (store.samples == np.array(GREEN, np.uint8)).all()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"skipped 1 of 2 images that do not decode; the first is {tmp_path / 'set' / name} (")
    assert not line.endswith("()")


def test_an_image_that_a_camera_stored_on_its_side_stands_upright(tmp_path: Path) -> None:
    store = load(write(tmp_path / "set", {"turned.png": turned()}), tmp_path / "cache")
    assert (store.samples[0, :4] == np.array(RED, np.uint8)).all()
    assert (store.samples[0, 4:] == np.array(BLUE, np.uint8)).all()


@pytest.mark.parametrize("packed", [False, True])
def test_the_whole_corpus_is_read_alike_with_and_without_a_cache(packed: bool, tmp_path: Path) -> None:
    files = {name: content for name, (content, _) in GOOD.items()} | {f"bad/{name}": BAD[name] for name in BAD}
    root = pack(tmp_path / "set.zip", files) if packed else write(tmp_path / "set", files)
    expected, store = load(root, None), load(root, tmp_path / "cache")
    assert (len(store), store.skipped) == (len(expected), expected.skipped) == (len(GOOD), len(BAD))
    assert store.fingerprint == expected.fingerprint


def odd_names(root: Path) -> None:
    plain_odd = (b"\xff.png", b"new\nline.png", b"-rf.png", b"[x]*?.png", b" .png", b"a" * 251 + b".png")
    for name in (*plain_odd, "日本.png".encode()):
        Path(os.fsdecode(os.path.join(os.fsencode(root), name))).write_bytes(plain(RED))


def links_in_a_circle(root: Path) -> None:
    (root / "self").symlink_to(root)
    (root / "a.png").symlink_to("b.png")
    (root / "b.png").symlink_to("a.png")
    (root / "up").symlink_to("..")


def pipes(root: Path) -> None:
    os.mkfifo(root / "pipe.png")
    (root / "link.png").symlink_to("pipe.png")
    (root / "zero.png").symlink_to("/dev/zero")
    (root / "terminal.png").symlink_to("/dev/tty")


def folders_with_images_names(root: Path) -> None:
    (root / "x.png").mkdir()
    (root / "x.png/inner.png").write_bytes(plain(RED))
    (root / "y.png").symlink_to("x.png")


def unreadable(root: Path) -> None:
    (root / "gone.png").symlink_to("/nowhere/at/all.png")
    with (root / "sparse.png").open("wb") as file:
        file.truncate((1 << 30) + 1)


PLACES: dict[Callable[[Path], None], tuple[int, int]] = {
    odd_names: (8, 0),
    links_in_a_circle: (1, 2),
    pipes: (1, 0),
    folders_with_images_names: (2, 0),
    unreadable: (1, 2),
}
"""What makes a folder odd, and how many images beside good.png are then decoded and skipped."""


@pytest.mark.parametrize("oddity", PLACES, ids=lambda oddity: oddity.__name__)
def test_an_odd_folder_is_read_and_left_as_it_is(oddity: Callable[[Path], None], tmp_path: Path) -> None:
    root = write(tmp_path / "set", {"good.png": plain(GREEN)})
    oddity(root)
    before = sorted(os.listdir(root))
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        store = load(root, cache)
        assert (len(store), store.skipped) == PLACES[oddity]
    assert sorted(os.listdir(root)) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_skipped(tmp_path: Path) -> None:
    root = write(tmp_path / "set", {"a.png": plain(), "b.png": plain()})
    (root / "a.png").chmod(0)
    assert load(root, tmp_path / "cache").skipped == 1


def test_a_pipe_in_place_of_the_set_does_not_block(tmp_path: Path, cli: Cli) -> None:
    os.mkfifo(tmp_path / "set.zip")
    outcome = cli("data", "check", f"path={tmp_path / 'set.zip'}")
    assert outcome.code == 3
    assert "is neither a folder nor a zip file" in outcome.err


def test_names_that_climb_out_of_an_archive_write_nothing_outside_the_cache(tmp_path: Path) -> None:
    inner = tmp_path / "deep/er"
    inner.mkdir(parents=True)
    names = ["../evil.png", "../../evil.png", "/tmp/evil-of-a-test.png", "C:/evil.png", "a/../b.png"]
    root = pack(inner / "set.zip", dict.fromkeys(names, plain(RED)))
    before = contents(tmp_path)
    store = load(root, tmp_path / "cache")
    assert (len(store), store.skipped) == (len(names), 0)
    after = {name: value for name, value in contents(tmp_path).items() if Path(name).parts[0] != "cache"}
    assert after == before
    assert not Path("/tmp/evil-of-a-test.png").exists()


def test_an_archive_with_overlapping_and_lying_members_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = pack(tmp_path / "set.zip", {"a.png": plain(RED), "b.png": plain(BLUE), "c.png": plain(GREEN)})
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        second = archive.getinfo("b.png")
    local = second.header_offset
    content[local : local + 4] = b"lies"
    path.write_bytes(content)
    for cache in (None, tmp_path / "cache"):
        store = load(path, cache)
        assert (len(store), store.skipped) == (2, 1)


@pytest.mark.parametrize(
    ("compression", "said", "size", "most"),
    [
        (zipfile.ZIP_DEFLATED, 0, 48, 16),
        (zipfile.ZIP_DEFLATED, 100, 48, 16),
        (zipfile.ZIP_BZIP2, 100, 256, 150),
        (zipfile.ZIP_LZMA, 100, 48, 32),
    ],
)
def test_a_member_that_unpacks_to_more_mb_than_it_says_is_not_unpacked(
    compression: int, said: int, size: int, most: int, tmp_path: Path
) -> None:
    path = pack(tmp_path / "a.zip", {"a.png": bytes(size << 20)}, compression)
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.rindex(b"PK\x01\x02") + 24, said)
    path.write_bytes(content)
    (file,) = search(str(path), None).files
    tracemalloc.start()
    try:
        with contextlib.suppress(BadImageError):
            assert len(read(file).getvalue()) <= said
        assert tracemalloc.get_traced_memory()[1] < most << 20
    finally:
        tracemalloc.stop()


def test_an_archive_inside_an_archive_is_no_image(tmp_path: Path) -> None:
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.writestr("a.png", plain())
    files = {"inner.zip": inner.getvalue(), "inner.png": inner.getvalue(), "b.png": plain()}
    root = pack(tmp_path / "set.zip", files)
    store = load(root, tmp_path / "cache")
    assert (len(store), store.skipped) == (1, 1)


@pytest.mark.parametrize("packed", [False, True])
def test_the_command_checks_prepares_and_describes_the_corpus(
    packed: bool, workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganctl.data.cache.image_set.SETTLED_SECONDS", 0.0)
    files = {name: content for name, (content, _) in GOOD.items()} | BAD
    root = pack(workspace / "set.zip", files) if packed else write(workspace / "set", files)
    before = contents(workspace)
    for action in ("check", "info", "prepare", "prepare", "info"):
        outcome = cli("data", action, f"path={root}", "max_bad_fraction=1", "resolution=8")
        assert (outcome.code, outcome.err) == (0, ""), action
    assert f"prepared  {len(GOOD)} images of 8×8×3" in outcome.out
    check = cli("data", "check", f"path={root}", "max_bad_fraction=1", "resolution=8")
    assert f"{len(GOOD)} of {len(files)} decode" in check.out
    for name in BAD:
        assert f"{name}: " in check.out
    assert contents(workspace) == before
