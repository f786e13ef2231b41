"""Arrays that are no set of images, or no file to read."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.data.test_array import PIXELS, load, npy, npz, refusal


def test_an_archive_larger_than_memory_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    path = npz(tmp_path, x=PIXELS)
    monkeypatch.setattr("ganctl.data.sources.numpy_file.memory_limit", lambda: 1000)
    assert "array x, cannot be read (848 bytes unpacked, more than half of the 1,000 of memory" in refusal(path)


def test_samples_that_fill_the_memory_are_refused_unless_they_stay_in_the_file(tmp_path, monkeypatch):
    monkeypatch.setattr("ganctl.data.sources.array_file.memory_limit", lambda: 1000)
    assert len(load(npy(tmp_path, PIXELS))) == 5
    assert "makes 720 bytes of samples, more than half of the 1,000" in refusal(npy(tmp_path, PIXELS / 255))
    assert "makes 560 bytes of samples" in refusal(npy(tmp_path, np.zeros((70, 2))))


@pytest.mark.parametrize("header", ["-" * 8000, "(" * 8000, "[" * 300 + "]" * 300])
def test_a_header_that_is_nested_deep_is_refused(tmp_path, header):
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    assert refusal(path).startswith(f"data.path: {path} cannot be read (")


def test_a_pipe_or_a_device_is_refused_without_waiting(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert "a pipe, not a regular file" in refusal(tmp_path / "pipe")
    assert "a device, not a regular file" in refusal(Path("/dev/zero"))


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_single_image_is_not_taken_for_a_set_of_narrow_ones(tmp_path, channels):
    told = refusal(npy(tmp_path, np.zeros((120, 90, channels), np.uint8)))
    assert f"[120,90,{channels}], which reads as images of 90×{channels} pixels" in told
    assert "give it an axis in front, array[None]" in told


@pytest.mark.parametrize("shape", [(5, 0, 8), (5, 8, 0, 3), (0, 8, 8, 3)])
def test_images_without_width_or_height_are_refused(tmp_path, shape):
    assert refusal(npy(tmp_path, np.zeros(shape, np.uint8))).endswith("which is empty")


def test_one_odd_value_does_not_move_the_suggested_range(tmp_path):
    values = np.random.default_rng(0).normal(0, 1, (5, 64, 64))
    values[0, 0, 0] = 1e6
    assert refusal(npy(tmp_path, values)).endswith("such as [-3.2,3.1]")
