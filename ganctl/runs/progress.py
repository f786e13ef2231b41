"""What a person sees while a run trains."""

import sys
import time
from collections.abc import Callable, Mapping
from functools import partial

from ganctl.runtime.console import PLAIN_SECONDS, say


class ProgressDisplay:
    """A live bar in a terminal, else a plain line at most every ten seconds and at the end.

    `critic` names the discriminator as a Wasserstein critic.
    """

    def __init__(self, step: int, steps: int, *, critic: bool) -> None:
        self._steps = steps
        self._critic = critic
        self._started, self._first = time.monotonic(), step
        self._reported = self._started
        self._update: Callable[..., None] | None = None
        self.close: Callable[[], None] = lambda: None
        if sys.stdout.isatty():
            self._update, self.close = _bar(step, steps)

    def step(self, step: int) -> None:
        """Show that `step` steps are done."""
        if self._update is not None:
            self._update(completed=step)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Show the logged numbers of a step."""
        words = describe(values, critic=self._critic)
        if self._update is not None:
            self._update(numbers=words)
            return
        now = time.monotonic()
        if now - self._reported >= PLAIN_SECONDS or step == self._steps:
            self._reported = now
            left = (now - self._started) / max(1, step - self._first) * (self._steps - step)
            say(f"step {step:,}/{self._steps:,}  {words}  left {clock(left)}")


def _bar(step: int, steps: int) -> tuple[Callable[..., None], Callable[[], None]]:
    """Show a bar; return what updates it and what ends it."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.table import Column

    progress = Progress(
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[numbers]}", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        refresh_per_second=4,
        expand=True,
    )
    task = progress.add_task("train", total=steps, completed=step, numbers="")
    progress.start()
    return partial(progress.update, task), progress.stop


def describe(values: Mapping[str, float], *, critic: bool) -> str:
    """Return speed, losses and the discriminator's mean output for real and fake samples in few words."""
    words = (
        f"{values['images_per_second']:,.0f} img/s  "
        f"loss D {values['loss/discriminator']:.3f} G {values['loss/generator']:.3f}"
    )
    key, digits = ("probability", 2) if "probability/real" in values else ("logits", 3)
    name = "critic" if critic else "D"
    if f"{key}/real" in values and f"{key}/fake" in values:
        words += f"  {name}(x) {values[f'{key}/real']:.{digits}f}  {name}(G(z)) {values[f'{key}/fake']:.{digits}f}"
    return words


def clock(seconds: float) -> str:
    """Return a duration as m:ss or h:mm:ss."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
