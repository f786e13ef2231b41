import os
import re
import sys
from pathlib import Path
from threading import Event

import pytest
import torch

from ganctl.data.decoding import files as image_files
from ganctl.data.decoding import parallel
from ganctl.data.decoding.decode import Decoding
from ganctl.data.sources import image_folder as folder
from ganctl.data.store import Store
from ganctl.errors import DataError
from tests.data.drawn import BLUE, GREEN, RED, WHITE, pack, plain, write

CACHE: str | None = None
"""Where decoded images go: every test of this file runs once without a cache, and once with one."""


@pytest.fixture(autouse=True, params=["memory", "cache"])
def _through(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch) -> None:
    cache = str(tmp_path_factory.mktemp("cache")) if request.param == "cache" else None
    monkeypatch.setattr(sys.modules[__name__], "CACHE", cache)


def load(
    path: Path | str,
    *,
    subfolder: str | None = None,
    side: int | None = 8,
    bad: float = 0.5,
    workers: int | None = 2,
) -> Store:
    return folder.load(str(path), subfolder, Decoding(side, 3, "crop"), bad, workers, CACHE)


def names(path: Path | str, subfolder: str | None = None) -> list[str]:
    return [file.name for file in image_files.search(str(path), subfolder).files]


def colours(store: Store) -> list[tuple[int, ...]]:
    return [tuple(colour) for colour in store.samples[:, 0, 0].tolist()]


def test_images_are_taken_in_the_order_of_their_names(tmp_path):
    write(tmp_path, {"c.png": plain(BLUE), "a/2.png": plain(GREEN), "a/10.png": plain(RED), "b.png": plain(WHITE)})
    store = load(tmp_path)
    assert colours(store) == [RED, GREEN, WHITE, BLUE]
    assert (store.samples.dtype, store.samples.shape) == (torch.uint8, (4, 8, 8, 3))


def test_subfolders_become_classes_and_labels(tmp_path):
    write(tmp_path, {"dog/1.png": plain(), "cat/1.png": plain(), "cat/2.png": plain(), "ant/x/1.png": plain()})
    store = load(tmp_path)
    assert store.classes == ("cat", "dog", "x")
    assert store.labels.dtype == torch.int64
    assert store.labels.tolist() == [2, 0, 0, 1]


@pytest.mark.parametrize("inner", ["", "only/"])
def test_a_single_folder_gives_no_labels(tmp_path, inner):
    store = load(write(tmp_path, {f"{inner}1.png": plain(), f"{inner}2.png": plain()}))
    assert store.labels is None
    assert store.classes == ()


def test_the_name_of_the_data_set_itself_decides_nothing(tmp_path):
    files = {"1.png": plain(RED), "m/2.png": plain(BLUE)}
    first, last = load(write(tmp_path / "a", files)), load(write(tmp_path / "z", files))
    assert first.fingerprint == last.fingerprint
    assert first.labels.tolist() == last.labels.tolist() == [0, 1]


def test_labels_follow_the_images_when_bad_ones_are_left_out(tmp_path):
    store = load(write(tmp_path, {"a/1.png": b"", "a/2.png": plain(RED), "b/1.png": plain(BLUE), "c/1.png": b"x"}))
    assert (store.classes, store.labels.tolist(), colours(store)) == (("a", "b"), [0, 1], [RED, BLUE])


@pytest.mark.parametrize("subfolder", ["train", "train/", "./train"])
def test_only_what_lies_below_the_subfolder_is_used(tmp_path, subfolder):
    root = write(tmp_path, {"train/a/1.png": plain(), "train/b/1.png": plain(), "train2/c/1.png": plain()})
    store = load(root, subfolder=subfolder)
    assert len(store) == 2
    assert store.classes == ("a", "b")


def test_a_missing_subfolder_is_named(tmp_path):
    files = {"1.png": plain(), "deep/train/2.png": plain()}
    for root in (write(tmp_path / "set", files), pack(tmp_path / "set.zip", files)):
        for subfolder, near in (("deap", "deep"), ("deep/trian/", "deep/train")):
            told = rf"^data\.subfolder: there is no folder {subfolder} in {root} \(did you mean '{near}'\?\)$"
            with pytest.raises(DataError, match=told):
                load(root, subfolder=subfolder)


def test_hidden_and_foreign_files_are_passed_over(tmp_path):
    kept = {"a.png": plain(), "b.JPEG": plain(), "c.WebP": plain()}
    passed = {
        ".d.png": b"",
        ".cache/e.png": b"",
        "__MACOSX/f.png": b"",
        "notes.txt": b"",
        "png": b"",
        "g.png.bak": b"",
    }
    root = write(tmp_path / ".data", kept | passed)
    assert names(root) == [str(root / name) for name in kept]


@pytest.mark.parametrize(
    ("sizes", "side"),
    [
        ([(63, 200), (200, 63), (300, 300)], 32),
        ([(64, 64)], 64),
        ([(63, 63)], 32),
        ([(28, 28), (64, 100), (100, 100)], 64),
        ([(32, 32), (32, 32), (100, 100), (100, 100)], 64),
    ],
)
def test_the_side_is_32_where_most_images_are_smaller_than_64_else_64(tmp_path, sizes, side):
    write(tmp_path, {f"{number}.png": plain(size=size) for number, size in enumerate(sizes)})
    assert load(tmp_path, side=None).space.shape == (3, side, side)


def test_images_without_a_size_do_not_decide_the_side(tmp_path):
    write(tmp_path, {"0.png": b"", "1.png": b"text", "2.png": plain(size=(20, 20)), "3.png": plain(size=(20, 20))})
    assert load(tmp_path, side=None).space.shape == (3, 32, 32)


def test_the_side_of_a_large_set_follows_images_from_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(image_files, "SAMPLED_SIZES", 4)
    small, large = plain(size=(8, 8)), plain(size=(80, 80))
    write(tmp_path, {f"{number:02}.png": large if number < 4 else small for number in range(16)})
    assert load(tmp_path, side=None).space.shape == (3, 32, 32)


def test_bad_images_are_skipped_counted_and_said_once(tmp_path, capsys):
    root = write(tmp_path, {"a.png": plain(RED), "b.png": b"", "c.png": plain(BLUE), "d.png": plain()[:45]})
    store = load(root)
    assert colours(store) == [RED, BLUE]
    assert store.skipped == 2
    said = f"skipped 2 of 4 images that do not decode; the first is {root / 'b.png'} (zero bytes)\n"
    assert capsys.readouterr().out == said


def test_nothing_is_said_where_every_image_decodes(tmp_path, capsys):
    assert load(write(tmp_path, {"a.png": plain()})).skipped == 0
    assert capsys.readouterr().out == ""


def test_more_bad_images_than_allowed_are_refused_and_the_first_named(tmp_path):
    root = write(tmp_path, {"a.png": plain(), "b.png": b"", "c.png": plain(), "d.png": b"text"})
    assert load(root, bad=0.5).skipped == 2
    with pytest.raises(DataError) as refused:
        load(root, bad=0.49)
    line = str(refused.value)
    assert "2 of 4" in line
    assert "data.max_bad_fraction=0.49" in line
    assert f"the first is {root / 'b.png'} (zero bytes)" in line
    assert "\n" not in line


def test_a_set_without_one_good_image_is_refused_whatever_is_allowed(tmp_path):
    root = write(tmp_path, {"a.png": b"", "b.png": b"text"})
    with pytest.raises(DataError, match=f"none of 2 images .* the first is {re.escape(str(root / 'a.png'))}"):
        load(root, bad=1.0)


def test_a_missing_folder_is_refused_with_the_nearest_name(tmp_path):
    (tmp_path / "photos").mkdir()
    with pytest.raises(DataError, match=r"phtos does not exist \(did you mean 'photos'\?\)$"):
        load(tmp_path / "phtos")
    with pytest.raises(DataError, match=r"far does not exist$"):
        load(tmp_path / "so" / "far")


def test_an_empty_folder_is_refused_with_the_endings_that_count(tmp_path):
    with pytest.raises(DataError, match=r"holds no images \(files that end in apng, avif, .*webp\)$"):
        load(tmp_path)


def test_a_home_folder_is_understood(tmp_path, monkeypatch):
    write(tmp_path, {"pictures/a.png": plain()})
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(load("~/pictures")) == 1


def test_the_home_of_nobody_is_refused():
    with pytest.raises(DataError, match="~no-such-user-here/pictures does not exist"):
        load("~no-such-user-here/pictures")


@pytest.mark.parametrize("locked", ["", "inner"])
def test_an_unreadable_folder_is_refused(tmp_path, monkeypatch, locked):
    root = write(tmp_path, {"a.png": plain(), "inner/b.png": plain()})
    scandir = os.scandir

    def refuse(path):
        if Path(path) == root / locked:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match=r"cannot be read .*Permission denied"):
        load(root)


def test_an_unreadable_image_is_skipped_and_counted(tmp_path, monkeypatch, capsys):
    root = write(tmp_path, {"a.png": plain(RED), "b.png": plain(BLUE)})
    read_bytes = image_files.read_bytes

    def refuse(path, most):
        if path.endswith("b.png"):
            raise PermissionError(13, "Permission denied", path)
        return read_bytes(path, most)

    monkeypatch.setattr(image_files, "read_bytes", refuse)
    store = load(root)
    assert (colours(store), store.skipped) == ([RED], 1)
    assert "Permission denied" in capsys.readouterr().out


def test_a_broken_link_is_skipped_and_counted(tmp_path):
    write(tmp_path, {"a.png": plain()})
    (tmp_path / "b.png").symlink_to("nowhere.png")
    (tmp_path / "c.png").symlink_to("c.png")
    store = load(tmp_path, bad=0.7)
    assert (len(store), store.skipped) == (1, 2)


def test_links_are_followed_and_each_file_counted_once(tmp_path):
    root = write(tmp_path / "root", {"a/1.png": plain(), "a/2.png": plain(), "3.png": plain()})
    write(tmp_path / "elsewhere", {"4.png": plain()})
    (root / "a" / "loop").symlink_to(root)
    (root / "self").symlink_to(root / "self")
    (root / "same").symlink_to(root / "a")
    (root / "outside").symlink_to(tmp_path / "elsewhere")
    assert names(root) == [str(root / name) for name in ("3.png", "a/1.png", "a/2.png", "outside/4.png")]


def test_a_name_that_is_not_utf_8_is_read_and_can_be_said(tmp_path, capsys):
    for name, content in ((b"caf\xe9.png", plain(RED)), (b"na\xefve.png", b"")):
        Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name))).write_bytes(content)
    store = load(tmp_path)
    assert (colours(store), store.skipped) == ([RED], 1)
    assert r"na\udcefve.png (zero bytes)" in capsys.readouterr().out


def test_the_number_of_workers_changes_nothing(tmp_path, capsys):
    files = {f"{number % 3}/{number:02}.png": plain((number, 5 * number, 255 - number)) for number in range(24)}
    root = write(tmp_path, files | {"1/05.png": b"", "2/00.png": b"text"})
    results = []
    for workers in (1, 4, None):
        store = load(root, workers=workers)
        results.append((store.fingerprint, store.labels.tolist(), store.classes, capsys.readouterr().out))
    assert len(load(root)) == 24
    assert results[0] == results[1] == results[2]


def test_an_interrupted_load_leaves_the_rest_undecoded(tmp_path, monkeypatch):
    write(tmp_path, {f"{number:02}.png": plain() for number in range(40)})
    decoded: list[str] = []
    pause = Event()

    def interrupt(results, total, what):
        yield next(iter(results))
        raise KeyboardInterrupt

    def examine(file, task, row, alone):
        decoded.append(file.name)
        pause.wait(0.01)
        return parallel.Outcome()

    monkeypatch.setattr(parallel, "track", interrupt)
    monkeypatch.setattr(parallel, "examine", examine)
    with pytest.raises(KeyboardInterrupt):
        load(tmp_path, workers=1)
    assert len(decoded) < 40


def test_a_folder_and_a_zip_file_of_it_give_the_same_store(tmp_path):
    files = {
        f"{place}{number}.png": plain((10 * number, 200, 3)) for number in range(3) for place in ("", "b/", "a/c/")
    }
    files |= {"a/bad.png": b"", ".x.png": plain(), "b/__MACOSX/y.png": plain(), "z.txt": b"z"}
    loose, packed = load(write(tmp_path / "loose", files)), load(pack(tmp_path / "packed.zip", files))
    assert torch.equal(loose.samples, packed.samples)
    assert torch.equal(loose.labels, packed.labels)
    assert (loose.classes, loose.skipped) == (packed.classes, packed.skipped) == (("", "b", "c"), 1)


@pytest.mark.parametrize("subfolder", ["train", "train/", ".hidden"])
def test_a_subfolder_means_the_same_in_a_zip_file(tmp_path, subfolder):
    files = {
        "train/1.png": plain(RED),
        "train/b/2.png": plain(BLUE),
        "trainer/3.png": plain(),
        ".hidden/4.png": plain(),
    }
    loose = load(write(tmp_path / "loose", files), subfolder=subfolder)
    packed = load(pack(tmp_path / "packed.zip", files), subfolder=subfolder)
    assert len(loose) == (1 if subfolder == ".hidden" else 2)
    assert loose.fingerprint == packed.fingerprint
    assert loose.classes == packed.classes


def test_a_pipe_with_an_images_name_is_passed_over(tmp_path):
    write(tmp_path, {"a.png": plain()})
    os.mkfifo(tmp_path / "b.png")
    store = load(tmp_path)
    assert (len(store), store.skipped) == (1, 0)
