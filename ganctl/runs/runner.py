"""A run in progress: take its steps, do what is due after each, and end well."""

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from ganctl.checkpoints import state
from ganctl.checkpoints.file import Rollback
from ganctl.data.store import Store
from ganctl.errors import CheckpointError, DivergenceError, MovedError, Stopped, TimeUpError, WriteError, counted
from ganctl.game.build import build_game
from ganctl.game.scalars import measure
from ganctl.game.step import Game, train_step
from ganctl.runs.desk import Desk
from ganctl.runs.drawing import draw, shown
from ganctl.runs.evaluation import Evaluation
from ganctl.runs.health import HealthWatch
from ganctl.runs.limits import Limits
from ganctl.runs.progress import ProgressDisplay
from ganctl.runs.saving import Saving
from ganctl.runs.stopwatch import Stopwatch
from ganctl.runtime.console import clock, say
from ganctl.runtime.signals import Signals

MANY_BATCHES = 64
"""A step of more batches may be broken off: the state before it is kept, a copy that costs less than one batch."""


class Runner:
    """One run in progress; it begins, or goes on from its newest checkpoint, where the desk's folder is locked."""

    def __init__(
        self,
        desk: Desk,
        store: Store,
        game: Game,
        evaluation: Evaluation | None,
        signals: Signals,
        limits: Limits,
    ) -> None:
        self.config = config = desk.config
        self.desk = desk
        self.store = store
        self.game = game
        self.evaluation = evaluation
        self.signals = signals
        self.limits = limits
        self.ended: str | None = None
        self.saving = Saving(desk, store, game.device)
        self.before_step: dict[str, Tensor] | None = None
        self.images_per_second = 0.0
        status = desk.folder.read_status()
        header = self.saving.resume(game, status)
        self.step = 0 if header is None else header.step
        self.ranks = game.draws.ranks
        if self.ranks.largest([self.step, -self.step]) != [self.step, -self.step]:
            raise CheckpointError(f"{desk.folder.path}: the processes do not find the same checkpoint there")
        self.evaluation_left = header is not None and header.evaluation_due
        if not self.evaluation_left:
            self.ended = limits.out_of_patience(self.step, self.saving.best_step)
        game.draws.salt(len(self.saving.rollbacks))
        desk.begin(status, header)
        self.stopwatch = Stopwatch(self.step, game.device.synchronise)
        self.progress = ProgressDisplay(self.step, config)
        self.health = HealthWatch(config)
        self.shown: list[tuple[int, Callable[[], None]]] = [
            (config.logging.every, self._log),
            (config.sample.every, self._draw),
        ]
        """What shows a step: how often, 0 for never, and what."""
        self.due = [
            *self.shown,
            (config.evaluate.every, self._evaluate),
            (config.checkpoint.every or config.train.steps, self._save),
            (1, self._heed),
        ]
        """What follows a step, in this order: how often, 0 for never, and what; after the last step, all of it."""

    def run(self) -> None:
        """Train to the last step; save on the way, at the end, and when stopped."""
        self._introduce()
        self.signals.deferred = True
        status = "failed"
        try:
            self._loop()
            status = "complete"
        except DivergenceError as error:
            status = "diverged"
            raise DivergenceError(f"{error}; {self.saving.last()}") from None
        except (Stopped, TimeUpError, SystemExit):  # the last by a scheduler's handler, once the state is saved
            status = "stopped"
            raise
        except (OSError, WriteError) as error:
            self.desk.folder.check_held()  # a name that leads elsewhere explains it
            if isinstance(error, OSError):
                error = WriteError.of(Path(error.filename or self.desk.folder.path), error.errno)
            raise WriteError(f"{error}; {self.saving.last()}, from which the same command goes on") from error
        finally:
            self.signals.deferred = False
            for last_act in (lambda: self.desk.close_logs(status), lambda: self._write_status(status)):
                with suppress(OSError, MovedError):  # what matters is saved, and the error has been reported
                    last_act()
        spent = clock(sum(self.stopwatch.seconds().values()))
        early = f", ended early: {self.ended}" if self.ended else ""
        say(f"done: {counted(self.step, 'step')} in {spent}{early}; images in {self.desk.folder.samples}")

    def _introduce(self) -> None:
        game, config = self.game, self.config
        players = game.generator, game.discriminator
        counts = [sum(map(Tensor.numel, player.network.parameters())) for player in players]
        frozen = counts[1] - sum(map(Tensor.numel, game.discriminator.parameters))
        say(f"data    {config.data.name}: {self.store.describe()}")
        told = f", {frozen:,} of them frozen" if frozen else ""
        say(f"model   {config.model.name}: generator {counts[0]:,} weights, discriminator {counts[1]:,}{told}")
        say(f"device  {game.device.describe()}, {game.device.precision}")
        going = f"resumed at step {self.step:,}" if self.step else "new"
        say(f"run     {self.desk.folder.path} ({going}, {counted(config.train.steps, 'step')})")

    def _loop(self) -> None:
        if self.step == 0 and self.config.train.on_divergence == "rollback":
            self._save()
        self._write_status("running")
        with self.progress.live():
            if self.evaluation_left:
                self._evaluate()
            while self.step < self.config.train.steps and self.ended is None:
                try:
                    self.advance()
                except DivergenceError as error:
                    self._roll_back(error)

    def advance(self) -> None:
        """Take a step, and do what is due after it."""
        if self.game.draws.batches_per_step > MANY_BATCHES:
            self.game.share_values()
            self.before_step = state.copied(self.game)
            self.game.between = self._heed
        try:
            train_step(self.game, self.step)
        finally:
            self.before_step = None
        self.step += 1
        self.progress.show(self.step)
        last = self.step == self.config.train.steps
        for every, action in self.due:
            if every and (last or self.step % every == 0):
                action()
        if self.ended is not None and not last:
            for every, action in self.shown:
                if every and self.step % every:
                    action()

    def _heed(self) -> None:
        """Do what signals have asked for meanwhile; within a long step, with the state before it."""
        wanted, received = self.signals.save_wanted or 0, self.signals.received or 0
        late = int(self.step < self.config.train.steps and self.limits.out_of_time())
        wanted, received, late = self.ranks.largest([wanted, received, late])
        if wanted:
            self._save()
            say(f"saved step {self.step:,}, as {signal.Signals(wanted).name} asked for; the run goes on")
            self.signals.saved()
        if received:
            self._stop(received)
        if late:
            self._save()
            raise self.limits.time_up(self.step)

    def _log(self) -> None:
        values = measure(self.game, self.step - 1, self.config.loss.boundary)
        self.game.check()
        images = self.game.draws.images_per_step
        steps_per_second, waited = self.stopwatch.rates(self.step, self.game.draws.batches.waited)
        self.images_per_second = images * steps_per_second
        row = {
            "images": float(self.step * images),
            "images_per_second": self.images_per_second,
            "data_wait": waited,
        } | values
        self.desk.log(self.step, row)
        for line in self.health.look(self.step, row):
            say(line)
        self.progress.show(self.step, row)

    def _draw(self) -> None:
        with self.stopwatch.paused("pictures"):
            self.desk.image(self.step, draw(self.game, self.store, self.config))

    def _evaluate(self) -> None:
        """Measure the generator of a step, which is saved first, so that a signal may end the process at once."""
        if self.evaluation is None:
            return
        self._save(evaluation_due=True)
        try:
            self.signals.deferred = False
            self._heed()
            with self.stopwatch.paused("evaluation"):
                generator = shown(self.game)
                found = self.evaluation.measure(generator) if self.ranks.first else None
            self.signals.deferred = True
        except Stopped as stopped:
            self._stop(stopped.number)
        if found is not None:
            self.desk.log(self.step, found.scalars())
            with self.stopwatch.paused("checkpoints"):
                rank = self.saving.save_if_best(self.step, found.score, state.tensors(self.game))
            say(f"step {self.step:,}: {found.describe()}{rank}")
            self.ended = self.limits.out_of_patience(self.step, self.saving.best_step)
            self.ended = self.ended or self.limits.given_up(self.step, found.score)
        self.ended = self.ranks.texts(self.ended or "")[0] or None
        self._save(again=True)
        self._heed()

    def _save(self, *, evaluation_due: bool = False, again: bool = False) -> None:
        """Save this step; one that is saved already only `again`, after its evaluation."""
        if self.saving.saved_step == self.step and not again:
            return
        with self.stopwatch.paused("checkpoints"):
            self.game.check()
            self.game.share_values()
            self.saving.save(self.step, self.before_step or state.tensors(self.game), evaluation_due)
            self._write_status("running")

    def _stop(self, number: int) -> None:
        self._save()
        saved = f"after step {self.step:,}, which is saved; the same command goes on from there"
        raise Stopped(number, f"{Stopped(number)} {saved}")

    def _roll_back(self, error: DivergenceError) -> None:
        """Go back to the last checkpoint, from where the steps draw other numbers.

        Raises the error if the config says so, or if that has been done too often.
        """
        loop = self.config.train
        if loop.on_divergence == "stop":
            raise error
        if len(self.saving.rollbacks) >= loop.max_rollbacks:
            raise DivergenceError(f"{error}, after train.max_rollbacks={loop.max_rollbacks} rollbacks")
        device = self.game.device
        error.__traceback__ = None  # whose frames hold the game, and its memory
        self.game.replay = None  # which holds it, too
        del self.game
        self.game = build_game(self.config, self.store, device)
        header = self.saving.restore(self.game)
        if header is None:
            raise error
        diverged, self.step = self.step, header.step
        self.saving.rollbacks += (Rollback(from_step=diverged, to_step=self.step, because=str(error)),)
        self.game.draws.salt(len(self.saving.rollbacks))
        self.health = HealthWatch(self.config)
        self.stopwatch.go_back(self.step)
        self.desk.open_logs(header)
        self._write_status("running")
        say(f"{error}; back to step {self.step:,}, from where other numbers are drawn")

    def _write_status(self, status: str) -> None:
        self.desk.status(
            {
                "status": status,
                "ended": self.ended,
                "step": self.step,
                "saved": self.saving.saved_step,
                "data": self.store.fingerprint,
                "steps": self.config.train.steps,
                "images_per_second": round(self.images_per_second, 1),
                "seconds": {work: round(spent, 2) for work, spent in self.stopwatch.seconds().items()},
                **self.saving.history(),
            }
        )
