"""The benchmark: its plain loops learn, its tables have their rows, and its words are ganctl's."""

import contextlib
import io
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image, ImageColor

from ganctl.cli import main
from ganctl.config import train_config
from ganctl.samples import SampleSpace
from scripts.benchmarks import __main__ as benchmark
from scripts.benchmarks import commands, decoding, exports, peak, profile, scale, steps, turns, worker
from scripts.benchmarks.cases import CASES, EAGER, MODES, random_images, words_of
from scripts.benchmarks.plain import Tutorial, dcgan, in_bf16, loaded, mlp, resident
from scripts.benchmarks.turns import Measured
from tests.composed import composed

CPU = torch.device("cpu")

LOOPS = ["cross_entropy", "wgan_gp", "relativistic"]


@pytest.fixture
def pictures() -> torch.Tensor:
    return torch.randint(0, 256, (12, 16, 16, 1), dtype=torch.uint8)


@pytest.mark.parametrize("loop", LOOPS)
def test_a_plain_step_moves_both_networks(loop: str, pictures: torch.Tensor) -> None:
    tutorial = Tutorial(dcgan(1, 16, 4, loop == "cross_entropy"), loaded(pictures, 4, CPU), CPU)
    before = [network[-2].weight.clone() for network in (tutorial.generator, tutorial.discriminator)]
    getattr(tutorial, loop)()()
    for weight, network in zip(before, (tutorial.generator, tutorial.discriminator), strict=True):
        assert torch.isfinite(network[-2].weight).all()
        assert not torch.equal(weight, network[-2].weight)


def test_plain_sampling_moves_nothing(pictures: torch.Tensor) -> None:
    tutorial = Tutorial(dcgan(1, 16, 4), loaded(pictures, 4, CPU), CPU)
    before = {name: value.clone() for name, value in tutorial.generator.state_dict().items()}
    tutorial.sampling()()
    assert all(torch.equal(before[name], value) for name, value in tutorial.generator.state_dict().items())


def test_the_loop_with_data_on_the_device_sees_the_pictures_and_computes_in_bf16() -> None:
    pictures = torch.arange(256, dtype=torch.uint8)[:, None, None, None].expand(-1, 16, 16, 1)
    seen = next(resident(pictures, 100, CPU))
    assert seen.shape == (100, 1, 16, 16)
    values = ((seen[:, 0, 0, 0] + 1) * 127.5).round()
    assert len(set(values.tolist())) > 50
    tutorial = Tutorial(dcgan(1, 16, 4), resident(pictures, 8, CPU), CPU)
    types: list[torch.dtype] = []
    tutorial.discriminator[0].register_forward_hook(lambda _, __, found: types.append(found.dtype))
    before = tutorial.generator[1].weight.clone()
    in_bf16(tutorial.cross_entropy(), CPU)()
    assert set(types) == {torch.bfloat16}
    assert not torch.equal(before, tutorial.generator[1].weight)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.kind == "step" and case.loop])
@pytest.mark.parametrize("mode", MODES)
def test_each_cases_words_compose_to_networks_of_the_plain_loops_sizes(name: str, mode: str) -> None:
    case = CASES[name]
    words = words_of(case, mode, mnist="data", device="cpu", rgb="pictures.npy")
    config = train_config(composed(*words))
    shape = (3 if case.rgb else 1, case.side, case.side)
    plain = dcgan(shape[0], case.side, case.width, case.norm) if case.networks == "dcgan" else mlp(784, shape)
    space = SampleSpace.of_shape(shape)
    ours = (config.model.build_generator(space), config.model.build_discriminator(space))
    for one, other in zip(ours, plain, strict=True):
        sizes = [
            sorted(tuple(weight.shape) for weight in network.parameters() if weight.dim() > 1)
            for network in (one, other)
        ]
        assert sizes[0] == sizes[1]
    assert config.train.batch_size == case.batch_size
    assert config.train.n_dis == case.updates
    assert config.ema.half_life == 0


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("sngan", (1_204_483, 1_053_825)),
        ("biggan", (1_230_852, 1_075_586)),
        ("r3gan", (1_644_096, 1_632_000)),
        ("stylegan2", (1_530_131, 1_297_153)),
        ("fastgan", (3_395_694 - 48, 1_900_060)),  # without the head of 128 pixels
    ],
)
@pytest.mark.usefixtures("quick_spectral_norm")
def test_residual_cases_have_the_sizes_of_the_official_code_that_was_timed(
    name: str, weights: tuple[int, int]
) -> None:
    case = CASES[name]
    config = train_config(composed(*words_of(case, "auto", mnist="data", device="cpu", rgb="pictures.npy")))
    space = config.model.space(SampleSpace.of_shape((3, case.side, case.side), classes=tuple("abcdefghij")))
    with torch.device("meta"):
        networks = (config.model.build_generator(space), config.model.build_discriminator(space))
    assert tuple(sum(weight.numel() for weight in network.parameters()) for network in networks) == weights
    assert (config.train.batch_size, config.train.n_dis) == (8 if name == "fastgan" else 64, case.updates)


def test_each_side_counts_its_own_images(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[int]] = []

    def noted(sides: list[dict[str, Any]], images: list[int], rounds: int, seconds: float) -> list[Measured]:
        told.append(images)
        assert sides[0]["case"] == "base"
        return [Measured([1.0], 0) for _ in sides]

    monkeypatch.setattr(steps, "in_turns", noted)
    steps.measure("sngan", benchmark.options_of(["--cases", "sngan", "--sides", "plain,auto"]))
    assert told == [[128, 5 * 64]]


def test_ratios_are_taken_turn_by_turn() -> None:
    base, ours = Measured([100.0, 50.0, 80.0], 10), Measured([300.0, 100.0, 200.0], 20)
    rows = steps.rows_of(CASES["base"], {"plain": base, "auto": ours})
    assert rows[1]["ratio"] == 2.5
    assert (rows[1]["least"], rows[1]["most"]) == (2.0, 3.0)
    assert rows[1]["images_per_second"] == 200.0


@pytest.fixture
def mnist(tmp_path: Path) -> str:
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    digits = np.random.default_rng(0).integers(0, 256, (512, 28, 28), np.uint8)
    header = b"".join(number.to_bytes(4, "big") for number in (0x803, 512, 28, 28))
    (raw / "train-images-idx3-ubyte").write_bytes(header + digits.tobytes())
    (raw / "train-labels-idx1-ubyte").write_bytes(b"\x00\x00\x08\x01\x00\x00\x02\x00" + bytes(512))
    return str(tmp_path)


Measure = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def measured(mnist: str, capfd: pytest.CaptureFixture[str]) -> Measure:
    """Return the rows of a table, measured shortly."""

    def measure(table: str, *words: str) -> list[dict[str, Any]]:
        short = ["--mnist", mnist, "--rounds", "2", "--seconds", "0.05", "--json"]
        benchmark.main([table, *short, *words])
        rows: list[dict[str, Any]] = json.loads(capfd.readouterr().out)["tables"][table]
        return rows

    return measure


class InThisProcess:
    """A side without a process of its own."""

    def __init__(self, options: dict[str, Any]) -> None:
        self._step, _ = worker.prepared(options)

    def __enter__(self) -> "InThisProcess":
        return self

    def __exit__(self, *error: object) -> None: ...

    def take(self, steps: int) -> tuple[float, int]:
        started = time.perf_counter()
        for _ in range(steps):
            self._step()
        return time.perf_counter() - started, 0


def test_steps_have_a_row_a_side(measured: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    own = turns.Side
    monkeypatch.setattr(turns, "Side", lambda told: (own if told["kind"] == "whole" else InThisProcess)(told))
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", torch.backends.cudnn.benchmark)  # which one side sets
    rows = measured("steps", "--cases", "mlp")
    on_the_cpu = [words for name, (words, _, _) in steps.SIDES.items() if name not in steps.ON_CUDA]
    assert [row["side"] for row in rows] == on_the_cpu
    assert all(row["images_per_second"] > 0 for row in rows)
    assert rows[0]["ratio"] == 1


def test_commands_are_timed_in_turns(measured: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    sleeps = {"short": (("sleep", "0"), 4.0), "long": (("sleep", "0.2"), 4.0)}
    monkeypatch.setattr(commands, "commands", lambda options, turn: sleeps)
    short, long = measured("commands")
    assert short["least"] <= short["seconds"] <= short["most"]
    assert 0.2 <= long["least"] <= long["seconds"] <= long["most"]


def test_the_commands_are_ganctls(mnist: str) -> None:
    found = commands.commands(benchmark.options_of(["commands", "--mnist", mnist]), 3)
    trained = [composed(*words[4:]) for words, _ in found.values() if words[3:4] == ("train",)]
    assert [config["data"]["name"] for config in trained] == ["digits", "mnist"]
    assert all(config["train"]["steps"] == 1 for config in trained)
    for command in ("sample", "evaluate"):
        (words,) = (words for words, _ in found.values() if words[3:4] == (command,))
        assert composed(*words[4:], command=command)["ckpt"] == "outputs/mnist-3"


def test_a_runs_time_is_told_by_what_it_went_into(measured: Measure) -> None:
    rows = measured("runner", "--steps", "20", "--words", "model=mlp logging.every=10")
    assert {"steps", "checkpoints", "pictures", "one checkpoint"} <= {row["work"] for row in rows}
    assert sum(row["share"] or 0 for row in rows) == pytest.approx(1)
    assert all(row["seconds"] > 0 for row in rows if row["work"] in ("steps", "one checkpoint"))


def test_memory_is_looked_at_ten_times(measured: Measure) -> None:
    rows = measured("memory", "--steps", "20", "--words", "model=mlp")
    assert [row["steps"] for row in rows] == list(range(2, 21, 2))
    assert all(row["memory"] > 0 for row in rows)


@pytest.fixture
def ganctl_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands of ganctl run in this process, as another table starts them in their own."""
    own = subprocess.run

    def run(words: Sequence[str], *, cwd: Path, **options: Any) -> None:
        if "ganctl" not in words:
            own(words, cwd=cwd, **options)
            return
        with contextlib.chdir(cwd), contextlib.redirect_stdout(io.StringIO()):
            assert main(words[words.index("ganctl") + 1 :]) == 0

    monkeypatch.setattr(subprocess, "run", run)


@pytest.mark.usefixtures("ganctl_here")
def test_decoding_and_stalls_are_measured(measured: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "IMAGES", 70)
    rows = measured("decoding", "--steps", "2", "--threads", "1", "--rounds", "1")
    bare = [row for row in rows if row["work"].startswith("bare Pillow")]
    assert len(rows) == 5
    assert all(0 < row["processor"] < 10 for row in bare)
    assert [row["pictures_per_second"] for row in bare] == [pytest.approx(70 / row["seconds"]) for row in bare]
    assert "2 steps of a small DCGAN" in rows[-1]["work"]


def test_exported_files_are_timed_beside_ganctl(measured: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ("model=mlp", "model.generator.hidden=[2]")
    monkeypatch.setattr(exports, "GENERATORS", {"tiny": (words, (1, 8, 8))})
    (row,) = measured("exports")
    assert (row["generator"], row["fp32"]) == ("tiny", 1)
    assert all(row[name] > 0 for name in ("speed", "auto", *exports.FILES))


def test_each_size_has_a_row(measured: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    small = scale.Size(resolution=16, width=8, batch_size=4, samples=10)
    monkeypatch.setattr(scale, "sizes", lambda: iter([("width", small)]))
    (row,) = measured("scale")
    assert (row["grows"], row["resolution"], row["samples"]) == ("width", 16, 10)
    assert row["images_per_second"] > 0


@pytest.mark.parametrize(("grows", "size"), list(scale.sizes()))
def test_the_sizes_are_composed_to_themselves(grows: str, size: scale.Size) -> None:
    config = train_config(composed(*scale.words_of(size, "pictures.npy", "cpu")))
    network = config.model.build_discriminator(SampleSpace.of_shape((3, size.resolution, size.resolution)))
    first = next(weight for weight in network.parameters() if weight.dim() == 4)
    assert first.shape[:2] == (size.width, 3)
    assert config.train.batch_size == size.batch_size


def test_random_images_have_the_size_that_is_asked_for() -> None:
    with random_images(8, count=5000, channels=1) as path:
        pictures = np.load(path)
    assert pictures.shape == (5000, 8, 8, 1)
    assert pictures[4096:].std() > 50


def test_operations_of_a_product_are_counted() -> None:
    left, right = torch.ones(3, 5), torch.ones(5, 7)
    assert peak.operations(lambda: left @ right) == 2 * 3 * 5 * 7


def test_operations_of_gradients_of_gradients_are_counted() -> None:
    samples, weight = torch.ones(3, 5, requires_grad=True), torch.ones(5, 7, requires_grad=True)

    def penalty() -> None:
        (gradient,) = torch.autograd.grad((samples @ weight).sum(), samples, create_graph=True)
        gradient.square().sum().backward()

    assert peak.operations(penalty) == 3 * 2 * 3 * 5 * 7


def test_the_share_of_the_peak_is_of_the_best_rate(measured: Measure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peak, "best_rate", lambda dtype, device: 1e15)
    rows = measured("peak", "--cases", "mlp")
    assert len(rows) == len(EAGER)
    for row in rows:
        assert 0 < row["share"] == pytest.approx(row["rate"] / row["best"])
        assert row["best"] == 1e6


@pytest.mark.parametrize(
    ("operator", "kind"),
    [
        ("aten::mkldnn_convolution", "convolutions"),
        ("aten::convolution_backward", "convolutions"),
        ("aten::mm", "matrix products"),
        ("aten::mul_", profile.REST),
        ("aten::native_batch_norm_backward", "batch norm"),
        ("aten::leaky_relu_", "activations"),
        ("Optimizer.step#Adam.step", "optimizers and average"),
        ("aten::copy_", "copies and casts"),
    ],
)
def test_an_operator_is_of_a_kind(operator: str, kind: str) -> None:
    assert profile.kind_of(operator) == kind


def test_a_profile_is_a_table_and_a_picture(measured: Measure, tmp_path: Path) -> None:
    picture = tmp_path / "profile.png"
    rows = measured("profile", "--cases", "mlp", "--picture", str(picture))
    assert len(rows) == len(EAGER) * (len(profile.KINDS) + 1)
    assert sum(row["share"] for row in rows) == pytest.approx(len(EAGER))
    assert {row["kind"] for row in rows if row["milliseconds"] > 0} >= {"matrix products", "activations"}
    with Image.open(picture) as opened:
        colours = {colour for _, colour in opened.getcolors(1 << 16)}
    assert ImageColor.getrgb(profile.COLOURS[1]) in colours


def test_tables_are_printed_in_markdown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commands, "commands", lambda options, turn: {"true": (("true",), None)})
    benchmark.main(["commands", "--rounds", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[4:6] == ["| command | median | least | most | aim |", "| --- | ---: | ---: | ---: | ---: |"]
    assert lines[6].startswith("| `true` | 0.0")
    assert lines[6].endswith(" |  |")


@pytest.mark.parametrize("words", [["--cases", "dcgn"], ["step"], ["--sides", "planes"]])
def test_an_unknown_name_is_answered_with_the_known_ones(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        benchmark.main(words)
    assert f"there is no '{words[-1]}'; there are " in capsys.readouterr().err
