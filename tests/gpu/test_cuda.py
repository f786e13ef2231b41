"""Training on a CUDA device; run by scripts/gpu_check."""

import copy
from pathlib import Path

import pytest
import torch

from ganctl.augment import AUGMENTS
from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints import state
from ganctl.checkpoints.file import Header
from ganctl.game.step import Game, train_step
from ganctl.losses import LOSSES
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES
from tests.game.games import small_game
from tests.gpu.waiting import no_waiting

pytestmark = pytest.mark.gpu

TERMS = [
    *(f"loss={name}" for name in sorted((set(LOSSES) - {"wgan"}) | {"wgan_gp"})),
    *(f"penalty=[{name}]" for name in PENALTIES),
    *(f"optimizer={name}" for name in OPTIMIZERS),
    *(f"augment=[{name}]" for name in AUGMENTS),
    "auxiliary=[feature_matching]",
    "train.pack=2",
    "loss.label_noise=0.1",
]
HEADER = Header(config={}, step=3, shape=(1, 8, 8), data="", versions={}, logs={})


def cuda_game(*overrides: str, model: str = "dcgan", data: str = "digits") -> Game:
    return small_game("device.name=cuda", *overrides, model=model, data=data)


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16", "fp64"])
@pytest.mark.parametrize("terms", TERMS)
@pytest.mark.parametrize(("model", "data"), [("dcgan", "digits"), ("mlp", "ring")])
def test_every_term_takes_20_steps_in_every_precision(precision: str, terms: str, model: str, data: str) -> None:
    game = cuda_game(terms, f"device.precision={precision}", model=model, data=data)
    for step in range(20):
        train_step(game, step)
    game.divergence.check()
    assert all(tensor.isfinite().all() for tensor in game.generator.network.state_dict().values())


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(
    "terms",
    [
        ["train.clip_norm=1"],
        ["penalty=[r1,r2,dragan,orthogonal,weight_clipping]", "schedule.learning_rate.shape=cosine"],
        ["auxiliary=[feature_matching,ssim]", "loss.label_noise=0.1", "train.pack=2"],
        ["model.conditional=true", "data.balance=true"],
    ],
    ids=str,
)
def test_no_step_waits_for_the_device(precision: str, terms: list[str]) -> None:
    game = cuda_game(f"device.precision={precision}", "device.graphs=false", *terms)
    train_step(game, 0)
    with no_waiting():
        for step in range(1, 5):
            train_step(game, step)
    game.divergence.check()


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_going_on_from_a_file_equals_never_having_stopped(precision: str, tmp_path: Path) -> None:
    whole, first, second = (cuda_game(f"device.precision={precision}") for _ in range(3))
    for step in range(6):
        train_step(whole, step)
    for step in range(3):
        train_step(first, step)
    checkpoint.write(tmp_path / "state.safetensors", HEADER, state.tensors(first))
    state.restore(second, checkpoint.read_header(tmp_path / "state.safetensors").read())
    for step in range(3, 6):
        train_step(second, step)
    expected, got = state.tensors(whole), state.tensors(second)
    assert [name for name in expected if not torch.equal(expected[name], got[name])] == []


def test_fp32_on_cuda_and_on_the_cpu_learn_alike() -> None:
    cpu, cuda = small_game("device.strict=true"), cuda_game("device.strict=true")
    for ours, theirs in ((cpu.generator, cuda.generator), (cpu.discriminator, cuda.discriminator)):
        theirs.network.load_state_dict(copy.deepcopy(ours.network.state_dict()))
    real = cpu.batches.samples("discriminator", 0)
    torch.testing.assert_close(cuda.batches.samples("discriminator", 0).cpu(), real)
    torch.testing.assert_close(
        cuda.discriminator.network(real.cuda()).cpu(), cpu.discriminator.network(real), rtol=1e-4, atol=1e-5
    )
