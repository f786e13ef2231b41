"""The life of a run: open or resume it, step, log, draw, save, and end well."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ganctl import images, rules
from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints import state
from ganctl.checkpoints.file import Header, Inexact, Rollback, Score
from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.errors import CheckpointError, DivergenceError, MovedError, Stopped, WriteError, counted
from ganctl.game.build import build_game, open_configured
from ganctl.game.sampling import generate
from ganctl.game.scalars import measure, ordering
from ganctl.game.step import Game, train_step
from ganctl.runs.earlier import keep_logs, refuse_to_start_over
from ganctl.runs.environment import changes, environment, other_plugins
from ganctl.runs.evaluation import Evaluation
from ganctl.runs.folder import RunFolder
from ganctl.runs.health import HealthWatch
from ganctl.runs.naming import Naming, refuse_other_data
from ganctl.runs.progress import ProgressDisplay, clock
from ganctl.runs.stopwatch import Stopwatch
from ganctl.runs.tracking import Tracker
from ganctl.runtime.console import recorded, say
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.randomness import normal, permutation
from ganctl.runtime.signals import Signals

MANY_BATCHES = 64
"""A step of more batches may be broken off: the state before it is kept, a copy that costs less than one batch."""

POINTS_A_SAMPLE = 32
"""A scatter plot shows so many times `sample.num` points, of which one says less than a picture."""


def run(config: TrainConfig, place: RunFolder | Naming, signals: Signals) -> None:
    """Train a run to its last step, from its newest whole checkpoint if it has one; where it lies, data may tell.

    Raises every error of the project; `Stopped` after the state has been saved.
    """
    warnings = rules.check(config)
    folder = place.without_data() if isinstance(place, Naming) else place
    if folder is not None and (last := folder.completed(config)) is not None:
        folder.finish(config, last)
        folder.point_latest()
        done = f"{counted(last, 'step')} {'is' if last == 1 else 'are'} done"
        say(f"{folder.path} is complete: {done}; raise train.steps above {last:,} to go on")
        for newest in islice(folder.checkpoints_whole_in_header(quiet=True), 1):
            if told := other_plugins(newest.header.versions, config):
                say(f"note    plugins: not the source that it was trained with: {told}; name=… trains it anew")
        return
    keep_freed_memory()
    device = open_configured(config.device, points=config.data.points)
    store = config.data.load()
    if isinstance(place, Naming):
        folder = folder or place.by_data(store.fingerprint)
        config = config.model_copy(update={"name": folder.path.name})
    assert folder is not None
    game = build_game(config, store, device)
    evaluation = Evaluation(config, store, device) if config.evaluate.every else None
    with folder.locked(), recorded(folder.log):
        for warning in warnings:
            say(f"note    {warning}")
        runner = Runner(config, folder, store, game, evaluation, signals)
        del game  # which a rollback replaces
        runner.run()


class Runner:
    """One run in progress."""

    def __init__(
        self,
        config: TrainConfig,
        folder: RunFolder,
        store: Store,
        game: Game,
        evaluation: Evaluation | None,
        signals: Signals,
    ) -> None:
        self.config = config
        self.folder = folder
        self.store = store
        self.game = game
        self.evaluation = evaluation
        self.evaluation_left = False
        self.best = folder.best_score(config) if evaluation is not None else None
        self.signals = signals
        self.environment = environment(config, game.device)
        self.inexact: tuple[Inexact, ...] = ()
        self.rollbacks: tuple[Rollback, ...] = ()
        self.step = 0
        self.saved_step = -1
        self.before_step: dict[str, Tensor] | None = None
        self.images_per_second = 0.0
        status = folder.read_status()
        header = self._restore()
        if header is None:
            refuse_to_start_over(folder, status, config, store.fingerprint)
        else:
            self.rollbacks = header.rollbacks
            self.evaluation_left = header.evaluation_due
            self.inexact = header.inexact + changes(header, self.environment)
        self.game.salt(len(self.rollbacks))
        folder.claim(config)
        keep_logs(folder, status, None if header is None else header.step)
        self.tracker = self._open_logs(header)
        self.stopwatch = Stopwatch(self.step)
        self.health = HealthWatch(config)

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
            raise DivergenceError(f"{error}; {self._last_checkpoint()}") from None
        except Stopped:
            status = "stopped"
            raise
        except (OSError, WriteError) as error:
            self.folder.check_held()  # a name that leads elsewhere explains it
            if isinstance(error, OSError):
                error = WriteError.of(Path(error.filename or self.folder.path), error.errno)
            raise WriteError(f"{error}; {self._last_checkpoint()}, from which the same command goes on") from error
        finally:
            self.signals.deferred = False
            for last_act in (self.tracker.close, lambda: self._write_status(status)):
                with suppress(OSError, MovedError):  # what matters is saved, and the error has been reported
                    last_act()
        spent = clock(sum(self.stopwatch.seconds().values()))
        say(f"done: {counted(self.step, 'step')} in {spent}; pictures in {self.folder.samples}")

    def _loop(self) -> None:
        steps = self.config.train.steps
        if self.step == 0 and self.config.train.on_divergence == "rollback":
            self._save_at_once()
        self._write_status("running")
        with ProgressDisplay(self.step, steps, critic=self.config.loss.critic) as display:
            if self.evaluation_left:
                self._evaluate()
            while self.step < steps:
                try:
                    self._advance(display)
                except DivergenceError as error:
                    self._roll_back(error)

    def _advance(self, display: ProgressDisplay) -> None:
        """Take a step, and do what is due after it."""
        config = self.config
        if self.game.batches_per_step > MANY_BATCHES:
            self.before_step = state.copied(self.game)
            self.game.between = self._heed
        try:
            train_step(self.game, self.step)
        finally:
            self.before_step = None
        self.step += 1
        display.step(self.step)
        last = self.step == config.train.steps
        if self.step % config.logging.every == 0 or last:
            display.numbers(self.step, self._log())
        if config.sample.every and (self.step % config.sample.every == 0 or last):
            self._draw()
        if config.evaluate.every and (self.step % config.evaluate.every == 0 or last):
            self._save(evaluation_due=True)
            self._evaluate()
        elif last or (config.checkpoint.every and self.step % config.checkpoint.every == 0):
            self._save()
        self._heed()

    def _heed(self) -> None:
        """Do what signals have asked for meanwhile; within a long step, with the state before it."""
        if self.signals.save_wanted:
            asked, self.signals.save_wanted = self.signals.save_wanted.name, None
            self._save_at_once()
            say(f"saved step {self.step:,}, as {asked} asked for; the run goes on")
        if self.signals.received is not None:
            self._stop(self.signals.received)

    def _log(self) -> dict[str, float]:
        values = measure(self.game, self.step - 1)
        self.game.check()
        data_wait = self.stopwatch.share(self.game.batches.waited)
        self.images_per_second = self.stopwatch.rate(self.step, self.game.images_per_step)
        row = {
            "images": float(self.step * self.game.images_per_step),
            "images_per_second": self.images_per_second,
            "data_wait": data_wait,
        }
        row |= values
        self.folder.check_held()
        self.tracker.scalars(self.step, row)
        for line in self.health.look(self.step, row):
            say(line)
        return row

    @contextmanager
    def _paused(self, work: str) -> Iterator[None]:
        self.game.device.synchronise()  # what the steps have asked for still counts as theirs
        with self.stopwatch.paused(work):
            yield

    def _draw(self) -> None:
        with self._paused("pictures"):
            pixels = self._picture()
            png = images.png(pixels)
            self.folder.check_held()
            write_whole(self.folder.samples / f"step-{self.step:08d}.png", png)
            self.tracker.picture(self.step, png, pixels.shape[:2])

    def _picture(self) -> Any:
        game = self.game
        count = self.config.sample.num * (1 if self.store.is_pictures else POINTS_A_SAMPLE)
        device = game.device
        latents = normal(
            (count, game.latent), device.torch_device, device.dtype, self.config.seed, "latents", "fixed"
        )
        samples = generate(self._network(), latents, device, game.batch_size)
        if self.store.is_pictures:
            return images.grid(images.to_bytes(samples, self.config.model.picture_range))
        shown = permutation(len(self.store), self.config.seed, "plot")[:count]
        return images.plot(self.store.samples[shown].numpy(), samples.float().cpu().numpy())

    def _evaluate(self) -> None:
        """Measure the generator of a step that has been saved, so that a signal may end the process at once."""
        if self.evaluation is None:
            return
        try:
            self.signals.deferred = False
            self._heed()
            with self._paused("evaluation"):
                found = self.evaluation.measure(self._network())
            self.signals.deferred = True
        except Stopped as stopped:
            self._stop(stopped.number)
        self.folder.check_held()
        self.tracker.scalars(self.step, found.scalars())
        rank = ""
        if found.score is not None and found.score.beats(self.best):
            rank = ", the best so far"
            if self.best is not None and self.best.by != found.score.by:
                rank += "; the one kept before was measured in another way"
            self._save_best(found.score)
        say(f"step {self.step:,}: {found.describe()}{rank}")
        self._save()
        self._heed()

    def _save_best(self, score: Score) -> None:
        with self._paused("checkpoints"):
            self.folder.check_held()
            checkpoint.write(self.folder.best, self._header(score=score), state.tensors(self.game))
        self.best = score

    def _network(self) -> nn.Module:
        """Return the generator that is shown and measured: the average, if there is one."""
        return self.game.ema.average if self.game.ema is not None else self.game.generator.network

    def _header(self, *, evaluation_due: bool = False, score: Score | None = None) -> Header:
        return Header(
            config=self.config.saved(),
            step=self.step,
            shape=self.store.shape,
            data=self.store.fingerprint,
            versions=self.environment,
            logs=self.tracker.lengths(),
            inexact=self.inexact,
            rollbacks=self.rollbacks,
            evaluation_due=evaluation_due,
            score=score,
        )

    def _save(self, *, evaluation_due: bool = False) -> None:
        with self._paused("checkpoints"):
            self.game.check()
            self.folder.check_held()
            path = self.folder.checkpoint_path(self.step)
            header = self._header(evaluation_due=evaluation_due)
            checkpoint.write(path, header, self.before_step or state.tensors(self.game))
            self.saved_step = self.step
            self.folder.prune(self.config.checkpoint, self.step)
            self._write_status("running")

    def _save_at_once(self) -> None:
        if self.saved_step != self.step:
            self._save()

    def _stop(self, number: int) -> None:
        self._save_at_once()
        stopped = Stopped(number)
        raise Stopped(
            number, f"{stopped} after step {self.step:,}, which is saved; the same command goes on from there"
        )

    def _roll_back(self, error: DivergenceError) -> None:
        """Go back to the last checkpoint, from where the steps draw other numbers.

        Raises the error if the config says so, or if that has been done too often.
        """
        loop = self.config.train
        if loop.on_divergence == "stop":
            raise error
        if len(self.rollbacks) >= loop.max_rollbacks:
            raise DivergenceError(f"{error}, after train.max_rollbacks={loop.max_rollbacks} rollbacks")
        diverged = self.step
        device = self.game.device
        error.__traceback__ = None  # whose frames hold the game, and its memory
        self.game.captured = None  # which holds it, too
        del self.game
        self.game = build_game(self.config, self.store, device)
        header = self._restore()
        self.rollbacks += (Rollback(from_step=diverged, to_step=self.step, because=str(error)),)
        self.game.salt(len(self.rollbacks))
        self.health = HealthWatch(self.config)
        self.tracker.close()
        self.tracker = self._open_logs(header)
        self._write_status("running")
        say(f"{error}; back to step {self.step:,}, from where other numbers are drawn")

    def _open_logs(self, header: Header | None) -> Tracker:
        """Continue the logs where a checkpoint left them, or begin them."""
        self.folder.check_held()
        try:
            tracker = Tracker(self.folder.path, self.folder.metrics, header.logs if header is not None else {})
            if header is None:
                tracker.config(self.config.saved(), self.config.identity(), ordering(self.config))
        except OSError as error:
            raise WriteError.of(self.folder.path, error.errno) from error
        return tracker

    def _restore(self) -> Header | None:
        """Load the newest whole checkpoint into the game; return its header, or None if there is none."""
        for candidate in self.folder.checkpoints_whole_in_header():
            header = candidate.header
            self.folder.check_origin(header, self.config)
            if header.data != self.store.fingerprint:
                refuse_other_data(self.folder.path, header.config.get("data"), self.config)
            try:
                saved = candidate.read()
                state.check(self.game, saved, header.step, self.config.optimizer)
                state.restore(self.game, saved)
            except CheckpointError as error:
                say(f"passed over a damaged checkpoint: {candidate.path.name}: {error}")
                continue
            self.step = self.saved_step = header.step
            return header
        if self.folder.checkpoint_files():
            raise CheckpointError(
                f"{self.folder.checkpoints}: none of the checkpoints is whole; put a good one there, or start "
                "anew under another name="
            )
        return None

    def _last_checkpoint(self) -> str:
        if self.saved_step < 0:
            return "no checkpoint was saved before"
        return f"last good checkpoint: {self.folder.checkpoint_path(self.saved_step)}"

    def _introduce(self) -> None:
        game = self.game
        sizes = {
            player.name: sum(weight.numel() for weight in player.parameters)
            for player in (game.generator, game.discriminator)
        }
        say(f"data    {self.config.data.name}: {self.store.describe()}")
        say(
            f"model   {self.config.model.name}: generator {sizes['generator']:,} weights, "
            f"discriminator {sizes['discriminator']:,}"
        )
        say(f"device  {game.device.describe()}, {game.device.precision}")
        going = f"resumed at step {self.step:,}" if self.step else "new"
        say(f"run     {self.folder.path} ({going}, {counted(self.config.train.steps, 'step')})")

    def _write_status(self, status: str) -> None:
        self.folder.write_status(
            {
                "status": status,
                "step": self.step,
                "saved": self.saved_step,
                "data": self.store.fingerprint,
                "steps": self.config.train.steps,
                "images_per_second": round(self.images_per_second, 1),
                "seconds": {work: round(spent, 2) for work, spent in self.stopwatch.seconds().items()},
                "not_bit_exact": [change.model_dump() for change in self.inexact],
                "rollbacks": [rollback.model_dump() for rollback in self.rollbacks],
                "environment": self.environment,
            }
        )
