"""The step: what each update computes, changes and leaves alone."""

import copy
from collections import Counter
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganctl.checkpoints import state
from ganctl.game.step import Game, train_step
from ganctl.losses import LOSSES
from tests.game.games import round_of, small_game, small_games, update

LOSS_CHOICES = sorted((set(LOSSES) - {"wgan"}) | {"wgan_gp"})


def weights(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def same(before: list[Tensor], after: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, after, strict=True))


def play(game: Game, steps: int, start: int = 0) -> None:
    for step in range(start, start + steps):
        train_step(game, step)


def forwards(game: Game, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    counts: Counter[str] = Counter()

    def count(network: nn.Module, method: str, name: str) -> None:
        inner = getattr(network, method)
        monkeypatch.setattr(network, method, lambda *given: (counts.update([name]), inner(*given))[1])

    count(game.generator.network, "forward", "generator")
    count(game.discriminator.network, "features", "discriminator")
    count(game.discriminator.network, "logits", "judge")
    return counts


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("loss", LOSS_CHOICES)
def test_an_update_lowers_the_players_own_loss_on_the_same_batch(player: str, loss: str) -> None:
    game = small_game(
        f"loss={loss}", "optimizer=sgd", "optimizer.lr=1e-3", "device.precision=fp64", model="mlp", data="ring"
    )
    mover, other = (game.discriminator, game.generator)
    if player == "generator":
        mover, other = other, mover
    values = []
    for _ in range(2):
        update(game, mover)
        values.append(sum(term.weight * mover.values[term.name] for term in mover.terms))
    assert values[1] < values[0]


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_an_update_leaves_the_opponents_weights_and_gradients_alone(player: str) -> None:
    game = small_game()
    mover, other = (game.discriminator, game.generator)
    if player == "generator":
        mover, other = other, mover
    before = weights(other.network)
    update(game, mover)
    assert same(before, weights(other.network))
    assert all(parameter.grad is None for parameter in other.parameters)
    assert all(parameter.grad is not None for parameter in mover.parameters)


def test_the_adversarial_update_equals_textbook_gradient_descent() -> None:
    game = small_game("optimizer=sgd", "optimizer.lr=0.1", "device.precision=fp64", model="mlp", data="ring")
    generator, discriminator = (copy.deepcopy(player.network) for player in (game.generator, game.discriminator))
    real = game.draws.batches.samples("discriminator", 0)
    fake = generator(game.draws.latents(game.draws.batch_size, "discriminator", 0)).detach()
    one, zero = torch.ones(len(real), dtype=real.dtype), torch.zeros(len(real), dtype=real.dtype)
    cross_entropy = nn.functional.binary_cross_entropy_with_logits
    loss = cross_entropy(discriminator(real), one) + cross_entropy(discriminator(fake), zero)
    expected = [
        weight - 0.1 * gradient
        for weight, gradient in zip(
            discriminator.parameters(), torch.autograd.grad(loss, list(discriminator.parameters())), strict=True
        )
    ]
    update(game, game.discriminator)
    for ours, theirs in zip(game.discriminator.parameters, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("overrides", "discriminator", "judge", "generator"),
    [
        ((), 3, 3, 1),
        (("penalty=[r1]",), 3, 3, 1),
        (("penalty=[r1,r2]",), 3, 3, 1),
        (("penalty=[dragan]",), 4, 4, 1),
        (("loss=wgan_gp", "train.n_dis=1"), 4, 4, 1),
        (("loss=relativistic", "penalty=[r1,r2]"), 4, 4, 1),
        (("auxiliary=[feature_matching]",), 4, 3, 1),
        (("loss=relativistic", "auxiliary=[feature_matching]"), 4, 4, 1),
        (("auxiliary=[ssim]", "penalty=[orthogonal]", "train.pack=2"), 3, 3, 1),
        (("train.share_fakes=false",), 3, 3, 2),
        (("train.first=generator",), 3, 3, 2),
        (("train.n_dis=3", "train.n_gen=2"), 8, 8, 4),
        (("train.accumulate=2",), 6, 6, 4),
    ],
)
def test_no_forward_is_paid_for_twice(
    overrides: tuple[str, ...], discriminator: int, judge: int, generator: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    game = small_game(*overrides)
    counts = forwards(game, monkeypatch)
    train_step(game, 0)
    assert counts == {"discriminator": discriminator, "judge": judge, "generator": generator}


@pytest.mark.parametrize(
    ("overrides", "model", "data"),
    [
        ((), "dcgan", "digits"),
        (("device.precision=bf16", "penalty=[r1,r2]"), "dcgan", "digits"),
        (("loss=relativistic", "penalty=[r1,r2]", "train.n_dis=2", "train.n_gen=2"), "mlp", "digits"),
        (("loss=wgan_gp", "device.precision=fp64"), "mlp", "ring"),
    ],
)
def test_shared_fakes_change_no_bit_of_what_generating_them_again_would_give(
    overrides: tuple[str, ...], model: str, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, again = small_games(2, *overrides, model=model, data=data)
    play(shared, 3)
    feeds = again.draws.feeds

    def with_latents(player: Any, number: int, reads: Any) -> Any:
        for feed in feeds(player, number, reads):
            yield {"latents": again.draws.latents_of(player, number), **feed}

    monkeypatch.setattr(again.draws, "shares_samples", lambda player, number: False)
    monkeypatch.setattr(again.draws, "feeds", with_latents)
    play(again, 3)
    for name in ("generator", "discriminator"):
        assert same(weights(getattr(shared, name).network), weights(getattr(again, name).network))


@pytest.mark.parametrize(
    ("overrides", "shared"),
    [
        ((), {(0, 2), (2, 5)}),
        (("train.share_fakes=false",), set()),
        (("train.first=generator",), set()),
        (("train.accumulate=2",), {(0, 2), (2, 5)}),
    ],
)
def test_a_steps_first_turn_of_the_generator_has_the_latents_of_the_discriminators_last(
    overrides: tuple[str, ...], shared: set[tuple[int, int]]
) -> None:
    game = small_game("train.n_dis=3", "train.n_gen=2", *overrides)
    of_generator = [game.draws.latents_of("generator", turn) for turn in range(4)]
    of_discriminator = [game.draws.latents_of("discriminator", turn) for turn in range(6)]
    equal = {
        (turn, other)
        for turn, drawn in enumerate(of_generator)
        for other, elsewhere in enumerate(of_discriminator)
        if torch.equal(drawn, elsewhere)
    }
    assert equal == shared


def test_n_dis_n_gen_and_first_order_the_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    game = small_game("train.n_dis=3", "train.n_gen=2", "train.first=generator")
    played: list[tuple[str, int]] = []
    feeds = game.draws.feeds
    monkeypatch.setattr(
        game.draws,
        "feeds",
        lambda player, number, reads: (played.append((player, number)), feeds(player, number, reads))[1],
    )
    train_step(game, 1)
    assert played == [("generator", 2), ("generator", 3), *(("discriminator", turn) for turn in (3, 4, 5))]


def test_accumulation_equals_the_large_batch() -> None:
    systems = [
        small_game(
            f"train.batch_size={size}",
            f"train.accumulate={16 // size}",
            "penalty=[r1,gradient_penalty]",
            "device.precision=fp64",
            model="mlp",
            data="ring",
        )
        for size in (16, 4)
    ]
    for game in systems:
        play(game, 3)
    large, small = (state.tensors(game) for game in systems)
    for name in large:
        torch.testing.assert_close(small[name], large[name], rtol=1e-9, atol=1e-12, msg=name)


def test_a_lazy_term_is_computed_every_so_many_turns_and_weighted_by_as_many() -> None:
    lazy = small_game("penalty=[r1]", "penalty.r1.every=2", "penalty.r1.weight=3", "device.precision=fp64")
    eager = small_game("penalty=[r1]", "penalty.r1.every=1", "penalty.r1.weight=6", "device.precision=fp64")
    none = small_game("device.precision=fp64")
    for game in (lazy, eager, none):
        update(game, game.discriminator, step=2)
    assert same(weights(lazy.discriminator.network), weights(eager.discriminator.network))
    lazy, none = small_game("penalty=[r1]", "penalty.r1.every=2"), small_game()
    for game in (lazy, none):
        update(game, game.discriminator, step=1)
    assert same(weights(lazy.discriminator.network), weights(none.discriminator.network))
    assert "r1" not in lazy.discriminator.values


def test_the_gradient_norm_is_clipped_and_reported_as_it_was() -> None:
    game = small_game("train.clip_norm=0.01", "optimizer=sgd", "optimizer.lr=1", "device.precision=fp64")
    before = weights(game.discriminator.network)
    update(game, game.discriminator)
    moved = torch.cat(
        [(a - b).flatten() for a, b in zip(before, weights(game.discriminator.network), strict=True)]
    ).norm()
    assert moved.item() == pytest.approx(0.01, rel=1e-3)
    assert game.discriminator.values["gradient_norm"] > 0.02


def test_gradient_entries_are_clipped_by_value() -> None:
    game = small_game("train.clip_value=1e-4", "optimizer=sgd", "optimizer.lr=1", "device.precision=fp64")
    before = weights(game.discriminator.network)
    update(game, game.discriminator)
    moved = [(a - b).abs().max() for a, b in zip(before, weights(game.discriminator.network), strict=True)]
    assert max(moved).item() == pytest.approx(1e-4, rel=1e-6)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp16", torch.float16)])
def test_mixed_precision_is_used_in_the_step(precision: str, dtype: torch.dtype) -> None:
    game = small_game(f"device.precision={precision}")
    seen: dict[str, set[torch.dtype]] = {"forward": set(), "logits": set()}

    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        seen["forward"].add(output.dtype)

    for player in (game.generator, game.discriminator):
        for module in player.network.modules():
            if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
                module.register_forward_hook(note)
    train_step(game, 0)
    assert seen["forward"] == {dtype}
    assert {logits.dtype for logits in game.discriminator.last.logits.values()} == {torch.float32}
    assert {parameter.dtype for parameter in game.generator.parameters} == {torch.float32}
    assert game.generator.scaler.is_enabled() == (precision == "fp16")
    assert game.generator.scaler is not game.discriminator.scaler


def test_fp16_penalties_run_their_own_forward_in_full_precision() -> None:
    game = small_game("penalty=[r1]", "device.precision=fp16")
    seen: list[torch.dtype] = []
    first = next(module for module in game.discriminator.network.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    update(game, game.discriminator)
    assert sorted(map(str, seen)) == ["torch.float16", "torch.float16", "torch.float32"]


def test_a_step_depends_on_nothing_but_the_state_before_it() -> None:
    one, other = small_game("model.discriminator.dropout=0.3"), small_game("model.discriminator.dropout=0.3")
    play(one, 3)
    for step in range(3):
        torch.manual_seed(step * 7 + 1)
        torch.rand(step + 1)
        train_step(other, step)
    theirs = state.tensors(other)
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in state.tensors(one).items())


def test_a_value_that_is_not_finite_is_named_with_step_network_and_term() -> None:
    from ganctl.errors import DivergenceError

    game = small_game("penalty=[r1]")
    play(game, 2)
    with torch.no_grad():
        game.discriminator.parameters[0].fill_(float("nan"))
    play(game, 2, start=2)
    with pytest.raises(DivergenceError, match=r"step 3: the discriminator's (r1|adversarial) is not finite"):
        game.divergence.check()


def test_an_fp16_penaltys_gradient_is_computed_in_full_precision_too() -> None:
    tiny = "train.batch_size=4"
    half, full = (
        small_game(f"device.precision={precision}", tiny, model="mlp", data="ring")
        for precision in ("fp16", "fp32")
    )
    for game in (half, full):
        with torch.no_grad():
            for weight in game.discriminator.parameters:
                weight.mul_(0.02)
        game.generator.trainable(False)
    with half.device.autocast():
        ours = round_of(half, "discriminator").real_gradient
    theirs = round_of(full, "discriminator").real_gradient
    assert theirs.abs().max() < 1e-6
    torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=0)


def test_fp16_that_overflows_at_every_step_is_a_divergence() -> None:
    from ganctl.errors import DivergenceError

    game = small_game("device.precision=fp16")
    train_step(game, 0)
    game.check()
    game.discriminator.scaler.update(2.0**-30)
    with pytest.raises(DivergenceError, match="discriminator's gradients overflow"):
        game.check()
