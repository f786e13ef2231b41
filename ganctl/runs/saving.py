"""The checkpoints of a run in progress, and its history, which they carry."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from ganctl.checkpoints import state
from ganctl.checkpoints.file import Header, Inexact, Rollback, Score
from ganctl.data.store import Store
from ganctl.errors import CheckpointError
from ganctl.folders.naming import refuse_other_data
from ganctl.game.step import Game
from ganctl.runs.desk import Desk
from ganctl.runs.environment import changes, environment
from ganctl.runtime.console import say
from ganctl.runtime.device import Device


class Saving:
    """Restores a run from its newest intact checkpoint and writes further ones.

    `saved_step` is the step of the last checkpoint, -1 without one, `best_step` that of the best, None without
    one. Raises `ConfigError` if the best checkpoint is of another run.
    """

    def __init__(self, desk: Desk, store: Store, device: Device) -> None:
        self.saved_step = -1
        self.rollbacks: tuple[Rollback, ...] = ()
        self._inexact: tuple[Inexact, ...] = ()
        self._config = config = desk.config
        self._environment = environment(config, device)
        self._store = store
        self._desk = desk
        self._stored = desk.folder.checkpoints
        best = self._stored.best_header(config) if config.evaluate.every else None
        self.best_step: int | None = None if best is None else best.step
        self._best: Score | None = None if best is None else best.score

    def resume(self, game: Game, status: dict[str, Any]) -> Header | None:
        """Restore the run of an earlier process, with its history; return None if there was none.

        Raises `CheckpointError` if there was one by its `status`, whose checkpoints are gone.
        """
        header = self.restore(game)
        if header is None:
            self._refuse_to_start_over(status)
        else:
            self.rollbacks, self._inexact = header.rollbacks, header.inexact
            if because := changes(header.versions, self._environment):
                self._inexact += (Inexact(from_step=header.step, because=because),)
                say(f"not bit-exact from step {header.step:,} on: {because}")
        return header

    def _refuse_to_start_over(self, status: dict[str, Any]) -> None:
        """Raise `CheckpointError` if the run had a checkpoint once, `DataError` if it was begun on other data.

        `status` holds the step that was saved before anything is logged; of an earlier version, that of the run.
        """
        folder, data = self._desk.folder, self._store.fingerprint
        if status.get("data", data) != data:
            refuse_other_data(folder.path, folder.saved_config().get("data"), self._config)
        saved = status.get("saved", status.get("step") or -1)
        if isinstance(saved, int) and saved >= 0:
            told = f"run.json tells of one of step {saved:,}"
        elif "step" not in status and folder.has_logged():
            told = "the folder holds what a run logged, and no run.json that tells whether it was saved"
        else:
            return
        lacking = "holds no checkpoint" if self._stored.path.is_dir() else "is missing"
        raise CheckpointError(
            f"{self._stored.path}: {lacking}, but {told}; bring it back (is its disk mounted?), or, to start over "
            f"on purpose, move {folder.path} away or choose another name="
        )

    def restore(self, game: Game) -> Header | None:
        """Load the newest intact checkpoint into the game; return its header, or None if there is none.

        Raises `CheckpointError` if there are some and none is intact, `ConfigError` and `DataError` for those of
        another run.
        """
        for candidate in self._stored.intact():
            header = candidate.header
            self._desk.folder.refuse_another(candidate.config, self._config)
            if header.data != self._store.fingerprint:
                refuse_other_data(self._desk.folder.path, header.config.get("data"), self._config)
            try:
                saved = candidate.read()
                state.check(game, saved, header.step)
                state.restore(game, saved)
            except CheckpointError as error:
                say(f"passed over a damaged checkpoint: {candidate.path.name}: {error}")
                continue
            self.saved_step = header.step
            return header
        if self._stored.files():
            raise CheckpointError(
                f"{self._stored.path}: none of the checkpoints is intact; put a good one there, or start "
                "anew under another name="
            )
        return None

    def save(self, step: int, tensors: Mapping[str, Tensor], evaluation_due: bool) -> None:
        """Write the checkpoint of a step, and remove those that no rule keeps."""
        self._desk.checkpoint(self._header(step, evaluation_due=evaluation_due), tensors)
        self.saved_step = step

    def save_if_best(self, step: int, score: Score | None, tensors: Mapping[str, Tensor]) -> str:
        """Keep a step with as good a score as any before; return what to report of it, empty if it is none."""
        best = self._best
        if score is None or not score.beats(best):
            return ""
        self._desk.checkpoint(self._header(step, score=score), tensors)
        self._best, self.best_step = score, step
        otherwise = best is not None and best.by != score.by
        return ", the best so far" + ("; the one kept before was measured in another way" if otherwise else "")

    def last(self) -> str:
        """Return which checkpoint is the last good one, in words."""
        if self.saved_step < 0:
            return "no checkpoint was saved before"
        return f"last good checkpoint: {self._stored.path_of(self.saved_step)}"

    def history(self) -> dict[str, Any]:
        """Return the history as run.json holds it."""
        return {
            "not_bit_exact": [change.model_dump() for change in self._inexact],
            "rollbacks": [rollback.model_dump() for rollback in self.rollbacks],
            "environment": self._environment,
        }

    def _header(self, step: int, *, evaluation_due: bool = False, score: Score | None = None) -> Header:
        return Header(
            config=self._config.saved(),
            step=step,
            shape=self._store.space.shape,
            classes=self._desk.config.model.space(self._store.space).classes,
            data=self._store.fingerprint,
            scale=self._store.scale,
            versions=self._environment,
            logs=self._desk.lengths(),
            inexact=self._inexact,
            rollbacks=self.rollbacks,
            evaluation_due=evaluation_due,
            score=score,
        )
