"""What an earlier process left: a run is never started over silently, and nothing of it, or of others, deleted."""

import json
import os
import shutil
from pathlib import Path

import pytest

from ganctl.checkpoints.untrusted import read_yaml
from ganctl.loggers.tensorboard import EVENTS
from tests.conftest import TINY, Cli

RUN = Path("outputs/run")
CHECKPOINTS = RUN / "checkpoints"
WORDS = ["train", *TINY, "name=run", "train.steps=2", "checkpoint.every=1", "logging.every=1"]


def logs() -> list[bytes]:
    return [(RUN / name).read_bytes() for name in ("metrics.jsonl", EVENTS)]


def empty() -> None:
    shutil.rmtree(CHECKPOINTS)
    CHECKPOINTS.mkdir()


def link() -> None:
    shutil.rmtree(CHECKPOINTS)
    CHECKPOINTS.symlink_to("/not/mounted")


def old_status() -> None:
    empty()
    (RUN / "run.json").write_text('{"status": "running", "step": 1}')


def lost_status() -> None:
    empty()
    (RUN / "run.json").unlink()


@pytest.mark.parametrize(
    ("lose", "told"),
    [
        (empty, "holds no checkpoint, but run.json tells of one of step 1"),
        (lambda: shutil.rmtree(CHECKPOINTS), "is missing, but run.json tells of one of step 1"),
        (link, "leads to /not/mounted, which is not there"),
        (old_status, "holds no checkpoint, but run.json tells of one of step 1"),
        (lost_status, "holds no checkpoint, but the folder holds what a run logged"),
    ],
)
@pytest.mark.parametrize("way", ["train", "resume"])
def test_a_run_whose_checkpoints_are_gone_is_not_started_over(
    way: str, lose: object, told: str, trained: Path, cli: Cli
) -> None:
    before = logs()
    assert callable(lose)
    lose()
    outcome = cli(*(WORDS if way == "train" else ["resume", str(RUN), "train.steps=2"]))
    assert outcome.code == 4
    assert f"outputs/run/checkpoints: {told}" in outcome.err
    assert "o start over on purpose, move outputs/run away or choose another name=" in outcome.err
    assert logs() == before


def test_checkpoints_that_cannot_be_listed_are_not_taken_for_none(
    trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, listdir = logs(), os.listdir

    def refused(path: object = ".") -> list[str]:
        if str(path).endswith("checkpoints"):
            raise PermissionError(13, "Permission denied", str(path))
        return listdir(path)  # type: ignore[call-overload, no-any-return]

    monkeypatch.setattr(os, "listdir", refused)
    for words in (WORDS, ["resume", str(RUN)], ["sample", f"ckpt={RUN}"]):
        outcome = cli(*words)
        assert outcome.code == 4
        assert "outputs/run/checkpoints: cannot be read (Permission denied)" in outcome.err
    assert logs() == before


@pytest.mark.parametrize("saved", [{"saved": -1}, {}])
def test_a_run_killed_before_its_first_checkpoint_begins_again_and_keeps_what_it_logged(
    saved: dict[str, int], trained: Path, cli: Cli
) -> None:
    before = logs()
    for number in (1, 2):
        empty()
        (RUN / "run.json").write_text(json.dumps({"status": "running", "step": 0, **saved}))
        outcome = cli(*WORDS)
        assert (outcome.code, outcome.err) == (0, "")
        aside = [RUN / f"metrics.earlier-{number}.jsonl", RUN / f"events.earlier-{number}"]
        assert f"kept as {aside[0].name} and {aside[1].name}" in outcome.out
        assert [path.read_bytes() for path in aside] == before
        before = logs()
        rows = [json.loads(line)["step"] for line in (RUN / "metrics.jsonl").read_text().splitlines()]
        assert rows == [1, 2]


def test_a_run_that_has_logged_nothing_begins_again_without_a_word(trained: Path, cli: Cli) -> None:
    empty()
    (RUN / "run.json").write_text('{"process": 1}')
    (RUN / "metrics.jsonl").write_bytes(b"")
    outcome = cli(*WORDS)
    assert (outcome.code, outcome.err) == (0, "")
    assert not list(RUN.glob("*.earlier-*"))


def test_what_was_logged_up_to_a_checkpoint_that_is_gone_is_kept(workspace: Path, cli: Cli) -> None:
    assert cli(*WORDS).code == 0
    before = logs()
    (CHECKPOINTS / "step-00000002.safetensors").unlink()
    outcome = cli(*WORDS)
    assert (outcome.code, outcome.err) == (0, "")
    assert "the checkpoint of step 2 is gone or damaged" in outcome.out
    assert "resumed at step 1" in outcome.out
    assert [(RUN / name).read_bytes() for name in ("metrics.earlier-1.jsonl", "events.earlier-1")] == before


OTHERS = [
    *(".draft.tmp", ".tmpNotes", ".run.json.tmp", "events.out.tfevents.1.mine", "samples/.draft.tmp"),
    *("samples/deep/.draft.tmp", "checkpoints/.tmpNotes1", "checkpoints/.draft.tmp", "notes/.run.json.tmp"),
    "checkpoints/.notes.ganctl-0123456789abcdef.tmp",
]
OURS = [
    *(".run.json.ganctl-0123456789abcdef.tmp", ".config.yaml.ganctl-0123456789abcdef.tmp"),
    "samples/.step-00000001.png.ganctl-0123456789abcdef.tmp",
    "checkpoints/.step-00000001.safetensors.ganctl-0123456789abcdef.tmp/.tmpAb12Cd",
    "checkpoints/.best.safetensors.ganctl-0123456789abcdef.tmp/best.safetensors",
]


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("begin", [False, True], ids=["resumed", "begun again"])
def test_only_what_ganctl_left_half_written_is_removed(linked: bool, begin: bool, trained: Path, cli: Cli) -> None:
    if begin:
        empty()
        (RUN / "run.json").write_text('{"status": "running", "step": 0}')
    for name in ("checkpoints", "samples") if linked else ():
        (RUN / name).rename(trained / name)
        (RUN / name).symlink_to(trained / name)
    for name in (*OTHERS, *OURS):
        (RUN / name).parent.mkdir(exist_ok=True)
        (RUN / name).write_text(name)
    outcome = cli(*WORDS)
    assert (outcome.code, outcome.err) == (0, "")
    assert [name for name in OTHERS if not (RUN / name).is_file() or (RUN / name).read_text() != name] == []
    assert [name for name in OURS if (RUN / name).exists()] == []
    said = f"note    outputs/run/checkpoints leads to {trained / 'checkpoints'}"
    assert (said in outcome.out) == linked


@pytest.mark.parametrize("name", ["a\nb: [", "a b", "it's", "ü", "# x"])
def test_a_folder_of_an_odd_name_goes_on(name: str, trained: Path, cli: Cli) -> None:
    folder = RUN.with_name(name)
    RUN.rename(folder)
    for steps in (2, 3):
        outcome = cli("resume", str(folder), f"train.steps={steps}")
        assert (outcome.code, outcome.err) == (0, "")
        assert f"resumed at step {steps - 1}" in outcome.out
    assert read_yaml(folder / "config.yaml")["train"]["steps"] == 3
    assert cli("sample", "ckpt=latest", "num=1", "device=cpu").code == 0


def test_a_folder_whose_name_is_no_text_is_told_so(trained: Path, cli: Cli) -> None:
    folder = Path(os.fsdecode(b"outputs/r\xff"))
    RUN.rename(folder)
    outcome = cli("resume", str(folder), "train.steps=2")
    assert outcome.code == 4
    assert "its name is not UTF-8, which safetensors needs; rename it" in outcome.err
