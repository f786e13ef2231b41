"""Files that are whole or absent, and the names under which they are unfinished."""

import os
from pathlib import Path

import pytest

from ganctl.runtime.disk import intended, make_folder, temporary, write_whole


@pytest.mark.parametrize("name", ["run.json", "a b", "a\nb", ".lock", "x.tmp"])
def test_temporary_names_differ_and_tell_what_they_are_for(name: str, tmp_path: Path) -> None:
    names = [temporary(tmp_path / name) for _ in range(2)]
    assert names[0] != names[1]
    assert [intended(path) for path in names] == [name, name]
    assert {path.parent for path in names} == {tmp_path}


@pytest.mark.parametrize(
    "name", [".draft.tmp", ".tmpNotes", ".run.json.tmp", "run.json", ".a.ganctl-12.tmp", ".tmp"]
)
def test_names_of_others_are_no_temporary_names(name: str) -> None:
    assert intended(Path(name)) is None


def test_folders_are_made_durable_each_in_the_one_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []
    whole = os.fsync
    monkeypatch.setattr(os, "fsync", lambda handle: (synced.append(os.fstat(handle).st_ino), whole(handle)))
    make_folder(tmp_path / "outputs" / "run")
    assert synced == [tmp_path.stat().st_ino, (tmp_path / "outputs").stat().st_ino]
    make_folder(tmp_path / "outputs" / "run")
    assert len(synced) == 2


def test_two_writers_of_one_file_do_not_meet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "evaluation.json"
    replace = Path.replace

    def meanwhile(unfinished: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        write_whole(path, b"second")
        return replace(unfinished, target)

    monkeypatch.setattr(Path, "replace", meanwhile)
    write_whole(path, b"first")
    assert path.read_bytes() == b"first"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
