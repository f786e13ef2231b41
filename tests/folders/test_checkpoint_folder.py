"""Which checkpoints stay."""

from pathlib import Path

from tests.conftest import TINY, Cli

WORDS = ["train", *TINY, "name=run", "checkpoint.every=1"]


def kept() -> list[int]:
    return sorted(int(path.stem.removeprefix("step-")) for path in Path("outputs/run/checkpoints").glob("step-*"))


def test_what_was_once_to_be_kept_stays_when_that_is_forgotten_and_it_is_said(workspace: Path, cli: Cli) -> None:
    assert cli(*WORDS, "train.steps=5", "checkpoint.keep=100").code == 0
    outcome = cli(*WORDS, "train.steps=8")
    assert outcome.code == 0
    assert kept() == [1, 2, 3, 4, 5, 7, 8]
    told = "more checkpoints stay than checkpoint.keep=2 asks for, written under checkpoint.keep=100"
    assert outcome.out.count(told) == 1
    assert cli(*WORDS, "train.steps=9").out.count(told) == 1
    assert kept() == [1, 2, 3, 4, 5, 8, 9]


def test_the_newest_and_every_so_many_steps_are_kept(workspace: Path, cli: Cli) -> None:
    outcome = cli(*WORDS, "train.steps=8", "checkpoint.keep=1", "checkpoint.keep_every=3")
    assert outcome.code == 0
    assert kept() == [3, 6, 8]
    assert " stay" not in outcome.out
    assert cli(*WORDS, "train.steps=10").code == 0
    assert kept() == [3, 6, 9, 10]


def test_keeping_less_from_the_start_says_nothing(workspace: Path, cli: Cli) -> None:
    outcome = cli(*WORDS, "train.steps=4")
    assert kept() == [3, 4]
    assert "note" not in outcome.out
