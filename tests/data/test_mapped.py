"""Training from a file: the same bits as from memory, and no more memory than a batch needs."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ganctl.data import store as store_module
from ganctl.data.batches import Batches
from ganctl.data.store import MappedPixels, MappedStore, Store

CPU = torch.device("cpu")


def pixels(count: int = 11) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 4, 5, 3), np.uint8)


def stores(folder: Path, array: np.ndarray) -> tuple[Store, MappedStore]:
    np.save(folder / "samples.npy", array)
    kept = MappedPixels(folder / "samples.npy")
    inside = Store(torch.from_numpy(array))
    return inside, MappedStore(samples=kept.tensor(), pixels=kept, sha256=inside.fingerprint)


def batches(store: Store, size: int = 4) -> Batches:
    return Batches(store, size, 3, CPU, torch.float32, (-1, 1))


@pytest.mark.parametrize("size", [2, 4, 11, 30])
def test_batches_of_a_file_are_those_of_memory_bit_for_bit(size, tmp_path):
    inside, outside = (batches(store, size) for store in stores(tmp_path, pixels()))
    for number in range(9):
        for stream in ("discriminator", "generator"):
            expected, found = inside.samples(stream, number), outside.samples(stream, number)
            assert torch.equal(found, expected)
            assert found.stride() == expected.stride()


def test_batches_out_of_order_are_right_too(tmp_path):
    inside, outside = (batches(store) for store in stores(tmp_path, pixels()))
    for number in (5, 0, 0, 1, 2, 9, 3, 10**9):
        assert torch.equal(outside.samples("d", number), inside.samples("d", number))


def test_a_batch_is_the_callers_own_and_the_next_one_does_not_write_to_it(tmp_path):
    inside, outside = (batches(store) for store in stores(tmp_path, pixels()))
    first = outside.samples("d", 0)
    first.zero_()
    for number in range(1, 5):
        assert torch.equal(outside.samples("d", number), inside.samples("d", number))
    assert not first.any()


def test_a_set_larger_than_memory_is_read_alike_and_its_pages_are_given_back(tmp_path, monkeypatch):
    monkeypatch.setattr(store_module, "memory_limit", lambda: 0)
    monkeypatch.setattr(store_module, "RESIDENT_BYTES", 1)
    told: list[tuple[MappedPixels, str]] = []
    advise = MappedPixels._advise

    def noted(self, name, start, length):
        told.append((self, name))
        advise(self, name, start, length)

    monkeypatch.setattr(MappedPixels, "_advise", noted)
    array = np.random.default_rng(0).integers(0, 256, (50, 40, 40, 3), np.uint8)
    memory, file = stores(tmp_path, array)
    inside, outside = batches(memory), batches(file)
    for number in range(30):
        assert torch.equal(outside.samples("d", number), inside.samples("d", number))
    # A thread that reads ahead for another test's store may still give advice, too.
    advised = [name for pixels, name in told if pixels is file.pixels]
    assert advised[0] == "MADV_RANDOM"
    assert {"MADV_WILLNEED", "MADV_DONTNEED"} <= set(advised)


def test_the_file_is_never_written_to(tmp_path):
    _, outside = stores(tmp_path, pixels())
    before = (tmp_path / "samples.npy").read_bytes()
    with pytest.raises(ValueError, match="read-only"):
        outside.pixels.array[0] = 0
    batches(outside).samples("d", 0).zero_()
    assert (tmp_path / "samples.npy").read_bytes() == before


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((2, 3), np.uint8),
        np.zeros((2, 4, 4, 3), np.int8),
        np.zeros((2, 4, 4, 3), np.uint8, "F"),
    ],
    ids=["shape", "type", "order"],
)
def test_another_file_is_refused(array, tmp_path):
    np.save(tmp_path / "samples.npy", array)
    with pytest.raises(ValueError, match=r"samples\.npy"):
        MappedPixels(tmp_path / "samples.npy")


def test_the_fingerprint_is_the_stored_one_and_nothing_is_read_for_it(tmp_path):
    _, outside = stores(tmp_path, pixels())
    told = MappedStore(samples=outside.samples, pixels=outside.pixels, sha256="as written")
    assert told.fingerprint == "as written"


def test_waiting_for_batches_is_counted(tmp_path):
    for store in stores(tmp_path, pixels()):
        source = batches(store)
        assert source.waited == 0
        source.samples("d", 0)
        first = source.waited
        source.samples("d", 1)
        assert 0 < first < source.waited
