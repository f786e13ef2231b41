"""The command line: the table of commands, their help, and how errors become one line and an exit code.

A further command is a module of `ganctl.commands` with a function `run`, a row of `COMMANDS`, and a file of its
keys, configs/<command>.yaml. The module is imported for a job only, so that questions and mistakes need no torch.
One that reads run folders alone is a module of `ganctl.commands.tracking`, and has no keys.
"""

import importlib
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, NamedTuple

from ganctl.errors import ConfigError, GanctlError, Stopped, explained, nearest
from ganctl.runtime.job import size_of_job
from ganctl.runtime.root import VARIABLE, outputs
from ganctl.runtime.signals import Signals
from ganctl.runtime.version import __version__

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
  ganctl evaluate samples=made reference=real   images of any tool: two folders, .zip, .npz or .npy files
  ganctl list                                   every run: status, progress, speed, score
  ganctl data check path=~/pictures

A run is named by its folder, by its name below outputs/, or as latest, and a checkpoint by its file; ckpt=… says
the same. root=<folder>, or the variable GANCTL_OUTPUTS, names another folder of runs than outputs/.
`ganctl <command> --help` lists the command's choices and keys; docs/ explains them.
Exit codes: 0 done, 2 wrong command or config, 3 data, 4 checkpoint, 5 diverged, 6 time limit, 7 process lost,
128+n signal n.
"""


class Command(NamedTuple):
    """One command: its name, the words that may follow, and what it is for.

    `read` splits the words into a subject, which is no key, and the keys; it raises `ConfigError` for words that
    mean nothing. The keys are those of configs/<name>.yaml, or, where `of_saved_config`, of the run that is the
    subject. `details` end its own help. A command of `tracking` reads run folders alone and has no keys.
    """

    name: str
    usage: str
    purpose: str
    read: Callable[[list[str]], tuple[str, list[str]]]
    details: str = ""
    of_saved_config: bool = False
    tracking: bool = False
    by_many: bool = False

    def line(self) -> str:
        """Return the command's line of the help."""
        return f"{f'ganctl {self.name} {self.usage}':44}  {self.purpose}"

    def jobs(self, words: list[str]) -> list[Any]:
        """Return the `Job`s that words ask for; questions such as --help are answered, and ask for nothing.

        Raises `ConfigError` for words that cannot be read.
        """
        asks = words if self.tracking else words[:1] if self.of_saved_config else []
        if {"-h", "--help"} & set(asks):
            print(f"{self.line()}\n\n{self.details}")
            return []
        from dataclasses import replace

        from ganctl.command_line.jobs import Job, Typed

        subject, keys = self.read(words)
        if self.tracking:
            return [Job(partial(Typed, {}, {}), keys)]
        from ganctl.command_line import compose

        if self.of_saved_config:
            return [Job(partial(compose.parse, keys), subject=subject)]
        found = compose.jobs(self.name, keys, self.line(), self.details)
        return [replace(job, subject=subject) for job in found]

    def run(self, values: Mapping[str, Any], job: Any, signals: Signals) -> None:
        """Validate the values of one job by the command's schema, and do it."""
        with signals.held():
            package = "ganctl.commands.tracking" if self.tracking else "ganctl.commands"
            module = importlib.import_module(f"{package}.{self.name}")
        module.run(values, job, signals)


def _words_of_train(words: list[str]) -> tuple[str, list[str]]:
    for word in words:
        if word.startswith("ckpt="):
            run = word.removeprefix("ckpt=") or "outputs/<run>"
            raise ConfigError(f"{word}: a run goes on by the command that began it, or by `ganctl resume {run}`")
    if any(word.startswith("from=") for word in words):
        from ganctl.folders.as_words import expanded

        return "", expanded(words)
    return "", words


def _as_typed(words: list[str]) -> tuple[str, list[str]]:
    return "", words


def _words_of_resume(words: list[str]) -> tuple[str, list[str]]:
    if not words:
        raise ConfigError("resume: which run? ganctl resume outputs/<run>")
    named = [word for word in words if word.startswith("ckpt=")] or words[:1]
    run = named[0].removeprefix("ckpt=")
    if run.startswith("-"):
        raise ConfigError(f"{run}: unknown option; give the run's folder first: ganctl resume outputs/<run>")
    if len(named) > 1 or not run or (run == named[0] and not _names_a_run(run)):
        raise ConfigError(f"{named[-1]}: which run? Give one, and first: ganctl resume outputs/<run>")
    return run, [word for word in words if word != named[0]]


def _words_of_sample(words: list[str]) -> tuple[str, list[str]]:
    if not words or not _names_a_run(words[0]):
        return "", words
    from ganctl.command_line.wording import in_quotes

    return "", [f"ckpt={in_quotes(words[0])}", *words[1:]]


def _names_a_run(word: str) -> bool:
    """Return whether a word is a run and not key=value; a sweep's runs have = in their names."""
    if word[:1] in ("", "-", "+") or word.startswith("ckpt=") or (word[0] == "~" and word[:2] != "~/"):
        return False
    places = (os.path.expanduser(word), os.path.join(outputs(), word))
    return "=" not in word or any(map(os.path.exists, places))


def _words_with_data(words: list[str]) -> tuple[str, list[str]]:
    subject, keys = _words_of_sample(words)
    return subject, [f"++{word}" if word.startswith("data.") else word for word in keys]


JSON = "--json"


def _words_of_evaluate(words: list[str]) -> tuple[str, list[str]]:
    subject, keys = _words_with_data([word for word in words if word != JSON])
    return subject, [*keys, "json=true"] if JSON in words else keys


ACTIONS = ("prepare", "check", "info")


def _words_of_data(words: list[str]) -> tuple[str, list[str]]:
    if words and words[0] in ACTIONS:
        return words[0], words[1:]
    if any(word.partition("=")[0] in ("-h", "--help", "--cfg", "-c") for word in words):
        return "", words
    wrong = words[0] if words and "=" not in words[0] else ""
    told = f"'{wrong}': unknown action{nearest(wrong, ACTIONS)}" if wrong else "needs an action first"
    raise ConfigError(f"data: {told}; there are {', '.join(f'`ganctl data {name}`' for name in ACTIONS)}")


TRAIN = """\
ganctl train --cfg job            shows the composed config and starts nothing; with -m, each job's
ganctl train -m seed=1,2,3        runs once for each value
ganctl train --config-dir DIR     adds your own configs/ folder
Every key is explained in the YAML files of configs/ and in docs/configuration.md."""
RESUME = """\
Keys that leave the run's numbers alone may be given: train.steps, logging.*, logs=[…], sample.*, checkpoint.*,
evaluate.*, metric.*, features.*, device.*, where its data is, and plugins=[…], which no saved config names."""
DATA = """\
ganctl data prepare path=…   decodes them into the cache, which training does too at its first start
ganctl data check path=…     decodes them without keeping them, and reports what is wrong or odd
ganctl data info path=…      describes them, and where they are prepared; decodes nothing
The keys are those of `ganctl train data=folder`, without data. in front."""

PATHS = """\
ganctl interpolate <run> seeds=1,2,3 loop=true out=path.gif   as an animation; .webp and .mp4, too
ganctl interpolate <run> checkpoints=true out=learned.gif     the same latents over the run's checkpoints"""

EVALUATE = """\
ganctl evaluate <run> which=all                      every checkpoint of the run, a row each
ganctl evaluate <run> data.split=test                against held-out images of its data set
ganctl evaluate <run> reference=<images>             against other images
ganctl evaluate samples=<images> reference=<images>  images of other tools, without a run
ganctl evaluate <run> --json                         as one JSON document
<images> are a folder, a .zip, .npz or .npy file; a reference may be a data set, such as mnist, too."""

LIST = """\
ganctl list            the runs of outputs/, the one that changed last at the end
ganctl list <folder>   those of another folder, and of the folders in it
ganctl list --json     as one JSON document
docs/tracking.md explains the columns."""
SHOW = """\
ganctl show <run>            status, progress, numbers, best checkpoint, evaluations, settings, checkpoints
ganctl show <run> --follow   again every second until the run ends
ganctl show <run> --json     as one JSON document"""
COMPARE = """\
ganctl compare <run> <run> …          settings that differ, and numbers side by side
ganctl compare <run> <run> … --json   as one JSON document"""
REPORT = """\
ganctl report                        the runs of outputs/, as outputs/report.html
ganctl report <run> <run> …          those runs, also as outputs/report.html
ganctl report <folder of runs>       its runs, or those of a sweep, as report.html in that folder
ganctl report <run> … out=file.html  elsewhere
An earlier report is replaced, and no other file. docs/report.md shows the page."""

GROUPS, RUN = "[group=option | key=value …]", "outputs/<run> [key=value …]"
SHORT = "<run> [key=value …]"
IMAGES = "prepare|check|info path=<images>"
ROWS = (
    Command(
        "train", GROUPS, "train a model; the same command again resumes it", _words_of_train, TRAIN, by_many=True
    ),
    Command(
        "resume", RUN, "go on with a run from its own saved config", _words_of_resume, RESUME, True, by_many=True
    ),
    Command("list", "[folder] [--json]", "show the runs of a folder", _as_typed, LIST, tracking=True),
    Command("show", "<run> [--follow] [--json]", "show one run, or follow it", _as_typed, SHOW, tracking=True),
    Command("compare", "<run> <run> … [--json]", "show how runs differ", _as_typed, COMPARE, tracking=True),
    Command(
        "report", "[run or folder …]", "show runs as one page, without a network", _as_typed, REPORT, tracking=True
    ),
    Command("sample", RUN, "draw samples from a trained generator", _words_of_sample),
    Command("interpolate", SHORT, "show paths through its latents, or how it learned", _words_of_sample, PATHS),
    Command("project", SHORT, "find the latents of given images", _words_of_sample),
    Command("anomaly", SHORT, "score images by how unlike its samples they are", _words_of_sample),
    Command("augment", SHORT, "write its images by class, as data to train on", _words_with_data),
    Command("evaluate", RUN, "measure how its samples compare with real ones", _words_of_evaluate, EVALUATE),
    Command("directions", SHORT, "draw what it has learned to change, without labels", _words_of_sample),
    Command("neighbours", SHORT, "show its samples beside the real ones nearest to them", _words_with_data),
    Command("spectrum", SHORT, "compare its samples' spatial frequencies with real ones", _words_with_data),
    Command("map", SHORT, "show where its samples lie among real ones", _words_with_data),
    Command("export", SHORT, "write it as ONNX or for PyTorch, to run without ganctl", _words_of_sample),
    Command("demo", SHORT, "serve a page on which it draws what is chosen", _words_of_sample),
    Command("data", IMAGES, "look after images of your own before training on them", _words_of_data, DATA),
)
COMMANDS = {command.name: command for command in ROWS}


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
    with Signals() as signals, _job(signals):  # imports take seconds, in which a scheduler may warn already
        name, words = arguments[0], arguments[1:]
        if name not in COMMANDS:
            raise ConfigError(f"{name}: unknown command{nearest(name, COMMANDS)}; there are {', '.join(COMMANDS)}")
        return _run(COMMANDS[name], _root_taken(words), signals)


def _job(signals: Signals) -> AbstractContextManager[None]:
    """Return a context in which this process is one of those that torchrun started, if it did."""
    if size_of_job() == 1:
        return nullcontext()
    with signals.held():
        from ganctl.processes.group import together
    return together(signals)


def _root_taken(words: list[str]) -> list[str]:
    """Return the words without `root=<folder>`, which names the folder of runs for this process and its own."""
    for word in words:
        if word.startswith("root="):
            folder = word.removeprefix("root=")
            if not folder or os.path.isfile(os.path.expanduser(folder)):
                raise ConfigError(f"{word}: root is the folder of runs, such as root=~/runs")
            os.environ[VARIABLE] = folder
    return [word for word in words if not word.startswith("root=")]


def _run(command: Command, words: list[str], signals: Signals) -> int:
    """Do what words ask of a command, the jobs of a sweep among it; return the exit code."""
    if size_of_job() > 1 and not command.by_many:
        raise ConfigError(f"{command.name}: is done by one process; start it without torchrun")
    jobs = command.jobs(words)
    if not jobs:
        return 0
    if (sweep := jobs[0].sweep) is not None:
        if size_of_job() > 1:
            raise ConfigError("-m: the jobs of a sweep are started by launcher=…; torchrun trains one run")
        from ganctl.sweeps.course import run_sweep

        return run_sweep(sweep, partial(do, command.name), signals)
    do(command.name, jobs[0], signals)
    return 0


def do(name: str, job: Any, signals: Signals) -> None:
    """Do a `Job` of a command. Raises what goes wrong."""
    from ganctl.plugins import import_plugins

    values = job.values()
    with signals.held():
        import_plugins(values.get("plugins", []))
    COMMANDS[name].run(values, job, signals)


def _guarded(work: Callable[[], int | None]) -> int:
    try:
        return work() or 0
    except Exception as error:
        return _report(explained(error))


def _report(error: GanctlError | Stopped) -> int:
    from ganctl.runtime.console import report

    return report(error)
