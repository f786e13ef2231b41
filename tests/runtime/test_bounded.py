"""The opener for files that ganctl did not make: nothing that blocks, never ends or does not fit is read."""

import gzip
import os
import socket
from pathlib import Path

import pytest

from ganctl.runtime.bounded import UntrustedFileError, opened, read_bytes, read_gzip, read_text, regular_size


def test_a_regular_file_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert read_bytes(path) == b"content"
    assert read_text(path, 7) == "content"
    assert regular_size(path) == 7


@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder", "link to a pipe"])
def test_what_is_no_regular_file_is_named_and_never_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "it"
    listener = socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        listener.bind(str(path))
    elif kind == "device":
        path = Path("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to("pipe")
    word = kind.rpartition(" ")[2]
    for reader in (read_bytes, regular_size, read_gzip):
        with pytest.raises(UntrustedFileError, match=f"a {word}, not a regular file"):
            reader(path)
    with pytest.raises(UntrustedFileError), opened(path):
        pass
    listener.close()


def test_a_larger_file_than_allowed_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "sparse"
    with path.open("wb") as file:
        file.truncate(1 << 43)
    with pytest.raises(UntrustedFileError, match="8,796,093,022,208 bytes, more than"):
        read_bytes(path)
    with pytest.raises(UntrustedFileError, match="more than the 10 that"):
        read_text(path, 10)


def test_gzip_is_unpacked_as_the_standard_library_does(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    content = os.urandom(3_000_000) + bytes(3_000_000)
    path.write_bytes(gzip.compress(content) + gzip.compress(b"a second member") + bytes(5))
    assert read_gzip(path) == gzip.decompress(path.read_bytes()) == content + b"a second member"


def test_gzip_that_unpacks_to_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(bytes(50_000_000)))
    with pytest.raises(UntrustedFileError, match="more than 1,000,000 bytes unpacked"):
        read_gzip(path, 1_000_000)


@pytest.mark.parametrize(
    "content", [b"", gzip.compress(b"cut short, as by a full disk")[:-12]], ids=["empty", "cut short"]
)
def test_a_gzip_file_that_ends_too_early_is_damaged(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(EOFError):
        read_gzip(path)
