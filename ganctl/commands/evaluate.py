"""ganctl evaluate: numbers that compare a generator's samples, or images that are there, with real ones."""

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

from pydantic_core import from_json

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.measuring import of_images, of_run
from ganctl.commands.measuring.places import with_reference
from ganctl.commands.measuring.question import EvaluateCommand, ImagesCommand, evaluate_command, images_command
from ganctl.commands.measuring.results import Result, add, as_stored, place
from ganctl.commands.measuring.tables import show
from ganctl.errors import ConfigError
from ganctl.runtime.console import aside, say
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.printing import print_json
from ganctl.runtime.signals import Signals


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Measure checkpoints or images, add each result to evaluation.json, and print a table, or JSON.

    Raises `CheckpointError` if there is no intact checkpoint, `DataError` if data is not there, `ConfigError` for
    metrics that have no meaning here and for a file that cannot be written. What was measured is written before it
    is shown, and shown also where it could not be written.
    """
    values = with_reference(values, job)
    command = images_command(values) if values["samples"] is not None else evaluate_command(values)
    if command.as_json and job.sweep is not None:
        raise ConfigError("--json: prints one document, and a sweep (-m) would print several; leave one out")
    keep_freed_memory()
    talking = aside if command.as_json else nullcontext
    found: list[Result] = []
    try:
        with talking():
            path, results = _measure(command, values, job)
            for result in results:
                found.append(result)
                add(path, result)
    finally:
        if found and command.as_json:
            print_json(from_json(as_stored(found)))
        elif found:
            show(found)
    with talking():
        say(f"written to {path}")


def _measure(command: EvaluateCommand | ImagesCommand, values: Typed, job: Job) -> tuple[Path, Iterator[Result]]:
    """Return where results go, and the results, each of which is measured where it is taken."""
    if isinstance(command, ImagesCommand):
        path = place(command.out, None)
        return path, of_images.results(command, values, job)
    folder, results = of_run.opened(command, values.typed)
    return place(command.out, folder), results
