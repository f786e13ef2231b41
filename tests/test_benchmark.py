"""The benchmark: its plain loops learn, its table has a row a side, and its words are ganctl's."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from scripts.benchmarks import __main__ as benchmark
from scripts.benchmarks.cases import CASES, MODES
from scripts.benchmarks.plain import Tutorial, dcgan, mlp
from scripts.benchmarks.turns import Measured
from scripts.benchmarks.worker import words_of
from tests.training.composed import composed

LOOPS = ["cross_entropy", "wgan_gp", "relativistic"]


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (12, 16, 16, 1), dtype=torch.uint8)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_plain_step_moves_both_networks(loop: str, pictures: torch.Tensor) -> None:
    tutorial = Tutorial(dcgan(1, 16, 4, loop == "cross_entropy"), pictures, 4, torch.device("cpu"))
    before = [network[-2].weight.clone() for network in (tutorial.generator, tutorial.discriminator)]
    getattr(tutorial, loop)()()
    for weight, network in zip(before, (tutorial.generator, tutorial.discriminator), strict=True):
        assert torch.isfinite(network[-2].weight).all()
        assert not torch.equal(weight, network[-2].weight)


def test_plain_sampling_moves_nothing(pictures: torch.Tensor) -> None:
    tutorial = Tutorial(dcgan(1, 16, 4), pictures, 4, torch.device("cpu"))
    before = {name: value.clone() for name, value in tutorial.generator.state_dict().items()}
    tutorial.sampling()()
    assert all(torch.equal(before[name], value) for name, value in tutorial.generator.state_dict().items())


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.kind == "step"])
@pytest.mark.parametrize("mode", MODES)
def test_each_cases_words_compose_to_networks_of_the_plain_loops_sizes(name: str, mode: str) -> None:
    from ganctl.config import train_config

    case = CASES[name]
    words = words_of(case, {"mnist": "data", "rgb": "pictures.npy", "device": "cpu", "mode": mode, "words": []})
    config = train_config(composed(*words))
    shape = (3 if case.rgb else 1, case.side, case.side)
    plain = dcgan(shape[0], case.side, case.width, case.norm) if case.networks == "dcgan" else mlp(784, shape)
    ours = (config.model.build_generator(shape), config.model.build_discriminator(shape))
    for one, other in zip(ours, plain, strict=True):
        sizes = [
            sorted(tuple(weight.shape) for weight in network.parameters() if weight.dim() > 1)
            for network in (one, other)
        ]
        assert sizes[0] == sizes[1]
    assert config.train.batch_size == case.batch_size
    assert config.train.n_dis == case.updates
    assert config.ema.half_life == 0


def test_ratios_are_taken_turn_by_turn() -> None:
    base, ours = Measured([100.0, 50.0, 80.0], 10), Measured([300.0, 100.0, 200.0], 20)
    rows = benchmark.rows_of(CASES["base"], {"plain": base, "auto": ours})
    assert rows[1]["ratio"] == 2.5
    assert rows[1]["ratios"] == [2.0, 3.0]
    assert rows[1]["images_per_second"] == 200.0


def test_the_benchmark_prints_a_row_a_side(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    digits = np.random.default_rng(0).integers(0, 256, (512, 28, 28), np.uint8)
    header = b"".join(number.to_bytes(4, "big") for number in (0x803, 512, 28, 28))
    (raw / "train-images-idx3-ubyte").write_bytes(header + digits.tobytes())
    (raw / "train-labels-idx1-ubyte").write_bytes(b"\x00\x00\x08\x01\x00\x00\x02\x00" + bytes(512))
    benchmark.main(["--cases", "mlp", "--mnist", str(tmp_path), "--rounds", "2", "--seconds", "0.05", "--json"])
    found = json.loads(capfd.readouterr().out)
    assert [row["side"] for row in found["rows"]] == [words for words, _ in benchmark.SIDES.values()]
    assert all(row["images_per_second"] > 0 for row in found["rows"])
    assert found["rows"][0]["ratio"] == 1


def test_an_unknown_case_is_answered_with_the_known_ones(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(["--cases", "dcgn"])
    assert "there is no 'dcgn'; there are base, example64" in capsys.readouterr().err
