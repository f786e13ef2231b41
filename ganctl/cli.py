"""The command line: which command is meant, its help, and how errors become one line and an exit code."""

import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial

from ganctl import __version__
from ganctl.command_line.jobs import Job
from ganctl.commands.table import COMMANDS, Command
from ganctl.errors import ConfigError, GanctlError, Stopped, nearest, one_line
from ganctl.runtime.signals import Signals

HELP = """\
ganctl {version} trains generative adversarial networks from the command line.

{commands}

Examples
  ganctl train                                  handwritten digits, no download, about 2 minutes on 2 CPU cores
  ganctl train model=dcgan data=mnist
  ganctl train data=folder data.path=~/pictures
  ganctl train -m loss=hinge,wgan_gp seed=1,2   every combination, one after the other
  ganctl resume latest train.steps=40000
  ganctl sample latest num=64 seed=7
  ganctl evaluate latest metric=[fid,precision_recall]
  ganctl data check path=~/pictures

A run is named by its folder, by its name below outputs/, or as latest, and a checkpoint by its file; ckpt=… says
the same. `ganctl <command> --help` lists the command's choices and keys; docs/ explains them.
Exit codes: 0 done, 2 wrong command or config, 3 data, 4 checkpoint, 5 training diverged, 128+n signal n.
"""


OUT_OF_MEMORY = (
    "OutOfMemoryError",
    "MemoryError",
    "can't allocate memory",
    "Storage size calculation overflowed",
    "cannot be represented as a SymInt",
)
"""Of which an error has one in its class or its text when memory ran out, or could never have held a tensor."""


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code; a user's mistake becomes one line on standard error."""
    try:
        return _guarded(lambda: _dispatch(list(arguments)))
    except Stopped as stop:
        return _report(stop)
    except KeyboardInterrupt:
        return _report(Stopped(signal.SIGINT))


def entry_point() -> None:
    """Run the command line of this process and exit."""
    from ganctl.runtime.streams import protect

    protect()
    sys.exit(main(sys.argv[1:]))


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        commands = "\n".join(f"  {command.line()}" for command in COMMANDS.values())
        print(HELP.format(version=__version__, commands=commands), end="")
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"ganctl {__version__}")
        return 0
    name, words = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise ConfigError(f"{name}: unknown command{nearest(name, COMMANDS)}; there are {', '.join(COMMANDS)}")
    with Signals() as signals:  # from here on: imports take seconds, in which a scheduler may warn already
        return _run(COMMANDS[name], words, signals)


def _run(command: Command, words: list[str], signals: Signals) -> int:
    """Do the jobs of a command one after the other; return the first exit code that is not 0.

    A user's mistake ends its job, a signal all of them; a programmer's mistake is raised after the other jobs.
    """
    jobs = command.jobs(words)
    from ganctl.command_line.sweep import SweepTable
    from ganctl.plugins import import_plugins

    def do(job: Job) -> None:
        values = job.values()
        import_plugins(values.get("plugins", []))
        command.run(values, job, signals)

    codes: list[int] = []
    crashes: list[Exception] = []
    with closing(SweepTable()) as table:
        for job in jobs:
            try:
                codes.append(table.run(job, partial(_guarded, partial(do, job))))
            except Exception as crash:
                crashes.append(crash)
    if crashes:
        raise crashes[0]
    return next((code for code in codes if code), 0)


def _guarded(work: Callable[[], int | None]) -> int:
    try:
        return work() or 0
    except GanctlError as error:
        return _report(error)
    except OSError as error:
        if error.filename is None and error.errno is None:
            raise
        return _report(ConfigError(f"{error.filename or 'the system'}: {error.strerror}"))
    except (MemoryError, RuntimeError) as error:
        if not any(word in f"{type(error).__name__} {error}" for word in OUT_OF_MEMORY):
            raise
        return _report(
            ConfigError(
                "out of memory; lower train.batch_size, the model's widths or the images' size; where a run was "
                "evaluating, evaluate.num or evaluate.every=0"
            )
        )


def _report(error: GanctlError | Stopped) -> int:
    encoding = sys.stderr.encoding or "utf-8"
    print(f"ganctl: {one_line(str(error))}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)
    return error.exit_code
