"""Steps as CUDA graphs: `play` as a function of the feeds of its updates, recorded once and replayed.

A replayed step is one call of the device instead of hundreds, and computes what `play` does to the last bit.
There is one graph for each set of terms that are due together: the first step with a set is an ordinary one, the
second is recorded, which computes nothing, and replayed, after its feeds have been copied to where it reads them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganctl.errors import ConfigError
from ganctl.game.players import Player, Update
from ganctl.game.step import Game, Plan, play
from ganctl.runtime.console import say

MOST_GRAPHS = 16
"""Sets of due terms that are recorded; a step with another is computed one operation at a time."""


class CudaGraphs:
    """CUDA graphs on one stream and in one pool of memory: what one leaves there is overwritten by others."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do work for the first time, on the stream where it will be recorded."""
        current = torch.cuda.current_stream(self._device)
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            work()
        current.wait_stream(self._stream)

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Record work without doing it; return what does it, in the same memory each time.

        Another thread may go on meanwhile, as one that gathers batches does. Raises `RuntimeError` for work that
        cannot be recorded, such as what waits for the device.
        """
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, self._pool, self._stream, capture_error_mode="thread_local"):
            work()
        return graph.replay


@dataclass
class Recording:
    """A step that can be replayed: where it reads feeds and weights, and what it leaves."""

    plans: list[Plan]
    updates: list[Update]
    replay: Callable[[], None]

    @torch.no_grad()
    def play(self, plans: list[Plan]) -> list[Update]:
        """Make the updates of a step; what is remembered of them is copied out of the memory that graphs share."""
        for held, plan in zip(self.plans, plans, strict=True):
            for place, value in zip(held.weights, plan.weights, strict=True):
                assert isinstance(place, Tensor)
                place.fill_(value)
            for places, feed in zip(held.feeds, plan.feeds, strict=True):
                for name, place in places.items():
                    place.copy_(feed[name])
        self.replay()
        return [replace(made, values={k: v.clone() for k, v in made.values.items()}) for made in self.updates]


class Replay:
    """Makes the updates of a game's steps from graphs.

    Optimizers that can count on the device and read their learning rate there, which changes last bits. A restored
    game needs another one: graphs hold on to the memory of the state.
    """

    def __init__(self, graphs: CudaGraphs, players: Sequence[Player]) -> None:
        self._graphs = graphs
        self._recordings: dict[tuple[tuple[str, ...], ...], Recording | None] = {}
        able = [player for player in players if "capturable" in player.optimizer.param_groups[0]]
        self._rates = [(each, torch.tensor(each.learning_rate, device=each.parameters[0].device)) for each in able]
        self.hold_rates()

    def hold_rates(self) -> None:
        """Put the learning rates of a step where recordings read them."""
        for player, place in self._rates:
            for group in player.optimizer.param_groups:
                group |= {"capturable": True, "lr": place.fill_(group["lr"])}

    def __call__(self, game: Game, plans: list[Plan]) -> list[Update]:
        """Make the updates of a step, as `play` does.

        Raises `ConfigError` that says why such a step cannot be recorded.
        """
        self.hold_rates()
        plans = [replace(plan, feeds=list(plan.feeds)) for plan in plans]
        due = tuple(tuple(term.name for term in plan.due) for plan in plans)
        if due not in self._recordings:
            if len(self._recordings) == MOST_GRAPHS:
                return play(game, plans)
            self._recordings[due] = None
            if len(self._recordings) == MOST_GRAPHS:
                say(f"note    device.graphs: {MOST_GRAPHS} sets of due terms are recorded, and no others")
            updates: list[Update] = []
            self._graphs.warm_up(lambda: updates.extend(play(game, plans)))
            return updates
        recording = self._recordings[due] = self._recordings[due] or self._record(game, plans)
        return recording.play(plans)

    def _record(self, game: Game, plans: list[Plan]) -> Recording:
        held = [_held(game, plan) for plan in plans]
        updates: list[Update] = []
        try:
            _check_capturable(game.generator)
            _check_capturable(game.discriminator)
            replay = self._graphs.record(lambda: updates.extend(play(game, [_viewed(plan) for plan in held])))
        except RuntimeError as error:  # the first one; ending a capture that has failed raises another
            because = str(error.__context__ or error).partition("\n")[0]
            raise ConfigError(f"device.graphs: a step cannot be recorded ({because}); set it to false") from error
        game.generator.optimizer.zero_grad()
        game.discriminator.optimizer.zero_grad()
        return Recording(held, updates, replay)


def _held(game: Game, plan: Plan) -> Plan:
    """Return a plan whose feeds and weights are tensors of its own."""
    dtype, device = game.device.dtype, game.device.torch_device
    weights = [torch.full((), float(weight), dtype=dtype, device=device) for weight in plan.weights]
    feeds = [{name: value.clone() for name, value in feed.items()} for feed in plan.feeds]
    return replace(plan, weights=list(weights), feeds=feeds)


def _viewed(plan: Plan) -> Plan:
    """Return a plan that reads the same memory through tensors without a graph."""
    return replace(plan, feeds=[{name: value.detach() for name, value in feed.items()} for feed in plan.feeds])


def _check_capturable(player: Player) -> None:
    """Raise `RuntimeError` for what a graph would freeze or wait for."""
    optimizer, kind = player.optimizer, type(player.optimizer).__name__
    numbers = [value for state in optimizer.state.values() for value in state.values()]
    if any(isinstance(value, int | float) for value in numbers):
        raise RuntimeError(f"{kind} counts outside the device")
    if player.schedule.moves and not isinstance(optimizer.param_groups[0]["lr"], Tensor):
        raise RuntimeError(f"{kind} takes a learning rate that moves from outside the device")
    if player.scaler.is_enabled() and not getattr(optimizer, "_step_supports_amp_scaling", False):
        raise RuntimeError(f"{kind} waits for the device to learn whether an update is skipped")
