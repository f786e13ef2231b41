"""The processes that train one run together, one unless torch has a process group."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from torch import Tensor, distributed

from ganctl.runtime.console import silenced


@dataclass(frozen=True)
class Ranks:
    """This process, number `rank` of `world`, counted from 0."""

    rank: int = 0
    world: int = 1

    @classmethod
    def here(cls) -> "Ranks":
        """Return those of the process group; rank 0 of 1 where there is none."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls()
        return cls(distributed.get_rank(), distributed.get_world_size())

    @property
    def first(self) -> bool:
        """Whether this process writes what the run leaves and prints what people see."""
        return self.rank == 0

    def speaking(self) -> AbstractContextManager[None]:
        """Return a context in which all but the first rank are silent."""
        return nullcontext() if self.first else silenced()

    def average(self, gradients: Iterable[Tensor]) -> None:
        """Replace gradients by their means over all ranks, in place; in one process they are that already."""
        if self.world > 1:
            for gradient in gradients:
                distributed.all_reduce(gradient)
                gradient /= self.world
