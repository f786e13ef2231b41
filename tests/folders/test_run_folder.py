"""A run folder that something, or someone, has damaged: what is used instead, and what is refused."""

import json
import os
from pathlib import Path

import pytest

from ganctl.errors import CheckpointError
from ganctl.folders.run_folder import RunFolder
from tests.conftest import TINY, Cli

RUN = Path("outputs/run")
DAMAGE = {
    "missing": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "no YAML": lambda path: path.write_bytes(b"model: [" + path.read_bytes()),
    "not UTF-8": lambda path: path.write_bytes(b"\xff" + path.read_bytes()),
    "half": lambda path: path.write_bytes(path.read_bytes()[:7]),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", [name for name in DAMAGE if name != "a folder"])
@pytest.mark.parametrize("way", ["train", "resume"])
def test_a_run_whose_config_is_lost_goes_on_with_its_newest_checkpoints(
    way: str, damage: str, trained: Path, cli: Cli
) -> None:
    good = (RUN / "config.yaml").read_bytes()
    DAMAGE[damage](RUN / "config.yaml")
    words = ["train", *TINY, "name=run"] if way == "train" else ["resume", str(RUN)]
    words = [*(word for word in words if not word.startswith("train.steps")), "train.steps=2"]
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (0, "")
    assert "resumed at step 1" in outcome.out
    assert ("config.yaml: " in outcome.out) == (way == "resume" or damage != "missing")
    assert (RUN / "config.yaml").read_bytes() == good.replace(b"steps: 1\n", b"steps: 2\n")


def test_without_checkpoints_a_lost_config_is_an_error(trained: Path, cli: Cli) -> None:
    for path in (RUN / "checkpoints").iterdir():
        path.unlink()
    (RUN / "config.yaml").write_text("[")
    for words in (["train", *TINY, "name=run"], ["resume", str(RUN)]):
        outcome = cli(*words)
        assert outcome.code == 4
        assert outcome.err.startswith("ganctl: outputs/run/config.yaml: cannot be read (")


@pytest.mark.parametrize(
    "name",
    ["metrics.jsonl", "run.log", ".lock", "run.json", ".run.json.tmp", "events.out.tfevents.1.x", "samples/a.png"],
)
def test_a_link_in_place_of_what_is_written_is_refused_and_what_it_leads_to_kept(
    name: str, trained: Path, cli: Cli
) -> None:
    target = trained / "precious"
    target.write_text("precious")
    (RUN / name).unlink(missing_ok=True)
    (RUN / name).symlink_to(target)
    outcome = cli("resume", str(RUN), "train.steps=2")
    assert outcome.code == 4
    assert f"outputs/run/{name}: a link" in outcome.err
    assert target.read_text() == "precious"


def test_checkpoints_and_samples_may_lie_on_another_disk(trained: Path, cli: Cli) -> None:
    for name in ("checkpoints", "samples"):
        (RUN / name).rename(trained / name)
        (RUN / name).symlink_to(trained / name)
    assert cli("resume", str(RUN), "train.steps=2").code == 0
    assert (trained / "checkpoints/step-00000002.safetensors").exists()


@pytest.mark.parametrize("text", ["[" * 100_000, "{", "[1]", "null", " " * (2 << 20) + "{}"], ids=len)
def test_a_status_that_is_no_status_says_nothing(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    assert RunFolder(tmp_path).read_status() == {}


def test_a_status_that_is_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "run.json")
    assert RunFolder(tmp_path).read_status() == {}
    with (
        pytest.raises(CheckpointError, match=r"run\.json: a link or no"),
        RunFolder(tmp_path).locked(),
    ):
        pass


def test_a_config_that_no_saved_config_could_be_names_its_key(trained: Path, cli: Cli) -> None:
    text = (RUN / "config.yaml").read_text()
    for line, told in {
        "_target_: os.system": "config: '_target_' can be no key of a config",
        "more: ${oc.env:HOME}": "more: an interpolation, which a saved config never holds",
        "plugins: [os]": "plugins: no file may name modules to import",
        "stepz: 3": "its config cannot be used here: stepz: unknown key",
    }.items():
        (RUN / "config.yaml").write_text(f"{text}{line}\n")
        outcome = cli("resume", str(RUN))
        assert outcome.code == 4
        assert f"outputs/run/config.yaml: {told}" in outcome.err


def test_a_folder_named_as_a_checkpoint_is_never_removed(trained: Path, cli: Cli) -> None:
    (RUN / "checkpoints/step-00000000.safetensors").mkdir()
    assert cli("resume", str(RUN), "train.steps=3", "checkpoint.keep=1").code == 0
    assert (RUN / "checkpoints/step-00000000.safetensors").is_dir()
    assert json.loads((RUN / "run.json").read_text())["status"] == "complete"


def test_a_file_that_its_process_renames_meanwhile_is_not_taken_for_a_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    found = Path.glob
    monkeypatch.setattr(Path, "glob", lambda self, pattern: [*found(self, pattern), self / ".run.json.tmp"])
    with folder.locked():
        assert folder.read_status()["process"] == os.getpid()
