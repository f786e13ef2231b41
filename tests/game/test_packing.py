"""Packs: one logit for several samples, as if their channels were one sample's."""

import pytest
import torch
from torch import Tensor

from ganctl.checkpoints import state
from ganctl.game.step import train_step
from ganctl.models import MODELS
from ganctl.models.packed import Packed, build_discriminator
from ganctl.runtime.randomness import seeded
from ganctl.samples import SampleSpace
from scripts.soaks.parts import OF_SEQUENCES
from tests.conftest import TINY, Cli
from tests.game.games import round_of, small_config, small_game

SHAPES = [("mlp", (2,)), ("mlp", (3, 4, 6)), ("dcgan", (1, 8, 8)), ("dcgan", (3, 8, 8))]


@pytest.mark.parametrize("pack", [2, 3])
@pytest.mark.parametrize(("model", "shape"), SHAPES)
def test_a_packed_discriminator_is_the_plain_one_on_concatenated_channels(
    model: str, shape: tuple[int, ...], pack: int
) -> None:
    spec = small_config(model=model).model
    with seeded("same"):
        packed = build_discriminator(spec, SampleSpace.of_shape(shape), pack).eval()
    with seeded("same"):
        plain = spec.build_discriminator(SampleSpace.of_shape((pack * shape[0], *shape[1:]))).eval()
    samples = torch.randn(4 * pack, *shape)
    packs = torch.stack([torch.cat(list(samples[pack * n : pack * (n + 1)])) for n in range(4)])
    assert packed(samples).shape == (4,)
    torch.testing.assert_close(packed(samples), plain(packs))
    torch.testing.assert_close(packed.features(samples), plain.features(packs))


@pytest.mark.parametrize("name", list(MODELS))
def test_a_pack_of_one_is_the_plain_discriminator(name: str) -> None:
    shape = (1, 32) if name in OF_SEQUENCES else (1, 32, 32)
    network = build_discriminator(small_config(model=name).model, SampleSpace.of_shape(shape), 1)
    assert not isinstance(network, Packed)


@pytest.mark.parametrize("pack", [1, 2, 4])
@pytest.mark.parametrize(("model", "data", "values"), [("dcgan", "digits", 64), ("mlp", "ring", 2)])
def test_everything_a_round_says_is_by_judgements(model: str, data: str, values: int, pack: int) -> None:
    game = small_game("train.batch_size=8", f"train.pack={pack}", model=model, data=data)
    game.generator.trainable(False)
    this = round_of(game, "discriminator", 0, any="uniform")
    judgements = 8 // pack
    assert this.real_gradient.shape == this.fake_gradient.shape == (judgements, pack * values)
    assert this.gradient_at(this.real).shape == (judgements, pack * values)
    assert this.real_logits.shape == this.fake_logits.shape == this.uniform("any").shape == (judgements,)
    assert len(this.real_features) == len(this.fake_features) == judgements


def test_a_packs_gradient_is_that_of_its_one_logit_by_all_its_values() -> None:
    game = small_game("train.batch_size=8", "train.pack=4", "device.precision=fp64")
    this = round_of(game, "discriminator")

    def logit_of_second_pack(samples: Tensor) -> Tensor:
        logit: Tensor = game.discriminator.network(torch.cat([this.real.detach()[:4], samples]))[1]
        return logit

    jacobian = torch.autograd.functional.jacobian(logit_of_second_pack, this.real.detach()[4:])
    torch.testing.assert_close(this.real_gradient[1], jacobian.flatten(), rtol=1e-10, atol=1e-14)


def test_packs_in_accumulated_batches_equal_those_of_the_large_batch() -> None:
    choices = ("penalty=[r1,r2,gradient_penalty]", "loss.label_noise=0.3", "device.precision=fp64", "train.pack=2")
    sizes = ({"train.batch_size": size, "train.accumulate": 16 // size} for size in (16, 4))
    games = [
        small_game(*choices, *(f"{key}={value}" for key, value in each.items()), model="mlp", data="ring")
        for each in sizes
    ]
    for game in games:
        for step in range(3):
            train_step(game, step)
    large, small = (state.tensors(game) for game in games)
    for name in large:
        torch.testing.assert_close(small[name], large[name], rtol=1e-9, atol=1e-12, msg=name)


@pytest.mark.parametrize(
    ("pack", "size", "near"), [(3, 4, "train.batch_size=3"), (8, 4, "train.batch_size=8"), (5, 12, "size=10")]
)
def test_a_pack_that_does_not_divide_the_batch_is_refused(
    pack: int, size: int, near: str, workspace: object, cli: Cli
) -> None:
    outcome = cli("train", *TINY, f"train.pack={pack}", f"train.batch_size={size}")
    told = f"ganctl: train.pack: {pack} does not divide train.batch_size={size}; take "
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(told)
    assert outcome.err.endswith(f"{near}\n")


def test_a_packed_run_trains_resumes_and_samples(workspace: object, cli: Cli) -> None:
    words = (*TINY, "name=run", "train.pack=2")
    assert cli("train", *words).code == 0
    outcome = cli("train", *words, "train.steps=3")
    assert (outcome.code, outcome.err) == (0, "")
    assert "resumed at step 1" in outcome.out
    assert cli("sample", "ckpt=outputs/run", "num=3").code == 0


def test_packed_pictures_keep_the_fast_memory_layout() -> None:
    game = small_game("train.pack=2", "train.batch_size=8")
    packed = game.discriminator.network
    assert isinstance(packed, Packed)
    seen: list[Tensor] = []
    first = next(module for module in packed.modules() if isinstance(module, torch.nn.Conv2d))
    first.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]))
    packed(game.draws.batches.samples("discriminator", 0))
    assert seen[0].shape == (4, 2, 8, 8)
    assert seen[0].is_contiguous(memory_format=torch.channels_last)
