"""FreezeD: the first layers of a discriminator stay as they are, and nothing is kept or computed for them."""

from itertools import chain

import pytest
import torch
from torch import nn

from ganctl.checkpoints import state
from ganctl.errors import ConfigError
from ganctl.game.build import build_game, open_configured
from ganctl.game.outline import outline
from ganctl.game.step import train_step
from ganctl.models import MODELS, Discriminator
from ganctl.rules import check
from tests.game.games import small_config, small_game

FROZEN = "model.discriminator.frozen"
CLIPPING = ["penalty=[weight_clipping]", "penalty.weight_clipping.limit=1e-4"]


def discriminator(*overrides: str, model: str = "dcgan") -> Discriminator:
    network = small_game(*overrides, model=model).discriminator.network
    assert isinstance(network, Discriminator)
    return network


@pytest.mark.parametrize("model", list(MODELS))
def test_stages_are_all_layers_of_a_discriminator_but_its_heads_each_once(model: str) -> None:
    network = discriminator("model.conditional=true", model=model)
    ids = [id(weight) for weight in chain(*network.stages())]
    always = [network.heads, getattr(network, "mapping", None)]  # and what StyleGAN2 maps classes by
    heads = {id(weight) for each in always if each is not None for weight in each.parameters()}
    assert sorted(ids) == sorted(id(weight) for weight in network.parameters() if id(weight) not in heads)
    assert len(network.stages()) > 1


def test_a_norm_belongs_to_the_layer_before_it() -> None:
    network = discriminator("data.resolution=32")
    convolutions = [each for each in network.modules() if isinstance(each, nn.Conv2d)]
    stages = network.stages()
    assert [stage[0] is layer.weight for stage, layer in zip(stages, convolutions, strict=True)] == [True] * 4
    norms = [each for each in network.modules() if isinstance(each, nn.BatchNorm2d)]
    assert [any(norm.weight is weight for weight in stages[1 + place]) for place, norm in enumerate(norms)] == [
        True
    ] * 2


@pytest.mark.parametrize(("model", "share"), [*((name, "true") for name in MODELS), ("dcgan", "false")])
def test_frozen_stages_keep_their_weights_and_have_no_slots_and_the_others_learn(model: str, share: str) -> None:
    """Stages are the model's affair; whether fakes are shared is the step's, the same for all models."""
    share = f"train.share_fakes={share}"
    game = small_game(f"{FROZEN}=1", "train.n_dis=2", "train.clip_norm=1", share, model=model)
    network = game.discriminator.network
    assert isinstance(network, Discriminator)
    kept = {id(weight) for weight in network.stages()[0]}
    before = {name: weight.detach().clone() for name, weight in network.named_parameters()}
    for step in range(2):
        train_step(game, step)
    frozen = {name for name, weight in network.named_parameters() if id(weight) in kept}
    moved = {name for name, weight in network.named_parameters() if not torch.equal(weight, before[name])}
    assert frozen
    assert not moved & frozen
    assert len(moved) > 0.7 * (len(before) - len(frozen))
    saved = state.tensors(game)
    optimizer = "optimizer.discriminator"
    slots = {name.removeprefix(f"{optimizer}.") for name in saved if name.startswith(optimizer)}
    assert {name.partition(".")[2] for name in slots} == before.keys() - frozen
    config = small_config(f"{FROZEN}=1", model=model)
    members = outline(config, config.model.space(game.draws.batches.store.space))
    assert members[optimizer].outline().keys() == slots


def test_a_game_with_frozen_layers_goes_on_bit_for_bit_from_its_state() -> None:
    config = small_config(f"{FROZEN}=2", "data.resolution=32")
    device, store = open_configured(config.device, config.data.kind), config.data.load()
    first, second = (build_game(config, store, device) for _ in range(2))
    for step in range(2):
        train_step(first, step)
    state.restore(second, state.copied(first))
    for game in (first, second):
        train_step(game, 2)
    ours, theirs = state.tensors(first), state.tensors(second)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def test_packs_are_seen_by_the_same_stages() -> None:
    game = small_game(f"{FROZEN}=1", "train.pack=2")
    assert "judge.halvings.0.weight" in dict(game.discriminator.network.named_parameters())
    assert "judge.halvings.0.weight" not in game.discriminator.learned


def test_constraints_leave_frozen_weights_alone() -> None:
    game = small_game(
        f"{FROZEN}=1", "penalty=[weight_clipping]", "penalty.weight_clipping.limit=1e-4", "data.resolution=32"
    )
    train_step(game, 0)
    largest = {name: weight.abs().max().item() for name, weight in game.discriminator.network.named_parameters()}
    assert largest["halvings.0.weight"] > 1e-3 > 2e-4 > largest["halvings.2.weight"]


def test_a_discriminator_with_nothing_left_to_train_is_refused() -> None:
    stages = len(discriminator().stages())
    with pytest.raises(ConfigError, match=rf"frozen: {stages} leaves none of {stages} layers to train; take"):
        small_game(f"{FROZEN}={stages}")


def test_random_frozen_layers_are_warned_of() -> None:
    assert any(line.startswith(FROZEN) for line in check(small_config(f"{FROZEN}=1")))
    assert not any(line.startswith(FROZEN) for line in check(small_config(f"{FROZEN}=1", init_from="run")))
