"""Plugins are imported for a run when the command line names them, and never for names in its files."""

import copy
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganctl.checkpoints import file as checkpoint
from ganctl.errors import ConfigError
from ganctl.folders.run_folder import RunFolder
from ganctl.losses import LOSSES
from ganctl.plugins import import_plugins
from tests.conftest import TINY, Cli

PLUGIN = """
from pathlib import Path
from typing import Literal
from ganctl.losses import LOSSES, Loss, Hinge

Path("imported").touch()

@LOSSES.register
class Mine(Hinge):
    name: Literal["mine"]
"""


@pytest.fixture
def plugin(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A module of the user's own that registers a loss, and says when it is imported."""
    (workspace / "my_losses.py").write_text(PLUGIN)
    (workspace / "configs/loss").mkdir(parents=True)
    (workspace / "configs/loss/mine.yaml").write_text("name: mine\n")
    monkeypatch.syspath_prepend(workspace)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield "my_losses"
    LOSSES._classes.pop("mine", None)
    sys.modules.pop("my_losses", None)


def test_a_plugin_named_on_the_command_line_adds_a_loss(plugin: str, workspace: Path, cli: Cli) -> None:
    words = [*TINY, "--config-dir", "configs", "loss=mine", "name=run"]
    outcome = cli("train", *words)
    assert (outcome.code, (workspace / "imported").exists()) == (2, False)
    assert "loss: unknown name 'mine'" in outcome.err
    outcome = cli("train", *words, f"plugins=[{plugin}]")
    assert (outcome.code, outcome.err) == (0, "")
    assert "plugins" not in RunFolder(workspace / "outputs/run").saved_config()


def test_a_run_with_a_plugin_is_sampled_with_that_plugin(plugin: str, workspace: Path, cli: Cli) -> None:
    words = [*TINY, "--config-dir", "configs", "loss=mine", "name=run"]
    assert cli("train", *words, f"plugins=[{plugin}]").code == 0
    LOSSES._classes.pop("mine")
    sys.modules.pop(plugin)
    outcome = cli("sample", "ckpt=outputs/run", "num=2")
    assert outcome.code == 4
    assert "loss.name 'mine' is none of ganctl's own; it comes from a plugin" in outcome.err
    assert cli("sample", "ckpt=outputs/run", "num=2", f"plugins=[{plugin}]").code == 0


def test_resume_imports_a_plugin_only_when_the_command_line_names_it(
    plugin: str, workspace: Path, cli: Cli
) -> None:
    words = [*TINY, "--config-dir", "configs", "loss=mine", "name=run"]
    assert cli("train", *words, f"plugins=[{plugin}]").code == 0
    LOSSES._classes.pop("mine")
    sys.modules.pop(plugin)
    (workspace / "imported").unlink()
    outcome = cli("resume", "outputs/run", "train.steps=2")
    assert (outcome.code, (workspace / "imported").exists()) == (4, False)
    assert "loss.name 'mine' is none of ganctl's own; it comes from a plugin" in outcome.err
    outcome = cli("resume", "outputs/run", "train.steps=2", f"plugins=[{plugin}]")
    assert (outcome.code, outcome.err) == (0, "")


@pytest.mark.parametrize("source", ["class", "1 / 0", "import no_such_module"])
def test_a_plugin_that_fails_is_one_line_that_names_it(
    source: str, plugin: str, workspace: Path, cli: Cli
) -> None:
    (workspace / f"{plugin}.py").write_text(source)
    outcome = cli("train", *TINY, f"plugins=[{plugin}]")
    assert outcome.code == 2
    assert re.fullmatch(rf"ganctl: plugins: {plugin} cannot be imported \(\w+: .+\)\n", outcome.err)
    assert not (workspace / "outputs").exists()


@pytest.mark.parametrize("names", ["math", None, [1], ["math", None], {"math": 1}], ids=repr)
def test_plugins_are_a_list_of_modules(names: Any) -> None:
    with pytest.raises(ConfigError, match=r"^plugins: must be a list of modules"):
        import_plugins(names)


@pytest.mark.parametrize("name", [".relative", "", "no.such.module"])
def test_a_plugin_that_is_no_module_is_told(name: str) -> None:
    with pytest.raises(ConfigError, match=f"^plugins: {re.escape(name)} cannot be imported"):
        import_plugins(["math", name])


def test_no_config_in_a_run_folder_imports_anything(plugin: str, trained: Path, cli: Cli) -> None:
    saved = trained / "outputs/run/config.yaml"
    saved.write_text(saved.read_text() + f"plugins: [{plugin}]\n")
    for words in (("train", *TINY, "name=run"), ("resume", "outputs/run", "train.steps=2")):
        outcome = cli(*words)
        assert outcome.code == 4
        assert "outputs/run/config.yaml: plugins: no file may name modules to import" in outcome.err
    assert not (trained / "imported").exists()


def test_no_config_in_a_checkpoint_imports_anything(plugin: str, trained: Path, cli: Cli) -> None:
    good = next(RunFolder(trained / "outputs/run").checkpoints.intact())
    header = copy.deepcopy(good.header)
    header.config["plugins"] = [plugin]
    checkpoint.write(trained / "strange.safetensors", header, good.read())
    outcome = cli("sample", "ckpt=strange.safetensors", "num=2", "device=cpu")
    assert outcome.code == 4
    assert "plugins: no file may name modules to import" in outcome.err
    assert not (trained / "imported").exists()
    assert plugin not in sys.modules
