"""Which real samples each update sees: a pure function of the seed and the update's number."""

from functools import cached_property, lru_cache
from time import perf_counter

import torch
from torch import Tensor

from ganctl.data.class_shares import ClassShares
from ganctl.data.store import MappedStore, Prefetch, Store
from ganctl.errors import ConfigError
from ganctl.runtime.randomness import permutation


class Batches:
    """Serves normalised batches of a store on a device.

    Samples are taken in the order of one permutation after another, each keyed by (seed, stream, epoch), and
    batches run on across their borders; so a batch depends on nothing but its own number, and every sample is
    seen once an epoch. They become `dtype`, images in `value_range`. The set is copied to the device if it takes
    less than half of what is free there; else it stays where it is, in host memory or in a file, from which the
    next batch of each stream is then read ahead. With `rows`, int64 [n], only those are served, as if they were
    the whole set. A batch is drawn for all `world` processes; `rank` is served its part of it.

    With `balance` an epoch has as many samples of every class as the largest class has: those of a smaller one all
    come again while they fit, and some once more. Raises `ConfigError` if the samples have no classes.

    `waited` is the time in s that callers of `samples` have waited for rows to be found and gathered.
    """

    def __init__(
        self,
        store: Store,
        batch_size: int,
        seed: int,
        device: torch.device,
        dtype: torch.dtype,
        value_range: tuple[float, float],
        rows: Tensor | None = None,
        *,
        balance: bool = False,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.store = store
        self._rows = rows
        labels = store.labels if store.labels is None or rows is None else store.labels[rows]
        if balance and labels is None:
            reason = f" ({store.without_labels})" if store.without_labels else ""
            raise ConfigError(f"data.balance: the data has no classes{reason}; set it to false")
        shares = None if labels is None else ClassShares(labels)
        self._shares = shares if balance else None
        self._thresholds = None
        if shares is not None:
            self._thresholds = [part.to(device) for part in shares.thresholds(equal=balance)]
        self._count = len(store) if rows is None else len(rows)
        if self._shares is not None:
            self._count = self._shares.epoch
        self.batch_size = batch_size
        self.seed = seed
        self.device = device
        self.dtype = dtype
        self._range = value_range
        self._share = batch_size // world
        self._first = rank * self._share
        self._home = device if _fits(store.samples, device) else store.samples.device
        self._samples = store.samples.to(self._home)
        self._prefetch: Prefetch | None = None
        if isinstance(store, MappedStore) and self._home == store.samples.device:
            self._prefetch = Prefetch(store, device.type == "cuda")
        self.waited = 0.0
        # Per stream the current epoch and the next, where a batch crosses from one to the other.
        self._order = lru_cache(maxsize=4)(self._shuffle)

    def _shuffle(self, stream: str, epoch: int) -> Tensor:
        order = permutation(self._count, self.seed, "order", stream, epoch)
        if self._shares is not None:
            order = self._shares.equal(self.seed, "shares", stream, epoch)[order]
        if self._rows is not None:
            order = self._rows[order]
        if self._home.type != "cuda":
            return order.to(self._home)
        return order.pin_memory().to(self._home, non_blocking=True)

    def indices(self, stream: str, number: int) -> Tensor:
        """Return which samples this rank's part of batch `number` (from 0) holds, int64, in the set's memory."""
        start = number * self.batch_size + self._first
        parts = []
        wanted = self._share
        while wanted > 0:
            epoch, offset = divmod(start, self._count)
            part = self._order(stream, epoch)[offset : offset + wanted]
            parts.append(part)
            start, wanted = start + len(part), wanted - len(part)
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def samples(self, stream: str, number: int) -> Tensor:
        """Return this rank's part of batch `number` (from 0) of a stream, [part, *shape] on the device."""
        started = perf_counter()
        if self._prefetch is not None:
            chosen = self._prefetch.rows(stream, number, self.indices)
        else:
            chosen = self._samples.index_select(0, self.indices(stream, number))
            chosen = chosen.pin_memory() if self._home != self.device else chosen
        self.waited += perf_counter() - started
        return self.store.space.kind.normalise(chosen.to(self.device, non_blocking=True), self._range, self.dtype)

    def labels(self, stream: str, number: int) -> Tensor:
        """Return the labels of what `samples` returns, int64 [part] on the device; the data must have them."""
        chosen = self._labels[self.indices(stream, number)]
        chosen = chosen.pin_memory() if self._home != self.device else chosen
        return chosen.to(self.device, non_blocking=True)

    def drawn_labels(self, uniform: Tensor) -> Tensor:
        """Return labels, int64 [n], for float numbers [n] in [0, 1), each class as often as it is served.

        All is done on the device, where `uniform` is. The data must have labels.
        """
        assert self._thresholds is not None
        classes, thresholds = self._thresholds
        return classes[torch.searchsorted(thresholds, uniform.float(), right=True)]

    @cached_property
    def _labels(self) -> Tensor:
        assert self.store.labels is not None
        return self.store.labels.to(self._home)


def _fits(samples: Tensor, device: torch.device) -> bool:
    if device.type != "cuda":
        return True
    torch.cuda.empty_cache()  # what torch keeps for later is free, too
    free, _ = torch.cuda.mem_get_info(device)
    return samples.nbytes < free / 2
