"""How a command ends: by a signal, a failing system call, a lack of memory, or a programmer's mistake."""

import signal
from collections.abc import Callable
from typing import Any

import pytest

from ganctl.cli import COMMANDS
from ganctl.errors import Stopped
from tests.conftest import Cli, Outcome


def reading(read: Callable[[list[str]], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let another function read the words of `ganctl train`."""
    monkeypatch.setitem(COMMANDS, "train", COMMANDS["train"]._replace(read=read))


@pytest.mark.parametrize(
    ("end", "code", "told"),
    [(Stopped(signal.SIGTERM), 143, "SIGTERM"), (KeyboardInterrupt(), 130, "SIGINT")],
)
def test_a_signal_is_one_line_and_128_more_than_its_number(
    end: BaseException, code: int, told: str, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    def stop(words: list[str]) -> tuple[str, list[str]]:
        raise end

    reading(stop, monkeypatch)
    assert cli("train") == Outcome(code, "", f"ganctl: stopped by {told}\n")


def test_a_failing_system_call_is_one_line_that_names_the_file(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    def fail(words: list[str]) -> tuple[str, list[str]]:
        raise PermissionError(13, "Permission denied", "somewhere/metrics.jsonl")

    reading(fail, monkeypatch)
    assert cli("train") == Outcome(2, "", "ganctl: somewhere/metrics.jsonl: Permission denied\n")


def test_a_programmers_mistake_is_not_dressed_up_as_a_users(monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    def fail(words: list[str]) -> tuple[str, list[str]]:
        raise AssertionError("two of loss named hinge")

    reading(fail, monkeypatch)
    with pytest.raises(AssertionError, match="two of loss"):
        cli("train")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        RuntimeError("Storage size calculation overflowed with sizes=[256, 9223372036854775807]"),
        RuntimeError("IntArrayRef contains an int that cannot be represented as a SymInt: -9223372036854775808"),
    ],
)
def test_running_out_of_memory_is_one_line_that_says_what_to_lower(
    error: Exception, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    def fail(words: list[str]) -> tuple[str, list[str]]:
        raise error

    reading(fail, monkeypatch)
    outcome = cli("train")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "train.batch_size" in outcome.err
