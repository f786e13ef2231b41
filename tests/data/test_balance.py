"""Every class equally often, and labels drawn as often as classes come."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from ganctl.data import class_shares
from ganctl.data.batches import Batches
from ganctl.data.store import MappedPixels, MappedStore, Store
from ganctl.errors import ConfigError

CPU = torch.device("cpu")


def unbalanced(*counts: int, classes: int = 0) -> Store:
    """Points that are their own row numbers; class k has counts[k] of them, in mixed order."""
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))]
    names = tuple(map(str, range(max(classes, len(counts)))))
    return Store(torch.arange(len(labels), dtype=torch.float32)[:, None], labels, names)


def batches(store: Store, batch_size: int = 4, *, balance: bool = True, seed: int = 0, **keys) -> Batches:
    return Batches(store, batch_size, seed, CPU, torch.float64, (-1, 1), balance=balance, **keys)


def epoch(store: Store, number: int = 0, stream: str = "d", seed: int = 0) -> torch.Tensor:
    """Return the rows of an epoch of equal shares, which is one batch."""
    counts = torch.bincount(store.labels)
    length = int((counts > 0).sum() * counts.max())
    return batches(store, length, seed=seed).indices(stream, number)


@pytest.mark.parametrize("counts", [(7, 3, 1), (1, 1), (5,), (6, 0, 2), (12, 4, 4, 3)])
def test_every_class_comes_as_often_as_the_largest_and_its_rows_as_evenly_as_can_be(counts):
    store = unbalanced(*counts)
    for number in range(3):
        times = Counter(epoch(store, number).tolist())
        assert times.keys() == set(range(len(store)))
        for label, count in enumerate(counts):
            of_class = [times[row] for row in range(len(store)) if store.labels[row] == label]
            assert sum(of_class) == (max(counts) if count else 0)
            assert set(of_class) <= {max(counts) // max(count, 1), max(counts) // max(count, 1) + 1}


def test_epochs_run_on_across_the_borders_of_batches():
    store = unbalanced(7, 3, 1)
    drawn = torch.cat([batches(store, 4).indices("d", number) for number in range(21)])
    assert torch.equal(drawn, torch.cat([epoch(store, number) for number in range(4)]))


def test_other_rows_come_once_more_in_other_epochs_streams_and_seeds_and_all_are_shuffled():
    store = unbalanced(50, 30)
    more = {
        frozenset(row for row, times in Counter(each.tolist()).items() if times == 2)
        for each in (epoch(store), epoch(store, 1), epoch(store, stream="g"), epoch(store, seed=1))
    }
    assert len(more) == 4
    labels = store.labels[epoch(store)]
    assert 20 < int((labels[1:] != labels[:-1]).sum()) < 80


def test_a_balanced_batch_depends_on_its_number_alone():
    store = unbalanced(9, 2)
    backwards = {number: batches(store).indices("d", number).tolist() for number in (10**12, 7, 0)}
    forwards = batches(store)
    assert all(forwards.indices("d", number).tolist() == backwards[number] for number in sorted(backwards))


def test_without_balance_labels_change_nothing():
    store = unbalanced(9, 2)
    plain = batches(Store(store.samples), balance=False)
    for number in range(5):
        assert torch.equal(batches(store, balance=False).indices("d", number), plain.indices("d", number))


@pytest.mark.parametrize("world", [2, 4])
def test_the_balanced_parts_of_all_ranks_are_the_batch_of_one_process(world):
    store = unbalanced(7, 3, 1)
    whole = batches(store, 8)
    ranks = [batches(store, 8, rank=rank, world=world) for rank in range(world)]
    for number in range(6):
        assert torch.equal(torch.cat([each.samples("d", number) for each in ranks]), whole.samples("d", number))
        assert torch.equal(torch.cat([each.labels("d", number) for each in ranks]), whole.labels("d", number))


def test_balanced_batches_of_a_file_are_those_of_memory(tmp_path: Path):
    pixels = np.random.default_rng(0).integers(0, 256, (11, 4, 5, 3), np.uint8)
    np.save(tmp_path / "samples.npy", pixels)
    kept = MappedPixels(tmp_path / "samples.npy")
    labels, names = torch.arange(11) // 9, ("a", "b")
    inside = Store(torch.from_numpy(pixels), labels, names)
    outside = MappedStore(kept.tensor(), labels, names, pixels=kept, sha256=inside.fingerprint)
    ours, theirs = batches(outside), batches(inside)
    for number in (0, 1, 2, 7, 3):
        assert torch.equal(ours.samples("d", number), theirs.samples("d", number))
        assert torch.equal(ours.labels("d", number), theirs.labels("d", number))


def test_chosen_rows_are_balanced_as_if_they_were_the_whole_set():
    store = unbalanced(9, 4, 3)
    rows = torch.arange(1, 16, 2)
    chosen = batches(store, rows=rows)
    alone = batches(Store(store.samples[rows], store.labels[rows], store.classes))
    uniform = torch.linspace(0, 0.99, 50)
    for number in range(8):
        assert torch.equal(chosen.indices("x", number), rows[alone.indices("x", number)])
    assert torch.equal(chosen.drawn_labels(uniform), alone.drawn_labels(uniform))


def test_a_thousand_classes_are_balanced():
    labels = torch.cat([torch.arange(1000), torch.zeros(99, dtype=torch.int64)])
    store = Store(torch.arange(1099.0)[:, None], labels, tuple(map(str, range(1000))))
    counts = torch.bincount(store.labels[epoch(store)], minlength=1000)
    assert counts.tolist() == [100] * 1000


def test_an_epoch_stays_short_where_few_classes_have_most_samples(monkeypatch):
    monkeypatch.setattr(class_shares, "LONGEST_EPOCH", 12)
    store = unbalanced(50, 2, 1)
    source = batches(store, 12)
    first, second = source.indices("d", 0), source.indices("d", 1)
    assert torch.bincount(store.labels[first]).tolist() == [4, 4, 4]
    large = [set(part[store.labels[part] == 0].tolist()) for part in (first, second)]
    assert large[0] != large[1]


@pytest.mark.parametrize(("reason", "told"), [("", ""), ("points have none", " (points have none)")])
def test_balance_without_classes_is_refused_in_one_line(reason, told):
    with pytest.raises(ConfigError) as refused:
        batches(Store(torch.zeros(3, 1), without_labels=reason))
    assert str(refused.value) == f"data.balance: the data has no classes{told}; set it to false"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("counts", "balance", "shares"),
    [
        ((5, 3, 2), False, (0.5, 0.3, 0.2)),
        ((5, 3, 2), True, (1 / 3, 1 / 3, 1 / 3)),
        ((6, 0, 2), False, (0.75, 0, 0.25)),
        ((6, 0, 2), True, (0.5, 0, 0.5)),
        ((0, 4, 0), False, (0, 1, 0)),
        ((3,), True, (1,)),
    ],
)
def test_labels_are_drawn_as_often_as_classes_are_served(dtype, counts, balance, shares):
    source = batches(unbalanced(*counts), balance=balance)
    labels = source.drawn_labels((torch.arange(1200, dtype=dtype) + 0.5) / 1200)
    assert (labels.dtype, labels.shape) == (torch.int64, (1200,))
    assert (labels[1:] >= labels[:-1]).all()
    assert torch.bincount(labels, minlength=len(counts)).tolist() == [round(1200 * share) for share in shares]


def test_the_ends_of_the_interval_are_classes_that_occur():
    source = batches(unbalanced(0, 4, 4, 0, classes=6), balance=False)
    below, one = torch.nextafter(torch.tensor([0.5, 1.0]), torch.tensor(0.0)).tolist()
    assert source.drawn_labels(torch.tensor([0.0, below, 0.5, one, 1.0])).tolist() == [1, 1, 2, 2, 2]
