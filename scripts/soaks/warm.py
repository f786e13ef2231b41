"""Runs of ganctl in processes of their own that cost no start: forked off one that has imported everything.

That one has a single thread, imports and forks, and computes nothing but a config, so that Hydra has read ganctl's
files; so what is forked is as a fresh process is once it has composed its own. It answers requests, a line of JSON
each, by such lines.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
TINIEST = [
    "train",
    "model.generator.width=4",
    "model.discriminator.width=4",
    "data.resolution=8",
    "train.batch_size=4",
    "train.steps=1",
    "device=cpu",
    "device.threads=1",
]
"""A run that meets every import."""


@dataclass(frozen=True)
class Request:
    """A command to run in a folder; it is killed at a stage of `STAGES`, or after some seconds, or not.

    `environment` holds variables of its own. With `wait` false the answer comes as soon as the process is there,
    and a request with its `pid` waits for it.
    """

    folder: str = ""
    words: list[str] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)
    stage: str | None = None
    after: float | None = None
    wait: bool = True
    pid: int | None = None


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code (−9 if it was killed), what it printed, its life in s, where it was."""

    code: int
    out: str
    err: str
    seconds: float
    phase: str


class Warm:
    """The process that forks, as a context."""

    def __enter__(self) -> "Warm":
        self._started: list[Started] = []
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scripts.soaks.warm"],
            cwd=Path(__file__).parents[2],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ | ONE_THREAD,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for started in self._started:
            if started.returncode is None:
                os.kill(started.pid, signal.SIGKILL)
        self._process.kill()
        self._process.communicate()

    def run(self, folder: Path, *words: str, stage: str | None = None, after: float | None = None) -> Ended:
        """Run ganctl in a folder, and kill it at a stage of `STAGES` or after so many seconds if it says so."""
        return Ended(**self.ask(Request(str(folder), list(words), stage=stage, after=after)))

    def finish(self, folder: Path, *words: str) -> tuple[int, str, str]:
        """Run ganctl in a folder; return exit code, standard output and standard error."""
        ended = self.run(folder, *words)
        return ended.code, ended.out, ended.err

    def start(self, folder: Path, *words: str, **environment: str) -> "Started":
        """Start ganctl in a folder, with variables of its own, and return at once."""
        request = Request(str(folder), list(words), environment, wait=False)
        self._started.append(Started(self, self.ask(request)["pid"]))
        return self._started[-1]

    def ask(self, request: Request) -> dict[str, Any]:
        """Send a request and return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(request)) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process that forks has died"
        answer: dict[str, Any] = json.loads(line)
        return answer


class Started:
    """A process that `Warm` has forked; it is handled like one of `subprocess.Popen`."""

    def __init__(self, warm: Warm, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        self._warm = warm

    def poll(self) -> int | None:
        """Return its exit code if it has ended, None otherwise."""
        if self.returncode is None and Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2][0] == "Z":
            self.communicate()
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def communicate(self, timeout: float = 120) -> tuple[str, str]:
        """Return standard output and standard error once it has ended; it is killed if that takes too long."""
        ended = Ended(**self._warm.ask(Request(pid=self.pid, after=timeout)))
        self.returncode = ended.code
        return ended.out, ended.err


def _modules() -> list[str]:
    """Return what a whole run imports: a fork runs it, so that this process stays without threads."""
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile("w+") as names:
        if os.fork() == 0:
            from ganctl.cli import main

            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
            code = main(TINIEST)
            json.dump(sorted(sys.modules), names)
            names.flush()
            os._exit(code)
        _, status = os.wait()
        assert status == 0, "the run that meets every import failed"
        names.seek(0)
        found: list[str] = json.load(names)
        return found


@dataclass(frozen=True)
class _Life:
    """A forked process: when it started, where it is, and the files that it prints to."""

    pid: int
    started: float
    whereabouts: Any
    out: IO[str]
    err: IO[str]

    def end(self, after: float | None) -> Ended:
        """Return how it ended; it is killed if it lives on after so many seconds from now."""
        code = _wait(self.pid, None if after is None else time.monotonic() + after)
        seconds = time.monotonic() - self.started
        with self.out, self.err:
            self.out.seek(0)
            self.err.seek(0)
            return Ended(code, self.out.read(), self.err.read(), seconds, self.whereabouts.phase)


def _fork(request: Request) -> _Life:
    from scripts.soaks.kills import Whereabouts

    threads = len(os.listdir("/proc/self/task"))
    assert threads == 1, f"{threads} threads: a fork would lack the others"
    whereabouts = Whereabouts()
    out, err = (tempfile.TemporaryFile("w+") for _ in range(2))  # noqa: SIM115  # `_Life.end` closes them
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        _live(request, whereabouts)
    return _Life(pid, started, whereabouts, out, err)


def _live(request: Request, whereabouts: Any) -> None:
    from ganctl.cli import main
    from scripts.soaks.kills import STAGES, arm

    code = 70
    try:
        os.chdir(request.folder)
        os.environ |= request.environment
        sys.path.insert(0, request.folder)
        whereabouts.watch()
        if request.stage is not None:
            arm(STAGES[request.stage])
        code = main(request.words)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(pid: int, deadline: float | None) -> int:
    """Wait for a process and return its exit code; kill it at the deadline."""
    while deadline is not None and time.monotonic() < deadline:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(max(0.0, min(0.001, deadline - time.monotonic())))
    if deadline is not None:
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def main() -> None:
    """Answer requests until there are no more."""
    import ganctl.commands.train  # noqa: F401
    from ganctl.command_line import compose

    for name in _modules():
        with contextlib.suppress(ImportError):  # some extensions register names that cannot be imported
            importlib.import_module(name)
    (job,) = compose.jobs(TINIEST[0], TINIEST[1:])
    job.values()
    lives: dict[int, _Life] = {}
    for line in sys.stdin:
        request = Request(**json.loads(line))
        life = _fork(request) if request.pid is None else lives.pop(request.pid)
        if not request.wait:
            lives[life.pid] = life
        print(json.dumps(asdict(life.end(request.after)) if request.wait else {"pid": life.pid}), flush=True)


if __name__ == "__main__":
    main()
