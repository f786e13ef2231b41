"""Which run a user means: a folder, a name below outputs, `latest`, a file."""

import os
from pathlib import Path

import pytest

from ganctl.errors import CheckpointError
from ganctl.folders.find import find_run, point_latest
from tests.conftest import TINY, Cli

RUN = Path("outputs/run")


@pytest.mark.parametrize("word", ["run", "outputs/run", "./outputs/run/", "latest", "outputs/latest"])
def test_a_run_is_found_by_any_of_its_names(word: str, trained: Path) -> None:
    assert find_run(word) == RUN


def test_a_file_is_returned_as_it_is(trained: Path) -> None:
    file = RUN / "checkpoints/step-00000001.safetensors"
    assert find_run(str(file)) == file


def test_a_run_goes_before_another_folder_of_the_name(trained: Path) -> None:
    Path("run").mkdir()
    assert find_run("run") == RUN


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("rum", r"rum: no run folder \(neither here nor below outputs/\) \(did you mean 'run'\?\)"),
        ("outputs/rum", r"outputs/rum: no run folder \(it has no config.yaml\) \(did you mean 'run'\?\)"),
        ("a.safetensors", "a.safetensors: does not exist"),
    ],
)
def test_what_is_not_there_is_told_the_nearest_run(word: str, told: str, trained: Path) -> None:
    with pytest.raises(CheckpointError, match=told):
        find_run(word)


def test_latest_is_the_run_of_the_last_command_also_if_that_was_complete(trained: Path, cli: Cli) -> None:
    assert cli("train", *TINY, "name=second").code == 0
    assert find_run("latest").name == "second"
    assert cli("train", *TINY, "name=run").code == 0
    assert find_run("latest").name == "run"
    outcome = cli("sample", "ckpt=outputs/latest", "num=2", "device=cpu")
    assert outcome.code == 0
    assert "outputs/run/samples" in outcome.out
    assert cli("resume", "latest").code == 0


def test_latest_is_also_a_run_that_is_named_from_within(
    trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("outputs/.latest").unlink()
    monkeypatch.chdir(RUN)
    assert cli("resume", ".").code == 0
    monkeypatch.chdir(trained)
    assert find_run("latest") == RUN


def test_no_link_among_the_runs_is_made_and_only_one_of_ours_removed(trained: Path, cli: Cli) -> None:
    link = Path("outputs/latest")
    assert not os.path.lexists(link)
    link.symlink_to("run")
    assert find_run("outputs/latest").resolve() == RUN.resolve()
    point_latest(RUN)
    assert not os.path.lexists(link)
    for target in (trained / "outputs/run", Path("../elsewhere/run")):
        link.symlink_to(target)
        point_latest(RUN)
        assert link.readlink() == target
        link.unlink()


@pytest.mark.parametrize("content", [b"", b"../..\n", b"gone\n", b"a\0b\n", b"x" * 5000])
def test_a_damaged_or_stale_word_for_the_latest_run_is_an_error(content: bytes, trained: Path) -> None:
    Path("outputs/.latest").write_bytes(content)
    with pytest.raises(CheckpointError, match="outputs/latest: "):
        find_run("outputs/latest")
