"""Pictures of samples: of few steps, small, and only of what is a picture."""

import base64
import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.commands.tracking.reports.pictures import MOST, read_pictures


def noise(side: int) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


def decoded(address: str) -> Image.Image:
    kind, _, content = address.partition(",")
    assert kind == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def png_head(width: int, height: int) -> bytes:
    """Return a PNG file that announces a size, and holds next to nothing."""
    parts = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(9))))
    chunks = (
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def test_small_pictures_are_kept_bit_for_bit(tmp_path: Path) -> None:
    noise(40).save(tmp_path / "step-00000010.png")
    noise(40).convert("L").save(tmp_path / "step-00000010-seed-1.png")
    found = read_pictures(tmp_path, 100_000)
    assert list(found.by_step) == [10]
    assert decoded(found.by_step[10]).convert("RGB").tobytes() == noise(40).tobytes()


def test_of_many_steps_some_are_shown_with_the_first_and_the_last(tmp_path: Path) -> None:
    for step in range(1, 101):
        noise(16).save(tmp_path / f"step-{step:08}.png")
    steps = list(read_pictures(tmp_path, 1_000_000).by_step)
    assert (steps[0], steps[-1], len(steps)) == (1, 100, MOST)


@pytest.mark.parametrize("side", [200, 700])
def test_where_there_is_little_room_pictures_are_smaller_or_fewer(tmp_path: Path, side: int) -> None:
    for step in range(1, 11):
        noise(side).save(tmp_path / f"step-{step:08}.png", compress_level=0)
    roomy, tight = (read_pictures(tmp_path, room).by_step for room in (10_000_000, 60_000))
    assert len(roomy) == 10
    assert sum(map(len, tight.values())) < 1.4 * 60_000
    assert list(tight)[-1] == 10
    assert max(decoded(tight[10]).size) < max(decoded(roomy[10]).size)


def test_what_is_no_picture_is_named_and_the_newest_that_is_one_is_shown(tmp_path: Path) -> None:
    noise(20).save(tmp_path / "step-00000001.png")
    (tmp_path / "step-00000002.png").write_bytes(b"no picture")
    (tmp_path / "step-00000003.png").write_bytes(png_head(100_000, 100_000))
    (tmp_path / "step-00000004.png").write_bytes(png_head(9_000, 9_000))
    noise(20).save(tmp_path / "step-00000005.gif")
    (tmp_path / "step-00000005.gif").rename(tmp_path / "step-00000005.png")
    (tmp_path / "step-00000006.png").mkdir()
    os.mkfifo(tmp_path / "step-00000007.png")
    (tmp_path / "step-00000008.png").symlink_to(tmp_path / "nowhere")
    found = read_pictures(tmp_path, 100_000)
    assert list(found.by_step) == [1]
    assert [fault.split(":")[0] for fault in found.faults] == [
        f"samples/step-0000000{step}.png" for step in range(8, 1, -1)
    ]


def test_a_folder_without_pictures_is_no_fault(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        found = read_pictures(folder, 1000)
        assert (found.by_step, found.faults) == ({}, [])
