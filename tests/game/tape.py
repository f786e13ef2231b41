"""A stand-in for CUDA graphs on the CPU: it notes every operation on tensors, and does the same ones again.

Like a graph, a tape knows nothing of Python: what Python computed stays as it was when it was recorded, recording
changes nothing, and what would wait for the device, or draw from a generator of its own, cannot be recorded.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

UNDECLARED = ("running_mean", "running_var")
"""What batch norm changes without saying so in its schema."""


@dataclass
class Tape(TorchDispatchMode):
    """The operations of a recorded piece of work."""

    operations: list[tuple[Any, Any, dict[str, Any], Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._before: dict[int, tuple[torch.UntypedStorage, torch.UntypedStorage]] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.ops.aten._local_scalar_dense.default or kwargs.get("generator") is not None:
            raise RuntimeError(f"operation not permitted when stream is capturing: {func}")
        for tensor in changed(func, args, kwargs):
            storage = tensor.untyped_storage()
            self._before.setdefault(storage._cdata, (storage, storage.clone()))
        args, kwargs = tree_map(lambda leaf: leaf, (args, kwargs))  # lists may change hands, and then change
        result = func(*args, **kwargs)
        self.operations.append((func, args, kwargs, result))
        return result

    def undo(self) -> None:
        """Put back what the operations have changed."""
        for storage, before in self._before.values():
            storage.copy_(before)

    def replay(self) -> None:
        """Do the operations again, on and into the same tensors."""
        with torch._C._AutoDispatchBelowAutograd():
            for func, args, kwargs, result in self.operations:
                again = func(*args, **kwargs)
                if not any(given.alias_info for given in func._schema.returns):
                    for place, value in zip(tree_leaves(result), tree_leaves(again), strict=True):
                        if isinstance(place, Tensor):
                            place.copy_(value)

    def spoil(self) -> None:
        """Overwrite what the operations have made, as another graph in the same pool of memory may."""
        with torch._C._AutoDispatchBelowAutograd():
            for func, _, _, result in self.operations:
                if not any(given.alias_info for given in func._schema.returns):
                    for place in tree_leaves(result):
                        if isinstance(place, Tensor) and place.is_floating_point():
                            place.fill_(float("nan"))


def changed(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Tensor]:
    """Return the tensors that an operation is about to change."""
    given = dict(zip((argument.name for argument in func._schema.arguments), args, strict=False)) | kwargs
    written = [
        given.get(argument.name)
        for argument in func._schema.arguments
        if (argument.alias_info is not None and argument.alias_info.is_write) or argument.name in UNDECLARED
    ]
    return [leaf for leaf in tree_leaves(written) if isinstance(leaf, Tensor)]


class Tapes:
    """Records work on tapes; counts what it does."""

    def __init__(self) -> None:
        self.tapes: list[Tape] = []
        self.warm_ups = self.replays = 0

    def warm_up(self, work: Callable[[], None]) -> None:
        """Do the work."""
        self.warm_ups += 1
        work()

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Note what the work does, and leave everything as it was."""
        tape = Tape()
        try:
            with torch.random.fork_rng(devices=[]), tape:
                work()
        finally:
            tape.undo()
        self.tapes.append(tape)
        tape.spoil()

        def replay() -> None:
            self.replays += 1
            for other in self.tapes:
                if other is not tape:
                    other.spoil()
            tape.replay()

        return replay
