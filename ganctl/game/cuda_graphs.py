"""Steps as CUDA graphs: recorded once for each set of terms that are due together, then replayed.

A replayed step is one call of the device instead of hundreds, and computes what `play` does to the last bit. The
first time that terms are due together is an ordinary step, which learns, and shows what inputs it asks for; the
second is recorded, which computes nothing, and replayed; so are all further ones, each after its inputs have been
put where the recording reads them.
"""

from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ganctl.game.inputs import HeldInputs, Inputs
from ganctl.game.players import Player
from ganctl.game.step import Game, play, turns_of
from ganctl.optim import PlayerName
from ganctl.runtime.console import say

MOST_GRAPHS = 16
"""Sets of due terms that are recorded; a step with another is computed one operation at a time."""

Due = tuple[tuple[str, ...], ...]
Shown = tuple[dict[str, Tensor], dict[str, Tensor]]


class Graphs(Protocol):
    """A device that can record work."""

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do work for the first time, on the stream where it will be recorded."""

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record work without doing it; return what does it, in the same memory each time.

        Raises `RuntimeError` for work that cannot be recorded, such as what waits for the device.
        """


class CudaGraphs:
    """CUDA graphs on one stream and in one memory pool, so that they may only be replayed one after another.

    What one leaves in the pool is overwritten by others.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do work on the side stream."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            work()
        current.wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Capture work; another thread may go on meanwhile, as one that gathers batches does.

        Raises `RuntimeError` if the work cannot be captured; what is computed next is then computed as ever.
        """
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream(self._device)
        try:
            with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
                work()
        except RuntimeError:
            self._recover(current)
            raise
        return graph.replay

    def _recover(self, current: torch.cuda.Stream) -> None:
        """Undo what a capture that CUDA has broken off leaves behind in older versions of torch, 2.11 among them.

        The private stream stays the current one, the allocator goes on to fill the pool, and the default random
        generator believes to be captured until a capture ends well.
        """
        torch.cuda.set_stream(current)
        number = torch.cuda.current_device() if self._device.index is None else self._device.index
        with suppress(RuntimeError):
            torch._C._cuda_endAllocateToPool(number, self._pool)
        nothing, apart = torch.cuda.CUDAGraph(), torch.cuda.Stream(self._device)
        with suppress(RuntimeError), torch.cuda.graph(nothing, stream=apart):
            torch.zeros((), device=self._device)


@dataclass
class Recording:
    """A step that can be replayed, and what each player shows of it then: logits and samples."""

    replay: Callable[[], None]
    shown: dict[PlayerName, Shown]


class Captured:
    """Plays a game's steps from graphs; where that cannot be, by `play`, saying once why (then in `reason`).

    A game whose state is put back by `state.restore` needs another one: graphs hold on to the memory of the state.
    """

    def __init__(self, game: Game, graphs: Graphs) -> None:
        self.reason: str | None = None
        self._graphs = graphs
        self._inputs = HeldInputs(game.device, {player.name: player.turns for player in game.players})
        self._asked: dict[Due, tuple[Hashable, ...]] = {}
        self._recordings: dict[Due, Recording] = {}
        self._values: dict[PlayerName, dict[str, Tensor]] = {player.name: {} for player in game.players}
        self._crowded = False

    def __call__(self, game: Game, step: int) -> None:
        """Make all updates of a step (from 0), as `play` does."""
        due = due_in(game, step)
        if self.reason is not None:
            play(game, step)
        elif due in self._asked:
            self._again(game, step, due)
        elif len(self._asked) < MOST_GRAPHS:
            self._inputs.begin(step)
            self._graphs.warm_up(lambda: self._play(game, step))
            self._asked[due] = self._inputs.asked
        else:
            self._beyond(game, step)

    def _again(self, game: Game, step: int, due: Due) -> None:
        self._inputs.fill(step, self._asked[due])
        recording = self._recordings.get(due) or self._record(game, step)
        if isinstance(recording, str):
            self._give_up(game, recording)
            play(game, step)
            return
        self._recordings[due] = recording
        recording.replay()
        for player in game.players:
            player.logits, player.samples = recording.shown[player.name]

    def _record(self, game: Game, step: int) -> Recording | str:
        """Return the recording of a step (from 0), or in words why there cannot be one."""
        if (found := obstacle(game)) is not None:
            return found
        try:
            replay = self._graphs.record(lambda: self._play(game, step))
        except RuntimeError as error:  # the first one; ending a capture that has failed raises another
            return str(error.__context__ or error)
        _drop_gradients(game)
        return Recording(replay, {player.name: (player.logits, player.samples) for player in game.players})

    def _play(self, game: Game, step: int) -> None:
        """Play with held inputs, and put the values in their places, outside the memory that graphs share."""
        game.inputs = self._inputs
        try:
            play(game, step)
        finally:
            game.inputs = Inputs()
        self._settle(game)

    @torch.no_grad()
    def _settle(self, game: Game) -> None:
        for player in game.players:
            places = self._values[player.name]
            for name, value in player.values.items():
                if name not in places:
                    places[name] = value.clone()
                elif value is not places[name]:
                    places[name].copy_(value)
            player.values = dict(places)

    def _beyond(self, game: Game, step: int) -> None:
        if not self._crowded:
            self._crowded = True
            say(f"note    device.graphs: {MOST_GRAPHS} sets of due terms are recorded; steps with others are not")
        play(game, step)
        self._settle(game)

    def _give_up(self, game: Game, reason: str) -> None:
        """Compute one operation at a time from here on; put back what a failed recording has left in Python."""
        self.reason = reason.partition("\n")[0]
        self._asked.clear()
        self._recordings.clear()
        self._inputs = HeldInputs(game.device, {})
        for player in game.players:
            player.values |= self._values[player.name]
            _restart_scaler(player, game)
        _drop_gradients(game)
        say(f"note    device.graphs: steps are computed one operation at a time: {self.reason}")


def due_in(game: Game, step: int) -> Due:
    """Return the names of the due terms of each update of a step (from 0), in their order."""
    return tuple(
        tuple(term.name for term in player.terms if term.due(turn)) for player, _, turn in turns_of(game, step)
    )


def obstacle(game: Game) -> str | None:
    """Return what in a game a graph would freeze or wait for, in words, or None."""
    for player in game.players:
        optimizer = player.optimizer
        kind = type(optimizer).__name__
        numbers = [value for state in optimizer.state.values() for value in state.values()]
        if any(isinstance(value, int | float) for value in numbers):
            return f"{kind} counts outside the device"
        if player.schedule.moves and not isinstance(optimizer.param_groups[0]["lr"], Tensor):
            return f"{kind} takes a learning rate that moves from outside the device"
        if player.scaler.is_enabled() and not getattr(optimizer, "_step_supports_amp_scaling", False):
            return f"{kind} waits for the device to learn whether an fp16 update is skipped"
    return None


def _drop_gradients(game: Game) -> None:
    for player in game.players:
        player.optimizer.zero_grad()


def _restart_scaler(player: Player, game: Game) -> None:
    """Forget how far an update came that was not recorded to its end; the scale stays."""
    if player.scaler.is_enabled():
        scaler = game.device.gradient_scaler()
        scaler.load_state_dict(player.scaler.state_dict())
        player.scaler = scaler
