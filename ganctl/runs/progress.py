"""What a person sees while a run trains."""

import sys
import time
from collections.abc import Mapping
from types import TracebackType

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
        self._bar = _Bar(step, steps) if sys.stdout.isatty() else None

    def __enter__(self) -> "ProgressDisplay":
        if self._bar is not None:
            self._bar.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.progress.stop()

    def step(self, step: int) -> None:
        """Show that `step` steps are done."""
        if self._bar is not None:
            self._bar.progress.update(self._bar.task, completed=step)

    def numbers(self, step: int, values: Mapping[str, float]) -> None:
        """Show the logged numbers of a step."""
        words = describe(values, critic=self._critic)
        if self._bar is not None:
            self._bar.progress.update(self._bar.task, numbers=words)
            return
        now = time.monotonic()
        if now - self._reported >= PLAIN_SECONDS or step == self._steps:
            self._reported = now
            left = (now - self._started) / max(1, step - self._first) * (self._steps - step)
            say(f"step {step:,}/{self._steps:,}  {words}  left {clock(left)}")


class _Bar:
    def __init__(self, step: int, steps: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        def whole() -> Column:
            return Column(no_wrap=True)

        self.progress = Progress(
            MofNCompleteColumn(table_column=whole()),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[numbers]}", table_column=whole()),
            TimeRemainingColumn(compact=True, table_column=whole()),
            refresh_per_second=4,
            expand=True,
        )
        self.task = self.progress.add_task("train", total=steps, completed=step, numbers="")


def describe(values: Mapping[str, float], *, critic: bool) -> str:
    """Return speed, losses and the discriminator's mean judgement of real and fake in few words."""
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
