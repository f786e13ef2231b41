"""Plugins: found in the current folder, told apart by their source, and named where they are missing."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganctl import plugins
from ganctl.checkpoints import file as checkpoint
from ganctl.config import ONE_OF, SEVERAL_OF
from ganctl.losses import LOSSES
from ganctl.metrics import EXTRACTORS
from tests.conftest import TINY, Cli

LOSS = """
from typing import Literal
from ganctl.losses import LOSSES, Hinge

@LOSSES.register
class Mine(Hinge):
    name: Literal["mine"]
"""
WORDS = [*TINY, "--config-dir", "configs", "loss=mine", "name=run"]
RUN = Path("outputs/run")


def forget() -> None:
    LOSSES._classes.pop("mine", None)
    for name in [name for name in sys.modules if name.partition(".")[0] == "my_losses"]:
        del sys.modules[name]


@pytest.fixture(autouse=True)
def _here(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Work in a folder with a plugin, which is on no path, as for the installed command."""
    (workspace / "my_losses.py").write_text(LOSS)
    (workspace / "configs/loss").mkdir(parents=True)
    (workspace / "configs/loss/mine.yaml").write_text("name: mine\n")
    monkeypatch.setattr(sys, "path", [place for place in sys.path if place])
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    forget()


def edited(addition: str = "\n# another line\n") -> None:
    forget()
    Path("my_losses.py").write_text(LOSS + addition)


def test_the_current_folder_is_looked_in_last_and_only_where_plugins_are_named() -> None:
    before = list(sys.path)
    plugins.import_plugins([])
    assert sys.path == before
    plugins.import_plugins(["my_losses"])
    assert sys.path == [*before, os.getcwd()]
    plugins.import_plugins(["my_losses"])
    assert sys.path == [*before, os.getcwd()]


def test_the_installed_command_finds_a_plugin_in_the_current_folder(workspace: Path) -> None:
    code = "from ganctl.cli import entry_point; entry_point()"
    root = str(Path(__file__).parents[1])
    (workspace / "bin").mkdir()
    (workspace / "bin/ganctl").write_text(code)
    process = subprocess.run(
        [sys.executable, "bin/ganctl", "train", *WORDS, "plugins=[my_losses]"],
        env=os.environ | {"PYTHONPATH": root, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stderr) == (0, "")


def test_every_command_finds_a_plugin_in_the_current_folder(cli: Cli) -> None:
    calls = [
        ["train", *WORDS],
        ["resume", str(RUN), "train.steps=2"],
        ["sample", f"ckpt={RUN}", "num=2"],
        ["evaluate", f"ckpt={RUN}", "num=4", "metric=[fid]", "metric/features=raw", "floor=false"],
    ]
    for words in calls:
        forget()
        sys.path = [place for place in sys.path if place != os.getcwd()]
        outcome = cli(*words, "plugins=[my_losses]")
        assert (outcome.code, outcome.err) == (0, ""), words


def test_an_edited_plugin_is_said_of_a_complete_run_and_recorded_when_it_goes_on(cli: Cli) -> None:
    words = [*WORDS, "plugins=[my_losses]"]
    assert cli("train", *words).code == 0
    outcome = cli("train", *words)
    assert "is complete" in outcome.out
    assert "plugins" not in outcome.out
    edited()
    outcome = cli("train", *words)
    assert "is complete" in outcome.out
    assert "note    plugins: not the source that it was trained with: my_losses;" in outcome.out
    outcome = cli("resume", str(RUN), "plugins=[my_losses]", "train.steps=2")
    assert re.search(r"not bit-exact from step 1 on: plugin my_losses \w{12} → \w{12}\n", outcome.out)
    header = checkpoint.read_header(RUN / "checkpoints/step-00000002.safetensors").header
    assert [change.from_step for change in header.inexact] == [1]
    assert "plugin my_losses" in header.inexact[0].because


def test_a_run_with_an_unchanged_plugin_stays_exact(cli: Cli) -> None:
    assert cli("train", *WORDS, "plugins=[my_losses]").code == 0
    forget()
    outcome = cli("resume", str(RUN), "plugins=[my_losses]", "train.steps=2")
    assert outcome.code == 0
    assert "not bit-exact" not in outcome.out


def test_a_missing_plugin_is_named_and_nothing_is_called_damaged(cli: Cli) -> None:
    words = [*WORDS, "plugins=[my_losses]", "train.steps=3", "checkpoint.every=1", "checkpoint.keep=3"]
    assert cli("train", *words).code == 0
    forget()
    told = "loss.name 'mine' is none of ganctl's own; it comes from a plugin: add plugins=[my_losses]"
    evaluation = ["num=4", "metric=[fid]", "metric/features=raw"]
    for call in (
        ["sample", f"ckpt={RUN}"],
        ["sample", f"ckpt={RUN}/checkpoints/step-00000003.safetensors"],
        ["evaluate", f"ckpt={RUN}", *evaluation],
        ["resume", str(RUN)],
        ["train", *TINY, "name=run"],
    ):
        outcome = cli(*call)
        assert (outcome.code, outcome.err.count("\n")) == (4, 1), call
        assert told in outcome.err, call
        assert "damaged" not in outcome.err + outcome.out, call
    assert "my_losses" not in sys.modules
    assert "resume outputs/run plugins=[my_losses]" in (RUN / "config.yaml").read_text()


def test_a_name_of_no_plugin_that_a_stranger_wrote_is_not_told(cli: Cli) -> None:
    assert plugins.named_in({"plugin a.b": "", "plugin x; rm": "", "plugin ": "", "torch": "2"}) == ["a.b"]


@pytest.mark.parametrize("name", ["my_losses", "my_losses.first"])
def test_every_file_of_a_package_counts(name: str) -> None:
    Path("my_losses.py").unlink()
    Path("my_losses/deep").mkdir(parents=True)
    for file in ("__init__.py", "first.py", "deep/__init__.py", "deep/more.py"):
        (Path("my_losses") / file).write_text("")
    seen = set()
    for file in ("__init__.py", "first.py", "deep/more.py", "deep/data.txt"):
        (Path("my_losses") / file).write_text("# more\n")
        forget()
        plugins.import_plugins([name])
        seen |= set(plugins.sources([name]).values())
    assert len(seen) == 3


def test_what_is_imported_counts_and_not_what_the_file_says_later() -> None:
    plugins.import_plugins(["my_losses"])
    before = plugins.sources(["my_losses"])
    Path("my_losses.py").write_text("raise SystemExit")
    assert plugins.sources(["my_losses"]) == before


EXAMPLES = Path(__file__).parents[1] / "docs" / "plugins"
PAGE = EXAMPLES.with_suffix(".md")
USED = {
    "my_loss": ["loss=pearson"],
    "my_penalty": ["penalty=[steepest]"],
    "my_auxiliary": ["auxiliary=[spread]"],
    "my_augment": ["augment=[instance_noise]", "data=digits"],
    "my_model": ["model=two_layers"],
    "my_optimizer": ["optimizer=nadam"],
    "my_data": ["data=moons"],
    "my_metric": ["metric=[mean_distance]", "metric/features=raw", "evaluate.every=2", "evaluate.num=8"],
    "my_log": ["logs=[jsonl,losses]"],
    "my_features": ["metric=[fid]", "metric/features=outline", "evaluate.every=2", "evaluate.num=8"],
}
FAMILIES = [*ONE_OF, *SEVERAL_OF, EXTRACTORS]


def test_there_is_an_example_of_each_family() -> None:
    assert {path.stem for path in EXAMPLES.glob("*.py")} == USED.keys()
    assert len(USED) == len(FAMILIES)
    assert all(f"plugins/{path.name}" in PAGE.read_text() for path in EXAMPLES.glob("*.py"))
    assert (EXAMPLES / "my_loss.py").read_text().partition("\n\n")[2].replace("\n", "") in re.sub(
        r"\n( {3})?", "", (PAGE.parents[1] / "CONTRIBUTING.md").read_text()
    )


@pytest.fixture
def examples(workspace: Path) -> Iterator[None]:
    """Work in a folder of the examples, whose names the tables forget afterwards."""
    shutil.copytree(EXAMPLES, workspace, dirs_exist_ok=True, ignore=shutil.ignore_patterns("outputs"))
    before = [dict(family._classes) for family in FAMILIES]
    yield
    for family, known in zip(FAMILIES, before, strict=True):
        family._classes = known
    for module in USED:
        sys.modules.pop(module, None)


@pytest.mark.usefixtures("examples")
def test_the_commands_of_the_page_run(cli: Cli) -> None:
    lines = [line for line in PAGE.read_text().splitlines() if line.startswith("ganctl ")]
    assert len(lines) == 3
    for line in lines:
        words = line.replace("=2000", "=2").split()[1:]
        outcome = cli(*words, *(TINY if words[0] == "train" else []))
        assert (outcome.code, outcome.err) == (0, ""), line


@pytest.mark.usefixtures("examples")
@pytest.mark.parametrize("module", USED)
def test_an_example_trains_and_goes_on(module: str, cli: Cli) -> None:
    before = [set(family) for family in FAMILIES]
    groups = {"train", *(word.partition("=")[0] for word in USED[module])}
    words = [word for word in TINY if word.partition("=")[0].partition(".")[0] not in groups]
    words += ["train.batch_size=4", "--config-dir", "configs", *USED[module], "name=run", f"plugins=[{module}]"]
    outcome = cli("train", *words, "train.steps=2")
    assert (outcome.code, outcome.err) == (0, "")
    assert [len(set(family) - known) for family, known in zip(FAMILIES, before, strict=True)].count(1) == 1
    outcome = cli("resume", str(RUN), f"plugins=[{module}]", "train.steps=4")
    assert (outcome.code, outcome.err) == (0, "")
    assert "resumed at step 2" in outcome.out
    assert "not bit-exact" not in outcome.out
    assert "passed over" not in outcome.out
