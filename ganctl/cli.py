"""The command line: which subcommands there are, and how errors become one line and an exit code."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from typing import Any

from ganctl import __version__
from ganctl.composed import Job, Typed
from ganctl.errors import ConfigError, GanctlError, Stopped, nearest, one_line

HELP = f"""\
ganctl {__version__} trains generative adversarial networks from the command line.

  ganctl train [group=option | key=value …]     train a model; the same command again resumes it
  ganctl resume outputs/<run> [key=value …]     go on with a run from its own saved config
  ganctl sample outputs/<run> [key=value …]     draw samples from a trained generator
  ganctl evaluate outputs/<run> [key=value …]   measure how its samples compare with real ones
  ganctl data prepare|check|info path=<pictures>  look after pictures of your own before training on them

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

RESUME_HELP = """\
ganctl resume outputs/<run> [key=value …] goes on with a run from its own saved config.

Keys that leave the run's numbers alone may be given: train.steps, logging.*, sample.*, checkpoint.*,
evaluate.*, metric.*, features.*, device.*, where its data lies, and plugins=[…], which no saved config names.
"""


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
        print(HELP, end="")
        return 0
    if arguments[0] in ("-V", "--version"):
        print(f"ganctl {__version__}")
        return 0
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        raise ConfigError(
            f"{command}: unknown command{nearest(command, COMMANDS)}; there are {', '.join(COMMANDS)}"
        )
    return COMMANDS[command](rest)


def _train(arguments: list[str]) -> int:
    for word in arguments:
        if word.startswith("ckpt="):
            run = word.removeprefix("ckpt=") or "outputs/<run>"
            raise ConfigError(f"{word}: a run goes on by the command that began it, or by `ganctl resume {run}`")
    from ganctl.runtime.signals import Signals

    with Signals() as signals:  # from here on: imports take seconds, in which a scheduler may warn already

        def work(values: Typed, job: Job | None, found: dict[str, Any]) -> None:
            from ganctl.commands.train import train
            from ganctl.config import train_config

            train(train_config(values), signals, job, found)

        return _swept("train", arguments, work)


def _sample(arguments: list[str]) -> int:
    def work(values: Typed, job: Job | None, found: dict[str, Any]) -> None:
        from ganctl.commands.sample import sample
        from ganctl.config import sample_command

        sample(sample_command(values))

    return _swept("sample", _with_ckpt(arguments), work)


def _evaluate(arguments: list[str]) -> int:
    moved = [word for word in arguments if word.startswith("data.")]
    rest = [word for word in arguments if word not in moved]

    def work(values: Typed, job: Job | None, found: dict[str, Any]) -> None:
        from ganctl import compose
        from ganctl.commands.evaluate import evaluate, evaluate_command

        evaluate(evaluate_command(values), compose.parse(moved))

    return _swept("evaluate", _with_ckpt(rest), work)


def _with_ckpt(arguments: list[str]) -> list[str]:
    """Return the words with the run that the first of them names as `ckpt=…`."""
    if not arguments or not _names_a_run(arguments[0]):
        return arguments
    escaped = arguments[0].replace("\\", "\\\\").replace("'", "\\'")
    return [f"ckpt='{escaped}'", *arguments[1:]]


def _names_a_run(word: str) -> bool:
    """Return whether a word is a run and not key=value; a sweep's runs have = in their names."""
    if word[:1] in ("", "-", "+") or word.startswith("ckpt=") or (word[0] == "~" and word[:2] != "~/"):
        return False
    places = (os.path.expanduser(word), os.path.join("outputs", word))
    return "=" not in word or any(map(os.path.exists, places))


def _swept(command: str, arguments: list[str], work: Callable[[Typed, Job | None, dict[str, Any]], None]) -> int:
    """Do the work of a command on its composed config, or on each of a sweep's; return the exit code.

    What the work finds out of a run, it adds to the dictionary that it is given.
    """
    from ganctl import compose
    from ganctl.sweep import Table

    table = Table()

    def once(resolve: Callable[[], Typed], job: Job | None, found: dict[str, Any]) -> None:
        values = resolve()
        from ganctl.plugins import import_plugins

        import_plugins(values.get("plugins", []))
        work(values, job, found)

    def each(resolve: Callable[[], Typed], job: Job | None) -> int:
        found: dict[str, Any] = {}
        if job is None:
            return _guarded(lambda: once(resolve, None, found))
        table.begin(job)
        try:
            code = _guarded(lambda: once(resolve, job, found))
        except Stopped as stop:
            table.end(job, stop.exit_code, found)
            raise
        except Exception:
            table.end(job, 1, found)
            raise
        table.end(job, code, found)
        return code

    try:
        return compose.run(command, arguments, each)
    finally:
        table.close()


def _resume(arguments: list[str]) -> int:
    if not arguments:
        raise ConfigError("resume: which run? ganctl resume outputs/<run>")
    if arguments[0] in ("-h", "--help"):
        print(RESUME_HELP, end="")
        return 0
    named = [word for word in arguments if word.startswith("ckpt=")] or arguments[:1]
    place = named[0].removeprefix("ckpt=")
    if place.startswith("-"):
        raise ConfigError(f"{place}: unknown option; give the run's folder first: ganctl resume outputs/<run>")
    if len(named) > 1 or not place or (place == named[0] and not _names_a_run(place)):
        raise ConfigError(f"{named[-1]}: which run? Give one, and first: ganctl resume outputs/<run>")
    from ganctl.runtime.signals import Signals

    with Signals() as signals:
        from ganctl import compose

        overrides = compose.parse([word for word in arguments if word != named[0]])
        from ganctl.commands.resume import resume

        resume(place, overrides, signals)
    return 0


def _data(arguments: list[str]) -> int:
    asking = [word for word in arguments if word.partition("=")[0] in ("-h", "--help", "--cfg", "-c")]
    action, rest = (arguments[0], arguments[1:]) if arguments and arguments[0] in DATA_ACTIONS else ("", arguments)
    if not action and not asking:
        wrong = arguments[0] if arguments and "=" not in arguments[0] else ""
        told = f"'{wrong}': unknown action{nearest(wrong, DATA_ACTIONS)}" if wrong else "needs an action first"
        raise ConfigError(f"data: {told}; there are {', '.join(f'`ganctl data {name}`' for name in DATA_ACTIONS)}")

    def work(values: Typed, job: Job | None, found: dict[str, Any]) -> None:
        from ganctl.commands import data
        from ganctl.config import folder_config

        {"prepare": data.prepare, "check": data.check, "info": data.info}[action](folder_config(values))

    return _swept("data", rest, work)


DATA_ACTIONS = ("prepare", "check", "info")
COMMANDS: dict[str, Callable[[list[str]], int]] = {
    "train": _train,
    "resume": _resume,
    "sample": _sample,
    "evaluate": _evaluate,
    "data": _data,
}


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
        if not _is_out_of_memory(error):
            raise
        return _report(
            ConfigError(
                "out of memory; lower train.batch_size, the model's widths or the images' size; where a run was "
                "evaluating, evaluate.num or evaluate.every=0"
            )
        )


def _is_out_of_memory(error: Exception) -> bool:
    words = (
        "OutOfMemoryError",
        "MemoryError",
        "can't allocate memory",
        "Storage size calculation overflowed",
        "cannot be represented as a SymInt",
    )
    return any(word in f"{type(error).__name__} {error}" for word in words)


def _report(error: GanctlError | Stopped) -> int:
    encoding = sys.stderr.encoding or "utf-8"
    print(f"ganctl: {one_line(str(error))}".encode(encoding, "backslashreplace").decode(encoding), file=sys.stderr)
    return error.exit_code
