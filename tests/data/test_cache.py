"""Images that are decoded once, and found again by what they hold."""

import json
import os
import shutil
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from ganctl.data.decoding import files, parallel
from ganctl.data.decoding.decode import VERSION
from ganctl.data.store import MappedStore
from ganctl.errors import DataError
from tests.data.cached import FILES, entries, load
from tests.data.drawn import BLUE, RED, encoded, pack, plain, write

pytestmark = pytest.mark.usefixtures("settled_files")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of images that are read from here on, to decode them or to hash them."""
    names: list[str] = []
    inner = parallel.read

    def noted(file):
        names.append(file.relative)
        return inner(file)

    monkeypatch.setattr(parallel, "read", noted)
    return names


@pytest.mark.parametrize("files", [FILES, {"1.png": plain(RED)}, {f"{n}.png": plain((n, 0, 0)) for n in range(9)}])
@pytest.mark.parametrize("packed", [False, True])
def test_a_cached_store_equals_the_one_in_memory(files, packed, tmp_path):
    root = pack(tmp_path / "set.zip", files) if packed else write(tmp_path / "set", files)
    expected = load(root, None)
    for _ in range(2):
        store = load(root, tmp_path / "cache")
        assert isinstance(store, MappedStore)
        assert not isinstance(expected, MappedStore)
        assert torch.equal(store.samples, expected.samples)
        assert (store.labels is None) == (expected.labels is None)
        assert store.labels is None or torch.equal(store.labels, expected.labels)
        assert (store.space, store.skipped) == (expected.space, expected.skipped)
        assert store.fingerprint == expected.fingerprint


@pytest.mark.parametrize("bad", [[0], [7], [0, 1, 6, 7], [3], [1, 2, 5], list(range(7))], ids=str)
def test_gaps_that_bad_images_leave_are_closed(bad, tmp_path):
    files = {f"{number}.png": b"" if number in bad else plain((number, 9, 200)) for number in range(8)}
    store = load(write(tmp_path / "set", files), tmp_path / "cache", bad=1)
    assert store.samples[:, 0, 0, 0].tolist() == [number for number in range(8) if number not in bad]
    (entry,) = entries(tmp_path / "cache")
    np.testing.assert_array_equal(np.load(entry / "samples.npy"), store.samples.numpy())


def test_unchanged_files_are_neither_decoded_nor_read_again(tmp_path, read, capsys):
    root = write(tmp_path / "set", FILES)
    load(root, tmp_path / "cache")
    said = capsys.readouterr().out
    assert "skipped 1 of 4" in said
    read.clear()
    load(root, tmp_path / "cache")
    assert read == []
    assert capsys.readouterr().out == said


def test_a_set_that_was_copied_or_moved_is_read_but_not_decoded_again(tmp_path, decoded):
    root = write(tmp_path / "set", FILES)
    load(root, tmp_path / "cache")
    decoded.clear()
    shutil.copytree(root, tmp_path / "copy")
    first = load(tmp_path / "copy", tmp_path / "cache")
    assert decoded == []
    assert first.fingerprint == load(root, None).fingerprint
    assert len(entries(tmp_path / "cache")) == 1


def test_another_machine_finds_the_entry_without_the_stamps(tmp_path, decoded):
    root = write(tmp_path / "set", FILES)
    load(root, tmp_path / "cache")
    shutil.rmtree(tmp_path / "cache/pictures/.stamps")
    decoded.clear()
    load(root, tmp_path / "cache")
    assert decoded == []


@pytest.mark.parametrize("keep_times", [False, True])
def test_an_image_that_changed_is_seen_even_under_the_same_name_and_size(keep_times, tmp_path):
    files = {f"{number}.bmp": plain_bmp(number) for number in range(3)}
    root = write(tmp_path / "set", files)
    first = load(root, tmp_path / "cache")
    before = os.stat(root / "1.bmp")
    (root / "1.bmp").write_bytes(plain_bmp(77))
    if keep_times:
        os.utime(root / "1.bmp", ns=(before.st_atime_ns, before.st_mtime_ns))
    second = load(root, tmp_path / "cache")
    assert first.samples[:, 0, 0, 0].tolist() == [0, 1, 2]
    assert second.samples[:, 0, 0, 0].tolist() == [0, 77, 2]
    assert len(entries(tmp_path / "cache")) == 2


def plain_bmp(value: int) -> bytes:
    return encoded(Image.new("RGB", (8, 8), (value, value, value)), "BMP")


def test_files_that_changed_a_moment_ago_get_no_stamp(tmp_path, monkeypatch, read):
    monkeypatch.setattr("ganctl.data.cache.image_set.SETTLED_SECONDS", 3600.0)
    root = write(tmp_path / "set", FILES)
    load(root, tmp_path / "cache")
    read.clear()
    load(root, tmp_path / "cache")
    assert sorted(read) == sorted(FILES)


def test_an_image_that_becomes_readable_is_seen(tmp_path, monkeypatch):
    root = write(tmp_path / "set", {"a.png": plain(RED), "b.png": plain(BLUE)})
    with monkeypatch.context() as patch:
        read_bytes = files.read_bytes

        def refuse(path, most):
            if path.endswith("b.png"):
                raise PermissionError(13, "Permission denied")
            return read_bytes(path, most)

        patch.setattr(files, "read_bytes", refuse)
        assert load(root, tmp_path / "cache").skipped == 1
    assert load(root, tmp_path / "cache").skipped == 0


def test_a_damaged_archive_that_is_put_right_is_seen(tmp_path):
    path = pack(tmp_path / "set.zip", {"a.png": plain(RED), "b.png": plain(BLUE)})
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("b.png").header_offset + 40
    path.write_bytes(whole[:start] + b"\xff" * 20 + whole[start + 20 :])
    assert load(path, tmp_path / "cache").skipped == 1
    path.write_bytes(whole)
    os.utime(path, ns=(1, 1))
    assert load(path, tmp_path / "cache").skipped == 0
    assert len(entries(tmp_path / "cache")) == 1


def test_each_setting_that_changes_pixels_has_an_entry_of_its_own(tmp_path):
    root = write(tmp_path / "set", FILES)
    cache = tmp_path / "cache"
    load(root, cache)
    assert load(root, cache, side=16).space.shape == (3, 16, 16)
    assert load(root, cache, channels=1).space.shape == (1, 8, 8)
    assert load(root, cache, side=None).space.shape == (3, 32, 32)
    assert len(entries(cache)) == 4


def test_a_new_way_of_decoding_makes_new_entries(tmp_path, monkeypatch):
    root = write(tmp_path / "set", FILES)
    load(root, tmp_path / "cache")
    monkeypatch.setattr("ganctl.data.decoding.decode.VERSION", VERSION + 1)
    load(root, tmp_path / "cache")
    assert len(entries(tmp_path / "cache")) == 2


def test_the_names_of_folders_are_part_of_the_key_because_they_are_classes(tmp_path):
    load(write(tmp_path / "one", {"a/1.png": plain(), "b/2.png": plain()}), tmp_path / "cache")
    store = load(write(tmp_path / "two", {"a/1.png": plain(), "c/2.png": plain()}), tmp_path / "cache")
    assert store.classes == ("a", "c")


def test_how_many_bad_images_are_too_many_is_decided_when_loading(tmp_path, decoded):
    root = write(tmp_path / "set", FILES)
    load(root, tmp_path / "cache")
    decoded.clear()
    with pytest.raises(DataError, match=rf"1 of 4 .* the first is {root / 'a/2.png'} \(zero bytes\)"):
        load(root, tmp_path / "cache", bad=0.1)
    assert decoded == []


def test_a_set_of_which_nothing_decodes_leaves_nothing(tmp_path):
    root = write(tmp_path / "set", {"a.png": b"", "b.png": b"text"})
    with pytest.raises(DataError, match="none of 2"):
        load(root, tmp_path / "cache", bad=1)
    assert entries(tmp_path / "cache") == []
    assert list((tmp_path / "cache/pictures").glob(".*.tmp")) == []


def test_an_entry_tells_what_it_is(tmp_path):
    root = write(tmp_path / "set", FILES)
    store = load(root, tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    about = json.loads((entry / "about.json").read_text())
    assert about["source"] == str(root)
    assert about["shape"] == [3, 8, 8, 3]
    assert (about["classes"], about["skipped"]) == (["a", "b"], 1)
    assert about["failures"] == [{"relative": "a/2.png", "reason": "zero bytes"}]
    assert about["fingerprint"] == load(root, None).fingerprint == store.fingerprint
    assert set(about["versions"]) == {"ganctl", "decoding", "pillow"}
