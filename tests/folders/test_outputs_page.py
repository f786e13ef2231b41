"""The page in outputs/ is there in a checkout, and no command takes it for a run."""

import csv
import shutil
import subprocess
from pathlib import Path

import pytest

from ganctl.errors import CheckpointError
from ganctl.folders.find import find_run
from tests.conftest import TINY, Cli

PAGE = Path(__file__).parent.parent.parent / "outputs/README.md"


@pytest.fixture
def beside_the_page(trained: Path) -> Path:
    """Work in a folder whose outputs/ holds the page and a trained run, run."""
    shutil.copy(PAGE, trained / "outputs")
    return trained


def test_git_knows_the_page_and_ignores_everything_else() -> None:
    root = PAGE.parent.parent
    if not (root / ".git").exists():
        assert PAGE.read_text().startswith("# What appears here\n")
        return
    asked = ["outputs/README.md", "outputs/.latest", "outputs/run/config.yaml", "outputs/run/README.md"]
    ignored = subprocess.run(["git", "check-ignore", *asked], cwd=root, capture_output=True, text=True, check=True)
    assert ignored.stdout.splitlines() == asked[1:]
    assert len(PAGE.read_text().splitlines()) == 5


@pytest.mark.parametrize("word", ["README.md", "README", "READM.md"])
def test_the_page_is_neither_a_run_nor_the_nearest_name_of_one(word: str, beside_the_page: Path) -> None:
    for typed in (word, f"outputs/{word}".replace("README.md", "README.m")):
        with pytest.raises(CheckpointError, match="no run folder") as refused:
            find_run(typed)
        assert "did you mean" not in str(refused.value)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["resume", "outputs/README.md"], 4),
        (["sample", "outputs/README.md"], 4),
        (["evaluate", "README.md"], 4),
        (["train", *TINY, "name=README.md"], 2),
    ],
)
def test_a_command_refuses_the_page_in_one_line_and_leaves_it(
    words: list[str], code: int, beside_the_page: Path, cli: Cli
) -> None:
    outcome = cli(*words)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert (beside_the_page / "outputs/README.md").read_bytes() == PAGE.read_bytes()


def test_latest_and_sweeps_pass_the_page_over(beside_the_page: Path, cli: Cli) -> None:
    outputs = beside_the_page / "outputs"
    assert find_run("latest") == Path("outputs/run")
    (outputs / ".latest").write_text("README.md\n")
    with pytest.raises(CheckpointError, match="no longer there"):
        find_run("latest")
    assert cli("train", *TINY, "-m", "seed=1,2").code == 0
    (table,) = outputs.glob("sweep-*/sweep.csv")
    assert len({row["folder"] for row in csv.DictReader(table.read_text().splitlines())}) == 2
    assert (outputs / "README.md").read_bytes() == PAGE.read_bytes()
