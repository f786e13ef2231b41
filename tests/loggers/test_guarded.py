"""A log that fails: reported once, and the run goes on to the same weights, at its own pace."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest

from ganctl.checkpoints.file import read_header
from ganctl.loggers import LOGGERS, Log, LoggedRun, Logger
from ganctl.loggers.parts import guarded
from ganctl.loggers.parts.guarded import open_log
from tests.conftest import TINY, Cli
from tests.loggers.logged import RUN, logged_run

METHODS = ("open", "begin", "config", "scalars", "image", "best", "mark", "close")
ENDS = ("open", "scalars", "close")
WORDS = [
    *("train", *TINY, "name=run", "train.steps=6", "logging.every=1", "sample.every=2", "sample.num=2"),
    *("evaluate.every=3", "evaluate.num=8", "metric/features=raw", "metric=[fid]"),
]
MINE = "+logs.mine={name: failing}"


class Failing(Log):
    """A log one of whose methods fails, or takes its time."""

    name: Literal["failing"]

    method: ClassVar[str] = ""
    error: ClassVar[Exception] = RuntimeError("the server is gone\nand more")
    calls: ClassVar[list[str]] = []

    def open(self, run: LoggedRun) -> Logger:
        if self.method == "open":
            raise self.error
        return Opened()


class Opened(Logger):
    """Notes what is called, and fails where it is told to."""

    def _called(self, name: str) -> None:
        Failing.calls.append(name)
        if Failing.method == name:
            raise Failing.error
        if Failing.method == "slow":
            time.sleep(0.3)

    def begin(self, run: LoggedRun) -> None:
        self._called("begin")
        super().begin(run)

    def config(self, run: LoggedRun) -> None:
        self._called("config")

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        self._called("scalars")

    def image(self, step: int, png: bytes, size: tuple[int, int]) -> None:
        self._called("image")

    def best(self, step: int, name: str, value: float) -> None:
        assert (step in (3, 6), name) == (True, "fid/fid")
        self._called("best")

    def mark(self) -> dict[str, int]:
        self._called("mark")
        return {"mine": 3}

    def close(self, status: str) -> None:
        self._called("close")


@pytest.fixture(autouse=True)
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    LOGGERS.register(Failing)
    for name, value in {"calls": [], "method": "", "distant": False, "file": ""}.items():
        monkeypatch.setattr(Failing, name, value)
    yield lambda **values: [monkeypatch.setattr(Failing, name, value) for name, value in values.items()]
    del LOGGERS._classes["failing"]


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Return the tensors of the run without such a log."""
    from ganctl.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("undisturbed"))
        assert main(WORDS) == 0
        return read_header(RUN / "checkpoints/step-00000006.safetensors").tensors


@pytest.mark.parametrize(
    ("method", "distant"), [*((each, False) for each in METHODS), *((each, True) for each in ENDS)]
)
def test_it_is_reported_once_and_changes_nothing(
    method: str, distant: bool, weights: dict[str, list[Any]], workspace: Path, cli: Cli, failing: Any
) -> None:
    failing(method=method, distant=distant)
    outcome = cli(*WORDS, MINE)
    assert (outcome.code, outcome.err) == (0, "")
    (told,) = [line for line in outcome.out.splitlines() if line.startswith("logs.mine")]
    assert told.startswith("logs.mine: failed (RuntimeError: the server is gone); the run goes on without it, and")
    assert "done: 6 steps" in outcome.out
    assert Failing.calls.count(method) == (method != "open")
    assert read_header(RUN / "checkpoints/step-00000006.safetensors").tensors == weights
    assert told in (RUN / "run.log").read_text()


def test_a_good_one_is_told_everything_and_what_it_records_is_in_the_checkpoint(
    workspace: Path, cli: Cli, failing: Any
) -> None:
    assert cli(*WORDS, MINE).code == 0
    assert Failing.calls[:2] == ["begin", "config"]
    assert Failing.calls[-1] == "close"
    assert Failing.calls.count("scalars") == 8
    assert Failing.calls.count("image") == 3
    assert "best" in Failing.calls
    assert read_header(RUN / "checkpoints/step-00000006.safetensors").header.logs["mine"] == 3


def test_a_slow_one_delays_no_step_and_the_end_only_for_a_while(
    workspace: Path, cli: Cli, failing: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(method="slow", distant=True)
    monkeypatch.setattr(guarded, "LONGEST_CLOSE", 0.2)
    began = time.monotonic()
    outcome = cli(*WORDS, MINE)
    assert time.monotonic() - began < 0.3 * len(Failing.calls) + 2
    assert len(Failing.calls) < 8
    assert "logs.mine: failed (not all was sent within 0 seconds of the end)" in outcome.out
    assert outcome.code == 0


def test_one_that_does_not_keep_up_is_given_up(
    tmp_path: Path, failing: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(method="slow", distant=True)
    monkeypatch.setattr(guarded, "MOST_WAITING", 3)
    log = open_log("mine", Failing(name="failing"), logged_run(tmp_path))
    for step in range(20):
        log.scalars(step, {"loss": 1.0})
    log.close("complete")
    told = capsys.readouterr().out
    assert told.count("logs.mine: failed (3 lines wait for it)") == told.count("\n") == 1


@pytest.mark.parametrize("method", ["open", "scalars", "mark"])
def test_a_file_that_the_disk_fails_stops_the_run_from_which_it_goes_on(
    method: str, workspace: Path, cli: Cli, failing: Any
) -> None:
    failing(method=method, error=OSError(28, "No space left on device"), file="mine")
    outcome = cli(*WORDS, MINE)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "No space left on device); make room on the disk" in outcome.err
    failing(method="")
    outcome = cli(*WORDS, MINE)
    assert (outcome.code, outcome.err) == (0, "")


def test_a_thread_ends_with_its_log(tmp_path: Path, failing: Any) -> None:
    failing(distant=True)
    log = open_log("mine", Failing(name="failing"), logged_run(tmp_path))
    with closing(_Closing(log)):
        log.scalars(1, {"loss": 1.0})
    assert Failing.calls == ["scalars", "close"]
    assert isinstance(log, guarded.Background)
    assert not log._thread.is_alive()


class _Closing:
    def __init__(self, log: Logger) -> None:
        self.close = lambda: log.close("complete")
