"""A cache that is damaged, full, interrupted or in use: said in one line, and never in the way of a run."""

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from filelock import FileLock

from ganctl.data.cache import entries as cache_module
from ganctl.data.cache.entries import Cache
from ganctl.data.cache.image_set import ImageSet
from ganctl.data.decoding import parallel
from ganctl.data.decoding.decode import Decoding
from ganctl.data.decoding.files import search
from ganctl.data.sources import image_folder as folder
from ganctl.data.store import MappedStore
from tests.conftest import contents
from tests.data.cached import FILES, entries, load
from tests.data.drawn import RED, pack, plain, write

pytestmark = pytest.mark.usefixtures("settled_files")


def waits_until(reached: Path) -> None:
    deadline = time.monotonic() + 30
    while not reached.exists():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def truncate(entry: Path) -> None:
    path = entry / "samples.npy"
    path.write_bytes(path.read_bytes()[:-1])


def overwrite(path: Path, offset: int, words: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(words)


DAMAGES = {
    "short samples": truncate,
    "long samples": lambda entry: (entry / "samples.npy").write_bytes((entry / "samples.npy").read_bytes() + b"x"),
    "empty samples": lambda entry: (entry / "samples.npy").write_bytes(b""),
    "other samples": lambda entry: np.save(entry / "samples.npy", np.zeros((3, 8, 8, 3), np.uint16)),
    "fewer samples": lambda entry: np.save(entry / "samples.npy", np.zeros((2, 8, 8, 3), np.uint8)),
    "samples without a readable header": lambda entry: overwrite(entry / "samples.npy", 10, b"(((("),
    "no samples": lambda entry: (entry / "samples.npy").unlink(),
    "empty labels": lambda entry: (entry / "labels.npy").write_bytes(b""),
    "short labels": lambda entry: np.save(entry / "labels.npy", np.zeros(2, np.int64)),
    "no labels": lambda entry: (entry / "labels.npy").unlink(),
    "labels beyond the classes": lambda entry: np.save(entry / "labels.npy", np.array([0, 1, 2])),
    "labels below zero": lambda entry: np.save(entry / "labels.npy", np.array([0, -1, 1])),
    "labels of another type": lambda entry: np.save(entry / "labels.npy", np.zeros(3, np.float64)),
    "a class too many": lambda entry: name_classes(entry, ["a", "b", "c"]),
    "a class too few": lambda entry: name_classes(entry, ["a"]),
    "labels that are code": lambda entry: np.save(entry / "labels.npy", np.array([{}]), allow_pickle=True),
    "about that is no JSON": lambda entry: (entry / "about.json").write_text("{"),
    "about that is a list": lambda entry: (entry / "about.json").write_text("[]"),
    "about without a fingerprint": lambda entry: drop(entry, "fingerprint"),
    "about that is a pipe": lambda entry: pipe(entry / "about.json"),
    "about that is nested": lambda entry: (entry / "about.json").write_text("[" * 100_000),
    "about that is endless": lambda entry: os.truncate(entry / "about.json", 1 << 40),
    "samples that are a pipe": lambda entry: pipe(entry / "samples.npy"),
    "labels that are a pipe": lambda entry: pipe(entry / "labels.npy"),
    "labels that are endless": lambda entry: os.truncate(entry / "labels.npy", 1 << 40),
    "a pixel that changed": lambda entry: flip(entry / "samples.npy"),
    "a label that changed": lambda entry: flip(entry / "labels.npy"),
    "no about": lambda entry: (entry / "about.json").unlink(),
}


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def flip(path: Path) -> None:
    """Change the last byte of a file whose size and times stay."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    os.utime(path, ns=times)


def name_classes(entry: Path, names: list[str]) -> None:
    about = json.loads((entry / "about.json").read_text())
    (entry / "about.json").write_text(json.dumps(about | {"classes": names}))


def drop(entry: Path, key: str) -> None:
    about = json.loads((entry / "about.json").read_text())
    del about[key]
    (entry / "about.json").write_text(json.dumps(about))


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_entry_is_said_once_and_made_again(damage, packed, tmp_path, capsys):
    root = pack(tmp_path / "set.zip", FILES) if packed else write(tmp_path / "set", FILES)
    expected = load(root, tmp_path / "cache")
    (entry,) = entries(tmp_path / "cache")
    whole = contents(entry)
    DAMAGES[damage](entry)
    capsys.readouterr()
    store = load(root, tmp_path / "cache")
    assert capsys.readouterr().out.count(f"data.cache: {entry} is damaged (") == 1
    assert store.fingerprint == expected.fingerprint
    assert entries(tmp_path / "cache") == [entry]
    assert contents(entry) == whole
    assert isinstance(load(root, tmp_path / "cache"), MappedStore)
    assert "is damaged (" not in capsys.readouterr().out


def full(*arguments: object) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("step", ["posix_fallocate", "fsync", "replace"])
def test_a_disk_that_is_full_is_said_once_and_the_images_are_decoded_into_memory(
    step, tmp_path, monkeypatch, capsys
):
    root = write(tmp_path / "set", FILES)
    expected = load(root, None)
    capsys.readouterr()
    monkeypatch.setattr(*{"replace": (Path, step)}.get(step, (os, step)), full)
    store = load(root, tmp_path / "cache")
    assert not isinstance(store, MappedStore)
    assert store.fingerprint == expected.fingerprint
    out = capsys.readouterr().out
    assert out.count("\n") == 2
    assert (
        f"data.cache: {tmp_path / 'cache'} cannot be used (No space left on device); decoding into memory" in out
    )
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file() and path.suffix != ".lock"] == []


def test_a_cache_that_cannot_be_made_is_said_and_done_without(tmp_path, capsys):
    root = write(tmp_path / "set", {"a.png": plain(RED)})
    (tmp_path / "file").write_text("in the way")
    assert not isinstance(load(root, tmp_path / "file"), MappedStore)
    assert "file cannot be used (Not a directory); decoding into memory instead\n" in capsys.readouterr().out


@pytest.mark.parametrize(("home", "place"), [("", "~/.cache/ganctl"), ("/somewhere", "/somewhere/ganctl")])
def test_the_systems_own_cache_is_where_it_says(home, place, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", home)
    assert cache_module.cache_folder("auto") == Path(place).expanduser()


def test_a_home_folder_is_understood(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    folder.load(str(write(tmp_path / "set", FILES)), None, Decoding(8, 3, "crop"), 0.5, 1, "~/kept")
    assert len(entries(tmp_path / "kept")) == 1


def interrupt(results: Iterator[object], total: int, what: str) -> Iterator[object]:
    yield next(iter(results))
    raise KeyboardInterrupt


def test_an_interrupted_decoding_leaves_no_half_entry(tmp_path, monkeypatch):
    root = write(tmp_path / "set", FILES)
    with monkeypatch.context() as patch:
        patch.setattr(parallel, "track", interrupt)
        with pytest.raises(KeyboardInterrupt):
            load(root, tmp_path / "cache")
    assert [path.suffix for path in (tmp_path / "cache/pictures").iterdir()] == [".lock"]
    assert isinstance(load(root, tmp_path / "cache"), MappedStore)


def test_what_a_killed_process_left_is_removed_but_not_what_another_is_writing(tmp_path):
    root = write(tmp_path / "set", FILES)
    images = ImageSet(str(root), None, search(str(root), None).files, Decoding(8, 3, "crop"))
    place = tmp_path / "cache/pictures"
    own, dead, alive = (place / f".{name}.tmp" for name in (images.listing, "dead", "alive"))
    for leftover in (own, dead, alive):
        leftover.mkdir(parents=True)
        (leftover / "samples.npy").write_bytes(b"half")
    with FileLock(place / ".alive.lock"):
        load(root, tmp_path / "cache")
        assert (own.exists(), dead.exists(), alive.exists()) == (False, False, True)


def test_a_second_process_waits_for_the_first_and_takes_its_entry(tmp_path, monkeypatch, decoded, capsys):
    root = write(tmp_path / "set", FILES)
    go, ready = tmp_path / "go", tmp_path / "ready"
    code = f"""
import sys, time
from pathlib import Path
from ganctl.data.sources import image_folder as folder
from ganctl.data.decoding import parallel
from ganctl.data.decoding.decode import Decoding
examine = parallel.examine
def slow(file, task, row, alone):
    Path({str(ready)!r}).touch()
    while not Path({str(go)!r}).exists():
        time.sleep(0.01)
    return examine(file, task, row, alone)
parallel.examine = slow
folder.load({str(root)!r}, None, Decoding(8, 3, "crop"), 0.5, 1, {str(tmp_path / "cache")!r})
"""
    first = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    try:
        waits_until(ready)
        monkeypatch.setattr(cache_module, "say", lambda line: (print(line), go.touch()))
        store = load(root, tmp_path / "cache")
    finally:
        go.touch()
        assert first.wait(60) == 0
    assert decoded == []
    assert "waiting for another process that is preparing the same images" in capsys.readouterr().out
    assert store.fingerprint == load(root, None).fingerprint


def test_nothing_is_written_but_below_the_cache(tmp_path):
    root = write(tmp_path / "set", FILES)
    before = contents(tmp_path)
    load(root, tmp_path / "cache")
    kept = {name: value for name, value in contents(tmp_path).items() if Path(name).parts[0] != "cache"}
    assert kept == before


def test_finding_asks_for_no_folder_and_makes_none(tmp_path):
    root = write(tmp_path / "set", FILES)
    images = ImageSet(str(root), None, search(str(root), None).files, Decoding(8, 3, "crop"))
    assert Cache(str(tmp_path / "cache")).find(images) is None
    assert not (tmp_path / "cache").exists()
