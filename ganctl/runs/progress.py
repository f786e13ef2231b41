"""What a person sees while a run trains."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from ganctl.config import TrainConfig
from ganctl.runtime.console import PLAIN_SECONDS, clock, say, watched


class ProgressDisplay:
    """A live bar in a terminal, else a plain line at most every ten seconds and at the end."""

    def __init__(self, step: int, config: TrainConfig) -> None:
        self._steps = config.train.steps
        self._critic = config.loss.critic
        self._started, self._first = time.monotonic(), step
        self._reported = self._started
        self._update: Callable[..., None] | None = None

    @contextmanager
    def live(self) -> Iterator[None]:
        """Show a bar within the block, if there is someone to watch."""
        if not watched():
            yield
            return
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
        from rich.table import Column

        columns = (
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[numbers]}", table_column=Column(no_wrap=True)),
            TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        )
        with Progress(*columns, refresh_per_second=4, expand=True) as progress:
            task = progress.add_task("train", total=self._steps, completed=self._first, numbers="")
            self._update = partial(progress.update, task)
            yield

    def show(self, step: int, numbers: Mapping[str, float] | None = None) -> None:
        """Show how many steps are done, or the numbers that were logged for the last one."""
        words = None if numbers is None else describe(numbers, critic=self._critic)
        now = time.monotonic()
        if self._update is not None:
            self._update(completed=step) if words is None else self._update(numbers=words)
        elif words is not None and (now - self._reported >= PLAIN_SECONDS or step == self._steps):
            self._reported = now
            left = (now - self._started) / max(1, step - self._first) * (self._steps - step)
            say(f"step {step:,}/{self._steps:,}  {words}  left {clock(left)}")


def describe(values: Mapping[str, float], *, critic: bool) -> str:
    """Return speed, losses and the discriminator's mean output for real and fake samples in few words."""
    words = f"{values['images_per_second']:,.0f} img/s  loss D {values['loss/discriminator']:.3f} "
    words += f"G {values['loss/generator']:.3f}"
    key, digits = ("probability", 2) if "probability/real" in values else ("logits", 3)
    name = "critic" if critic else "D"
    if f"{key}/real" in values and f"{key}/fake" in values:
        words += f"  {name}(x) {values[f'{key}/real']:.{digits}f}  {name}(G(z)) {values[f'{key}/fake']:.{digits}f}"
    return words
