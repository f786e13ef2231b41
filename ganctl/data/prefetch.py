"""Reading the next batch of each stream while the current one is trained on."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from ganctl.data.mapped import MappedStore


class Prefetch:
    """Gathers rows of a mapped store, ahead of time and in one thread of its own where numbers follow each other.

    That thread touches NumPy alone: an operation of torch in it would start a second team of OpenMP threads, which
    takes the processor from the step's. `pinned` puts rows into memory from which CUDA copies without waiting.
    """

    def __init__(self, store: MappedStore, pinned: bool) -> None:
        self._pixels = store.pixels
        self._pinned = pinned
        self._thread = ThreadPoolExecutor(1, "ganctl-prefetch")
        self._ahead: dict[str, tuple[int, Future[None], Tensor]] = {}

    def rows(self, stream: str, number: int, indices: Callable[[str, int], Tensor]) -> Tensor:
        """Return batch `number` of a stream, uint8 [batch, height, width, channels], and start on the next.

        `indices(stream, number)` says which rows a batch holds.
        """
        ready, future, batch = self._ahead.pop(stream, (None, None, None))
        if ready != number or future is None or batch is None:
            future, batch = self._start(indices(stream, number))
        self._ahead[stream] = (number + 1, *self._start(indices(stream, number + 1)))
        future.result()
        return batch

    def _start(self, chosen: Tensor) -> tuple[Future[None], Tensor]:
        shape = (len(chosen), *self._pixels.array.shape[1:])
        batch = torch.empty(shape, dtype=torch.uint8, pin_memory=self._pinned)
        return self._thread.submit(self._pixels.gather, chosen.numpy(), batch.numpy()), batch
