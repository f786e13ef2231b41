"""ganctl show: all that one run's folder tells; with --follow, until the run ends."""

import time
from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from rich.console import Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ganctl.command_line.jobs import Job
from ganctl.commands.tracking.asking import asked, record_of
from ganctl.commands.tracking.telling import (
    ago,
    interval,
    kept,
    left,
    setting,
    share,
    speed,
    steps,
)
from ganctl.errors import ConfigError
from ganctl.folders.records import ENDED, RunRecord
from ganctl.runtime.console import clock, say, shell_word
from ganctl.runtime.printing import console, plain, print_json
from ganctl.runtime.signals import Signals

SECONDS = 1.0
"""Between two looks at a run that is followed."""

MOST = 12
"""Evaluated numbers, and checkpoints, that are shown; the newest."""

WARNINGS = 3
"""Lines about health that are shown; the newest."""

WIDTH = 100
"""Characters of a line of settings, and of the environment."""

MAIN = (
    *("data.name", "data.path", "data.resolution", "model.name", "model.latent", "model.conditional", "loss.name"),
    *("penalty", "auxiliary", "augment", "optimizer.name", "optimizer.generator.lr", "optimizer.discriminator.lr"),
    *("train.batch_size", "train.n_dis", "ema.half_life", "seed", "init_from"),
    *("device.name", "device.precision", "device.strict"),
)
"""The settings that are shown; config.yaml has them all."""


def run(values: Mapping[str, Any], job: Job, signals: Signals) -> None:
    """Show one run.

    Raises `ConfigError` for words that are no run, `CheckpointError` for a run that is not there.
    """
    names, flags = asked(job.words, ["--json", "--follow"])
    if len(names) != 1:
        wrong = f"{names[1]}: show takes one run; `ganctl compare` takes several" if names else ""
        raise ConfigError(wrong or "show: which run? ganctl show outputs/<run>")
    if len(flags) == 2:
        raise ConfigError("--json: one document, which cannot follow a run; leave --follow out")
    record = record_of(names[0])
    if "--json" in flags:
        checkpoints = [{"name": name, "bytes": size} for name, size in record.checkpoints()]
        print_json(record.fields() | {"checkpoints": checkpoints, "health": record.health()})
    elif "--follow" in flags and record.going_on:
        _follow(record)
    else:
        console().print(shown(record))


def _follow(record: RunRecord) -> None:
    """Show a run again every second while a process works on it; where nobody watches, a line when it changes."""
    terminal = console()
    if not terminal.is_terminal:
        _follow_in_lines(record)
        terminal.print(shown(RunRecord(record.path)))
        return
    with Live(shown(record), console=terminal, auto_refresh=False) as live:
        while record.going_on:
            time.sleep(SECONDS)
            record = RunRecord(record.path)
            live.update(shown(record), refresh=True)


def _follow_in_lines(record: RunRecord) -> None:
    said: tuple[str, int | None] | None = None
    while True:
        line = f"{record.name}: {record.status}, step {steps(record)}  {speed(record)} img/s  {_logged(record)}"
        line += f"  left {left(record)}" if left(record) else ""
        if (record.status, record.step) != said:
            said = (record.status, record.step)
            say(line)
        if not record.going_on:
            return
        time.sleep(SECONDS)
        record = RunRecord(record.path)


def shown(record: RunRecord) -> Group:
    """Return what is shown of a run: lines of a name and a text, and a table of what was evaluated."""
    lines = [Text(f"{name:10}", "bold") + plain(text) for name, text in _lines(record)]
    if not record.evaluations:
        return Group(*lines)
    table = Table("metric", "number", "value ± 95 %", "real vs real", "step", "samples, features")
    for each in record.evaluations[-MOST:]:
        floor = "" if each.floor is None else f"{each.floor:.4g}"
        step = "?" if each.step is None else f"{each.step:,}"
        cells = (each.metric, each.number, interval(each), floor, step, each.way)
        table.add_row(*map(plain, cells))
    return Group(*lines, table)


def _lines(record: RunRecord) -> Iterator[tuple[str, str]]:
    """Yield the lines of a run, but for those of which its folder tells nothing."""
    yield "run", str(record.path)
    owner = f", {record.owner}" if record.going_on else ""
    yield "status", f"{record.status}{owner}" + (f", {record.ended}" if record.ended else "")
    for fault in record.faults:
        yield "note", fault
    rest = f", {left(record)} left" if left(record) else ""
    yield "step", f"{steps(record)}, {share(record) or '?'}{rest}"
    yield "changed", ago(record.age())
    if record.images_per_second:
        yield "speed", f"{speed(record)} images per second"
    if record.seconds:
        yield "time", ", ".join(f"{what} {clock(min(spent, 1e9))}" for what, spent in record.seconds.items())
    if record.numbers:
        yield "numbers", _logged(record)
    for line in record.health()[-WARNINGS:]:
        yield "warning", line
    if record.best is not None:
        step = "?" if record.best.step is None else f"{record.best.step:,}"
        yield "best", f"{kept(record.best)} at step {step} ({record.best.better} is better)"
    if record.evaluated:
        told = (f"{key[9:]} {value:.4g}" for key, value in record.evaluated.items() if key != "step")
        yield "measured", f"at step {record.evaluated.get('step', 0):,.0f}: {', '.join(told)}"
    yield from _under("settings", wrap(" ".join(_settings(record)), WIDTH, break_long_words=False))
    environment = ", ".join(f"{key} {value}" for key, value in record.environment.items())
    yield from _under("with", wrap(environment, WIDTH, break_long_words=False))
    checkpoints = record.checkpoints()
    files = [f"checkpoints/{name}  {size / 1e6:,.1f} MB" for name, size in checkpoints[-MOST:]]
    yield from _under("saved", files)
    if checkpoints:
        yield "sample", record.command("sample")
    if record.status in ENDED or record.status == "interrupted":
        more = " train.steps=…" if record.status == "complete" else ""
        yield "resume", record.command("resume") + more
    yield "vary", f"ganctl train from={shell_word(record.path)} key=…"


def _under(name: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield lines of which the first alone has the name."""
    for number, line in enumerate(lines):
        yield "" if number else name, line


def _logged(record: RunRecord) -> str:
    """Return the losses that were logged last, and the discriminator's mean output for real and fake samples."""
    key = "probability" if "probability/real" in record.numbers else "logits"
    names = {
        "loss D": "loss/discriminator",
        "G": "loss/generator",
        "D(x)": f"{key}/real",
        "D(G(z))": f"{key}/fake",
    }
    found = ((name, record.numbers.get(key)) for name, key in names.items())
    return "  ".join(f"{name} {value:.3f}" for name, value in found if value is not None)


def _settings(record: RunRecord) -> Iterator[str]:
    """Yield the main settings as they are typed, but for those that are off."""
    for key in MAIN:
        group = record.config.get(key)
        if isinstance(group, dict):
            value: Any = f"[{','.join(group)}]" if group else None
        else:
            value = record.settings.get(key)
        if value is not None and value is not False:
            yield f"{key.removesuffix('.name')}={setting(value)}"
