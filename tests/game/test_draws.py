"""What updates are fed: the same numbers for one rank, for several, and for accumulated batches."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ganctl.data.batches import Batches
from ganctl.game.draws import Draws
from ganctl.processes.ranks import Ranks
from tests.game.games import small_game

READS: dict[str, Any] = {"real": None, "share": "uniform", "shift": "normal"}


def of_rank(draws: Draws, rank: int, world: int) -> Draws:
    batches = draws.batches
    shared = Batches(
        batches.store, 8, batches.seed, batches.device, batches.dtype, (-1.0, 1.0), rank=rank, world=world
    )
    return replace(draws, batches=shared, ranks=Ranks(rank, world))


@pytest.mark.parametrize("pack", [1, 2])
@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_ranks_parts_are_the_batch_of_one_rank(world: int, pack: int) -> None:
    draws = small_game("train.batch_size=8", "train.accumulate=2", f"train.pack={pack}").draws
    whole = list(draws.feeds("discriminator", 3, READS))
    ranks = [list(of_rank(draws, rank, world).feeds("discriminator", 3, READS)) for rank in range(world)]
    assert len(whole) == 2
    for part, feed in enumerate(whole):
        assert feed.keys() == {"latents", *READS}
        assert len(feed["share"]) == 8 // pack
        for name, values in feed.items():
            assert torch.equal(torch.cat([feeds[part][name] for feeds in ranks]), values), name


def test_a_feed_holds_what_is_read_and_nothing_else() -> None:
    draws = small_game("train.share_fakes=false").draws
    (feed,) = draws.feeds("generator", 0, {})
    assert feed.keys() == {"latents"}


def test_samples_that_are_shared_are_not_drawn_again() -> None:
    draws = small_game("train.n_dis=2", "train.n_gen=2").draws
    assert [draws.shares_samples("discriminator", number) for number in range(4)] == [False, True, False, True]
    given = [set(next(draws.feeds("generator", number, {}))) for number in range(4)]
    assert given == [set(), {"latents"}, set(), {"latents"}]


def test_a_feed_depends_on_seed_player_and_number_alone() -> None:
    first, again, other = (small_game(f"seed={seed}").draws for seed in (0, 0, 1))
    for number in (5, 2):
        ours, theirs, different = (next(d.feeds("discriminator", number, READS)) for d in (first, again, other))
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert not any(torch.equal(ours[name], different[name]) for name in ours)


@pytest.mark.parametrize("world", [1, 2, 4])
def test_labels_are_sliced_by_rank_with_the_samples_they_belong_to(world: int) -> None:
    draws = small_game("train.batch_size=8", "train.accumulate=2", "model.conditional=true").draws
    whole = list(draws.feeds("discriminator", 3, READS))
    ranks = [list(of_rank(draws, rank, world).feeds("discriminator", 3, READS)) for rank in range(world)]
    for part, feed in enumerate(whole):
        assert feed.keys() == {"latents", "fake_labels", "real_labels", *READS}
        for name in ("latents", "fake_labels", "real_labels"):
            assert torch.equal(torch.cat([feeds[part][name] for feeds in ranks]), feed[name]), name
        stored = draws.batches.store
        rows = draws.batches.indices("discriminator", 6 + part)
        assert stored.labels is not None
        assert torch.equal(feed["real_labels"], stored.labels[rows])


def test_samples_that_are_shared_have_the_labels_they_were_asked_for() -> None:
    draws = small_game("model.conditional=true", "train.n_dis=2").draws
    last = [feed for number in (0, 1) for feed in draws.feeds("discriminator", number, {})][-1]
    (shared,) = draws.feeds("generator", 0, {})
    assert shared.keys() == {"fake_labels"}
    assert torch.equal(shared["fake_labels"], last["fake_labels"])


def test_a_term_that_reads_latents_is_fed_those_of_the_shared_samples() -> None:
    draws = small_game("model.conditional=true").draws
    (last,) = draws.feeds("discriminator", 0, {})
    (shared,) = draws.feeds("generator", 0, {"latents": None})
    assert torch.equal(shared["latents"], last["latents"])


def test_fake_labels_are_as_frequent_as_real_ones() -> None:
    draws = small_game("model.conditional=true").draws
    labels = draws.labels(200_000, "any")
    stored = draws.batches.store.labels
    assert stored is not None
    found, expected = labels.bincount(minlength=10) / len(labels), stored.bincount() / len(stored)
    torch.testing.assert_close(found, expected, rtol=0, atol=0.004)
