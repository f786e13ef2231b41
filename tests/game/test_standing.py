"""Standing statistics against batch statistics that are computed by hand."""

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganctl.game.standing import standing
from ganctl.runtime.device import open_device

CPU = open_device("cpu", "fp64", False, 1)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [spectral_norm(nn.Linear(3, 4)), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2), nn.BatchNorm1d(2)]
    return nn.Sequential(*layers).double()


def batches(count: int) -> list[tuple[Tensor]]:
    source = torch.Generator().manual_seed(1)
    return [(torch.randn(16, 3, generator=source, dtype=torch.float64) * (1 + n),) for n in range(count)]


def test_running_statistics_are_the_plain_averages_of_batch_statistics() -> None:
    generator, few = network(), batches(5)
    standing(generator, few, CPU)
    generator.eval()
    first = torch.stack([generator[0](batch) for (batch,) in few])
    normal = (first - first.mean(1, keepdim=True)) / (first.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    affine = normal * generator[1].weight + generator[1].bias
    second = generator[3](affine.relu())
    for norm, values in ((generator[1], first), (generator[4], second)):
        assert torch.allclose(norm.running_mean, values.mean(1).mean(0), rtol=1e-12, atol=1e-14)
        assert torch.allclose(norm.running_var, values.var(1).mean(0), rtol=1e-12)


def test_all_else_is_as_before() -> None:
    generator = network()
    generator(batches(1)[0][0])
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    standing(generator.train(), batches(3), CPU)
    changed = {name for name, tensor in generator.state_dict().items() if not torch.equal(tensor, before[name])}
    assert {name.rpartition(".")[2] for name in changed} == {"running_mean", "running_var", "num_batches_tracked"}
    assert generator.training
    assert [norm.momentum for norm in (generator[1], generator[4])] == [0.1, 0.1]
    standing(generator.eval(), batches(3), CPU)
    assert not any(module.training for module in generator.modules())


def test_without_batch_norm_no_batch_is_read() -> None:
    standing(nn.Linear(3, 2), iter(()), CPU)
    read = iter(batches(1))
    standing(nn.Linear(3, 2), read, CPU)
    assert next(read)
