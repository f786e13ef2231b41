"""What `ganctl evaluate` prints: one result in full, or a row for each checkpoint."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from ganctl.commands.measuring.results import Result
from ganctl.runtime.console import say
from ganctl.runtime.printing import console, plain

COLUMNS = ("metric", "number", "value", "± 95 %", "real vs real")


def show(results: Sequence[Result]) -> None:
    """Print results: what was compared with what, and the numbers."""
    _introduce(results[0], "" if len(results) == 1 else f"{len(results):,} checkpoints")
    if len(results) > 1:
        _show_checkpoints(results)
        return
    (result,) = results
    table = Table(*COLUMNS)
    for row in _rows(result["numbers"]):
        table.add_row(*row)
    console().print(table)
    if (parts := result.get("per_class")) is not None:
        table = Table("class", *COLUMNS)
        for name, part in parts.items():
            for row in _rows(part["numbers"]):
                table.add_row(plain(name), *row)
        console().print(table)


def brief(result: Result) -> str:
    """Return the numbers of a checkpoint in one line."""
    told = (f"{name} {_value(number)}" for _, name, number in _numbers(result))
    return f"step {result['step']:,}: {', '.join(told)}"


def _introduce(result: Result, checkpoints: str) -> None:
    features, reference = result["features"], result["reference"]
    accuracy = features["accuracy"]
    told = "" if accuracy is None else f", which tells {accuracy:.1%} of held-out images right"
    if "samples" in result:
        what = f"{result['samples']['measured']:,} samples of {_named(result['samples'])}"
    else:
        what = checkpoints or f"step {result['step']:,}"
        what += f": {result['asked']['num']:,} samples a seed"
    say(f"{what} against {reference['count']:,} of {_named(reference)}, by {features['name']}{told}")
    if (baseline := result["floor"]) is not None:
        say(f"real vs real: {baseline['count']:,} of these against the other {baseline['reference']:,}")


def _named(side: Mapping[str, Any]) -> str:
    """Return the name of a set of images: its place, or the data set, and which part of it."""
    part = side["split"]
    return f"{side.get('path', side['data'])}" + (f" ({part})" if part not in ("all", "train") else "")


def _show_checkpoints(results: Sequence[Result]) -> None:
    table = Table("step")
    names = Counter(name for _, name, _ in _numbers(results[0]))
    for metric, name, _ in _numbers(results[0]):
        table.add_column(name if names[name] == 1 else f"{metric} {name}", justify="right")
    for result in results:
        step = f"{result['step']:,}" + (" (best)" if result["checkpoint"].startswith("best") else "")
        table.add_row(step, *(_value(number) for _, _, number in _numbers(result)))
    lowest = [number["floor"] for _, _, number in _numbers(results[0])]
    if any(value is not None for value in lowest):
        table.add_section()
        table.add_row("real vs real", *("" if value is None else f"{value:.4g}" for value in lowest))
    console().print(table)
    if "per_class" in results[0]:
        say("the numbers of each class are in the file alone")


def _numbers(result: Result) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the metric, the name and what was found of each number."""
    for metric, named in result["numbers"].items():
        for name, number in named.items():
            yield metric, name, number


def _value(number: Mapping[str, Any]) -> str:
    width = number["half_width"]
    return f"{number['mean']:.4g}" + ("" if width is None else f" ± {width:.2g}")


def _rows(found: Mapping[str, Any]) -> Iterator[list[str]]:
    """Yield what a table shows of each number."""
    for key, numbers in found.items():
        for name, number in numbers.items():
            width, lowest = number["half_width"], number["floor"]
            told = ["" if width is None else f"{width:.2g}", "" if lowest is None else f"{lowest:.4g}"]
            yield [key, name, f"{number['mean']:.4g}", *told]
