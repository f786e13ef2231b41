"""The life of a run: open or resume it, step, log, draw, save, and end well."""

import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

from ganctl import __version__, pictures, rules
from ganctl.config import TrainConfig, flatten
from ganctl.data.store import Store
from ganctl.errors import CheckpointError, DataError, DivergenceError, Stopped
from ganctl.runtime.console import recorded, say
from ganctl.runtime.device import Device
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.randomness import permutation
from ganctl.runtime.signals import EndingSignals
from ganctl.training import checkpoint, state
from ganctl.training.assemble import build_game, open_configured
from ganctl.training.checkpoint import Header
from ganctl.training.generate import generate
from ganctl.training.measure import measure
from ganctl.training.progress import ProgressDisplay, clock
from ganctl.training.run_folder import RunFolder
from ganctl.training.step import Game, train_step
from ganctl.training.tracking import Tracker

POINTS_A_SAMPLE = 32
"""A scatter plot shows so many times `sample.num` points, of which one says less than a picture."""


def run(config: TrainConfig, folder: RunFolder) -> None:
    """Train a run to its last step, from its newest whole checkpoint if it has one.

    Raises every error of the project; `Stopped` after the state has been saved.
    """
    warnings = rules.check(config)
    with EndingSignals() as signals:
        if (last := folder.completed(config)) is not None:
            folder.finish(config, last)
            say(f"{folder.path} is complete: {config.train.steps:,} steps are done; raise train.steps to go on")
            return
        keep_freed_memory()
        device = open_configured(config.device, points=config.data.points)
        store = config.data.load()
        game = build_game(config, store, device)
        with folder.locked(), recorded(folder.log):
            for warning in warnings:
                say(f"note    {warning}")
            Runner(config, folder, store, game, signals).run()


def environment(config: TrainConfig, device: Device) -> dict[str, str]:
    """Return what, beside the config, the bits of a run depend on."""
    terms: dict[str, str] = {}
    for auxiliary in config.auxiliary.values():
        terms |= auxiliary.versions()
    return terms | {
        "ganctl": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "device": device.describe(),
        "precision": device.precision + (" strict" if device.strict else ""),
    }


class Runner:
    """One run in progress."""

    def __init__(
        self, config: TrainConfig, folder: RunFolder, store: Store, game: Game, signals: EndingSignals
    ) -> None:
        self.config = config
        self.folder = folder
        self.store = store
        self.game = game
        self.signals = signals
        self.environment = environment(config, game.device)
        self.inexact_from: int | None = folder.read_status().get("not_bit_exact_from_step")
        self.saved_step = -1
        self.images_per_second = 0.0
        self.step, lengths = self._restore()
        folder.claim(config)
        self.tracker = Tracker(folder.path, folder.metrics, lengths)
        if self.step == 0:
            saved = config.saved()
            self.tracker.config(saved, flatten(saved))

    def run(self) -> None:
        """Train to the last step; save on the way, at the end, and when stopped."""
        self._introduce()
        started = time.monotonic()
        self.signals.deferred = True
        try:
            self._loop()
        except DivergenceError as error:
            good = f"last good checkpoint: {self.folder.checkpoint_path(self.saved_step)}"
            self._write_status("diverged")
            raise DivergenceError(
                f"{error}; {good if self.saved_step >= 0 else 'no checkpoint was saved before it'}"
            ) from None
        except Stopped:
            self._write_status("stopped")
            raise
        finally:
            self.tracker.close()
        self._write_status("complete")
        say(f"done: {self.step:,} steps in {clock(time.monotonic() - started)}; pictures in {self.folder.samples}")

    def _loop(self) -> None:
        config, steps = self.config, self.config.train.steps
        self._write_status("running")
        self._clock = _Clock(self.step)
        with ProgressDisplay(self.step, steps, critic=config.loss.critic) as display:
            while self.step < steps:
                train_step(self.game, self.step)
                self.step += 1
                display.step(self.step)
                last = self.step == steps
                if self.step % config.logging.every == 0 or last:
                    display.numbers(self.step, self._log())
                if config.sample.every and (self.step % config.sample.every == 0 or last):
                    self._draw()
                if last or (config.checkpoint.every and self.step % config.checkpoint.every == 0):
                    self._save()
                if self.signals.received is not None:
                    self._stop(self.signals.received)

    def _log(self) -> dict[str, float]:
        values = measure(self.game, self.step - 1)
        self.game.check()
        data_wait = self._clock.share(self.game.batches.waited)
        self.images_per_second = self._clock.rate(self.step, self.game.images_per_step)
        row = {
            "images": float(self.step * self.game.images_per_step),
            "images_per_second": self.images_per_second,
            "data_wait": data_wait,
        }
        row |= values
        self.tracker.scalars(self.step, row)
        return row

    @contextmanager
    def _paused(self) -> Iterator[None]:
        self.game.device.synchronise()  # what the steps have asked for still counts as theirs
        with self._clock.paused():
            yield

    def _draw(self) -> None:
        with self._paused():
            pixels = self._picture()
            pictures.save(pixels, self.folder.samples / f"step-{self.step:08d}.png")
            self.tracker.picture(self.step, pixels)

    def _picture(self) -> Any:
        game = self.game
        network = game.ema.average if game.ema is not None else game.generator.network
        count = self.config.sample.num * (1 if self.store.is_pictures else POINTS_A_SAMPLE)
        samples = generate(network, game.latents(count, "fixed"), game.device, game.batch_size)
        if self.store.is_pictures:
            return pictures.grid(pictures.to_bytes(samples, self.config.model.picture_range))
        shown = permutation(len(self.store), self.config.seed, "plot")[:count]
        return pictures.plot(self.store.samples[shown].numpy(), samples.float().cpu().numpy())

    def _save(self) -> None:
        with self._paused():
            self.game.check()
            header = Header(
                config=self.config.saved(),
                step=self.step,
                shape=self.store.shape,
                data=self.store.fingerprint,
                versions=self.environment,
                logs=self.tracker.lengths(),
            )
            checkpoint.write(self.folder.checkpoint_path(self.step), header, state.tensors(self.game))
            self.saved_step = self.step
            self.folder.prune(self.config.checkpoint.keep, self.step)
            self._write_status("running")

    def _stop(self, number: int) -> None:
        if self.saved_step != self.step:
            self._save()
        stopped = Stopped(number)
        raise Stopped(
            number, f"{stopped} after step {self.step:,}, which is saved; the same command goes on from there"
        )

    def _restore(self) -> tuple[int, dict[str, int]]:
        """Load the newest whole checkpoint; return its step and log lengths, or step 0 and none."""
        for candidate in self.folder.checkpoints_whole_in_header():
            header = candidate.header
            self.folder.check_origin(header, self.config)
            if header.data != self.store.fingerprint:
                raise DataError(
                    f"data: not the samples that {self.folder.path} was trained on (they changed, or are read in "
                    "another way); restore them, or start a new run under another name="
                )
            try:
                state.restore(self.game, candidate.read())
            except CheckpointError as error:
                say(f"passed over a damaged checkpoint: {candidate.path.name}: {error}")
                continue
            self.saved_step = header.step
            self._compare(header)
            return header.step, header.logs
        if self.folder.checkpoint_files():
            raise CheckpointError(
                f"{self.folder.checkpoints}: none of the checkpoints is whole; put a good one there, or start "
                "anew under another name="
            )
        return 0, {}

    def _compare(self, header: Header) -> None:
        """Say and remember what will keep the run from going on bit for bit."""
        ours = self.environment
        changed = [
            f"{key} {header.versions.get(key)} → {ours.get(key)}"
            for key in {**header.versions, **ours}
            if header.versions.get(key) != ours.get(key)
        ]
        if changed:
            self.inexact_from = header.step if self.inexact_from is None else min(self.inexact_from, header.step)
            say(f"not bit-exact from step {header.step:,} on: {', '.join(changed)}")

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
        say(f"run     {self.folder.path} ({going}, {self.config.train.steps:,} steps)")

    def _write_status(self, status: str) -> None:
        self.folder.write_status(
            {
                "status": status,
                "step": self.step,
                "steps": self.config.train.steps,
                "images_per_second": round(self.images_per_second, 1),
                "not_bit_exact_from_step": self.inexact_from,
                "environment": self.environment,
            }
        )


class _Clock:
    """Measures the speed of steps alone: time spent on pictures and checkpoints does not count."""

    def __init__(self, step: int) -> None:
        self._since = time.perf_counter()
        self._step = step
        self._waited = 0.0

    def share(self, waited: float) -> float:
        """Return which share of the time since the last `rate` was waited; `waited` is the sum so far in s."""
        share = (waited - self._waited) / (time.perf_counter() - self._since)
        self._waited = waited
        return min(1.0, share)

    def rate(self, step: int, images_per_step: int) -> float:
        """Return images a second since the last call."""
        now = time.perf_counter()
        images = (step - self._step) * images_per_step
        speed = images / (now - self._since)
        self._since, self._step = now, step
        return speed

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the time within the block out."""
        start = time.perf_counter()
        yield
        self._since += time.perf_counter() - start
