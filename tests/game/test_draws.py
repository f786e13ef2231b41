"""What updates are fed: the same numbers for one rank, for several, and for accumulated batches."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from ganctl.data.batches import Batches
from ganctl.game.draws import Draws
from ganctl.runtime.ranks import Ranks
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
