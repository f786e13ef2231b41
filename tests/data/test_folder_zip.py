import struct
import sys
import zipfile
from pathlib import Path

import pytest

from ganctl.data.decoding import files
from ganctl.data.decoding.decode import Decoding
from ganctl.data.sources import image_folder as folder
from ganctl.data.store import Store
from ganctl.errors import DataError
from tests.data.drawn import BLUE, GREEN, RED, pack, plain

LOCAL, CENTRAL = b"PK\x03\x04", b"PK\x01\x02"

CACHE: str | None = None
"""Where decoded images go: every test of this file runs once without a cache, and once with one."""


@pytest.fixture(autouse=True, params=["memory", "cache"])
def _through(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    cache = str(tmp_path_factory.mktemp("cache")) if request.param == "cache" else None
    monkeypatch.setattr(sys.modules[__name__], "CACHE", cache)


def load(path: Path, *, subfolder: str | None = None, bad: float = 0.5, workers: int = 2) -> Store:
    return folder.load(str(path), subfolder, Decoding(8, 3, "crop"), bad, workers, CACHE)


def colours(store: Store) -> list[tuple[int, ...]]:
    return [tuple(colour) for colour in store.samples[:, 0, 0].tolist()]


def set_flag(path: Path, name: str, flag: int) -> None:
    """Set a general-purpose flag of a member in its local and its central header."""
    content = bytearray(path.read_bytes())
    for signature, flags_at, name_at in ((LOCAL, 6, 30), (CENTRAL, 8, 46)):
        start = content.find(signature)
        while not content[start + name_at :].startswith(name.encode()):
            start = content.find(signature, start + 1)
        (flags,) = struct.unpack_from("<H", content, start + flags_at)
        struct.pack_into("<H", content, start + flags_at, flags | flag)
    path.write_bytes(content)


def test_members_are_taken_in_the_order_of_their_names(tmp_path):
    path = pack(tmp_path / "a.zip", {"c.png": plain(BLUE), "b/1.png": plain(GREEN), "a.png": plain(RED)})
    assert colours(load(path)) == [RED, GREEN, BLUE]


def test_folders_in_a_zip_file_become_classes(tmp_path):
    path = pack(tmp_path / "a.zip", {"dog/": b"", "dog/1.png": plain(), "cat/1.png": plain(), "cow.png/": b""})
    store = load(path)
    assert (store.classes, store.labels.tolist()) == (("cat", "dog"), [0, 1])


def test_names_that_climb_out_of_the_archive_are_read_and_write_nothing(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    path = pack(inner / "a.zip", {"../evil.png": plain(RED), "../../b.png": plain(BLUE), "/c.png": plain(GREEN)})
    before = sorted(tmp_path.rglob("*"))
    store = load(path)
    assert sorted(colours(store)) == sorted([RED, GREEN, BLUE])
    assert sorted(tmp_path.rglob("*")) == before == [inner, path]


def test_encrypted_members_are_skipped_and_counted(tmp_path, capsys):
    path = pack(tmp_path / "a.zip", {"a.png": plain(RED), "b.png": plain(BLUE), "c.png": plain(GREEN)})
    set_flag(path, "b.png", 0x1)
    store = load(path)
    assert (colours(store), store.skipped) == ([RED, GREEN], 1)
    said = capsys.readouterr().out
    assert said.startswith(f"skipped 1 of 3 images that do not decode; the first is {path}/b.png (")
    assert "encrypted" in said


def test_an_archive_that_is_wholly_encrypted_is_refused(tmp_path):
    path = pack(tmp_path / "a.zip", {"a.png": plain()})
    set_flag(path, "a.png", 0x1)
    with pytest.raises(DataError, match=r"a\.zip/a\.png \(.*encrypted"):
        load(path, bad=0.05)


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]
)
def test_damaged_members_are_skipped_and_counted(tmp_path, compression):
    path = pack(tmp_path / "a.zip", {"a.png": plain(RED), "b.png": plain(BLUE)}, compression)
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("b.png")
    content = bytearray(path.read_bytes())
    start = member.header_offset + 30 + len(member.filename)
    content[start : start + member.compress_size] = b"\xff" * member.compress_size
    path.write_bytes(content)
    store = load(path)
    assert (colours(store), store.skipped) == ([RED], 1)


def test_members_that_unpack_to_more_than_the_limit_are_skipped_unread(tmp_path, monkeypatch, capsys):
    small, large = plain(RED), plain(BLUE) + bytes(1000)
    monkeypatch.setattr(files, "MAX_FILE_BYTES", len(small))
    store = load(pack(tmp_path / "a.zip", {"a.png": small, "b.png": large}, zipfile.ZIP_DEFLATED))
    assert (colours(store), store.skipped) == ([RED], 1)
    assert f"b.png ({len(large):,} bytes unpacked)" in capsys.readouterr().out


def test_a_table_of_contents_larger_than_any_is_not_read(tmp_path):
    path = tmp_path / "a.zip"
    with path.open("wb") as file:
        file.truncate(3 << 30)
        file.seek(0, 2)
        size = (2 << 30) + 5
        file.write(struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, size, (3 << 30) - size, 0))
    with pytest.raises(DataError, match=r"cannot be read \(a table of contents of 2,147,483,653 bytes\)$"):
        load(path)


def test_a_file_that_is_no_zip_file_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"no archive")
    with pytest.raises(DataError, match=r"is neither a folder nor a zip file$"):
        load(path)


def test_a_truncated_zip_file_is_refused(tmp_path):
    path = pack(tmp_path / "a.zip", {"a.png": plain()})
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"is neither a folder nor a zip file$"):
        load(path)


def test_a_zip_file_with_a_damaged_table_of_contents_is_refused(tmp_path):
    path = pack(tmp_path / "a.zip", {"a.png": plain()})
    path.write_bytes(path.read_bytes().replace(CENTRAL, b"PK\x09\x09"))
    with pytest.raises(DataError, match="cannot be read"):
        load(path)


def test_a_zip_file_whose_names_are_not_the_utf_8_they_claim_is_refused(tmp_path):
    path = pack(tmp_path / "a.zip", {"x.png": plain()})
    set_flag(path, "x.png", 0x800)
    path.write_bytes(path.read_bytes().replace(b"x.png", b"\xff.png"))
    with pytest.raises(DataError, match=r"cannot be read .*utf-8"):
        load(path)


def test_an_unreadable_zip_file_is_refused_as_unreadable(tmp_path, monkeypatch):
    path = pack(tmp_path / "a.zip", {"a.png": plain()})

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(files, "opened", refuse)
    with pytest.raises(DataError, match=r"cannot be read .*Permission denied"):
        load(path)


def test_a_zip_file_without_images_is_refused(tmp_path):
    path = pack(tmp_path / "a.zip", {"test/notes.txt": b"", "train/a.png": plain()})
    with pytest.raises(DataError, match=r"a\.zip, subfolder test, holds no images .*; it holds 1 \.txt$"):
        load(path, subfolder="test")


def test_many_threads_read_one_archive_alike(tmp_path):
    members = {f"{number:03}.png": plain((number, 255 - number, 7)) for number in range(100)}
    path = pack(tmp_path / "a.zip", members, zipfile.ZIP_DEFLATED)
    assert colours(load(path, workers=8)) == [(number, 255 - number, 7) for number in range(100)]
    assert load(path, workers=1).fingerprint == load(path, workers=8).fingerprint
