"""A checkpoint holds exactly what its config makes, in name, shape, type and sane value, or is refused."""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import Parameter

from ganctl.auxiliary import AUXILIARIES
from ganctl.checkpoints import file as checkpoint
from ganctl.checkpoints import state
from ganctl.checkpoints.file import Header
from ganctl.checkpoints.verify import check_tensors
from ganctl.config import TrainConfig
from ganctl.errors import CheckpointError, ConfigError
from ganctl.game.build import build_game, open_configured
from ganctl.game.outline import outline
from ganctl.game.step import Game, train_step
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES
from ganctl.samples import POINTS, SampleSpace
from scripts.soaks.configs import SMALL_OPTIONS
from tests.game.games import small_config

SETTINGS = [
    [f"optimizer={name}", *more]
    for name in OPTIMIZERS
    for more in ([], ["optimizer.momentum=0.9"])
    if not more or "momentum" in OPTIMIZERS[name].model_fields
]
SLOT = "optimizer.generator.exp_avg.dense.0.weight"
SQUARE = "optimizer.generator.exp_avg_sq.dense.0.weight"
STEP = "optimizer.generator.step.dense.0.weight"
SCALE = "scaler.generator.scale"
VALUE = "values.generator.adversarial"


def played(*words: str, steps: int = 2) -> tuple[TrainConfig, Game]:
    config = small_config(*words, model="mlp", data="ring")
    game = build_game(config, config.data.load(), open_configured(config.device, POINTS))
    for step in range(steps):
        train_step(game, step)
    return config, game


def saved(
    folder: Path,
    config: TrainConfig,
    tensors: Mapping[str, Tensor],
    steps: int = 2,
    classes: tuple[str, ...] = (),
) -> checkpoint.Checkpoint:
    header = Header(config=config.saved(), step=steps, shape=(2,), data="", versions={}, logs={}, classes=classes)
    path = folder / f"step-{steps:08d}.safetensors"
    checkpoint.write(path, header, tensors)
    return checkpoint.read_header(path)


@pytest.fixture(scope="module")
def fp32() -> tuple[TrainConfig, Game]:
    return played()


@pytest.fixture(scope="module")
def fp16() -> tuple[TrainConfig, Game]:
    return played("device.precision=fp16")


@pytest.mark.parametrize("words", SETTINGS, ids="-".join)
def test_what_an_optimizer_keeps_is_what_it_is_expected_to_keep(words: list[str]) -> None:
    for precision in ("fp32", "fp64"):
        config, game = played(*words, f"device.precision={precision}")
        for player in (game.generator, game.discriminator):
            members = outline(config, SampleSpace.of_shape((2,)), game.device.dtype)
            expected = members[f"optimizer.{player.name}"].outline()
            prefix = f"optimizer.{player.name}."
            there = {
                name.removeprefix(prefix): (value.shape, value.dtype)
                for name, value in state.tensors(game).items()
                if name.startswith(prefix)
            }
            assert there == {name: (value.shape, value.dtype) for name, value in expected.items()}
            assert all(value.is_meta for value in expected.values())


def test_a_factored_slot_has_the_shape_that_torch_gives_it() -> None:
    class Factored(OPTIMIZERS["sgd"]):  # type: ignore[misc]
        def build(self, player: Any, parameters: Any) -> torch.optim.Optimizer:
            return torch.optim.Adafactor(parameters)

    sgd = small_config("optimizer=sgd").optimizer
    weights = {"w": torch.empty(40, 2, device="meta"), "b": torch.empty(9, device="meta")}
    found = Factored(**sgd.model_dump()).kept("generator", weights)
    assert {name: list(slot.shape) for name, slot in found.items()} == {
        "step.w": [],
        "row_var.w": [40, 1],
        "col_var.w": [1, 2],
        "step.b": [],
        "variance.b": [9],
    }


def test_an_optimizer_that_keeps_a_plain_number_is_refused_before_it_trains() -> None:
    class Counting(torch.optim.SGD):
        def step(self, closure: Any = None) -> None:
            for group in self.param_groups:
                for weight in group["params"]:
                    self.state[weight]["count"] = 1

    class Counted(OPTIMIZERS["sgd"]):  # type: ignore[misc]
        def build(self, player: Any, parameters: Any) -> torch.optim.Optimizer:
            return Counting(parameters)

    config = small_config("optimizer=sgd")
    chosen = Counted(**config.optimizer.model_dump())
    with pytest.raises(ConfigError, match=r"^optimizer: sgd keeps count as int; make it a tensor"):
        chosen.kept("generator", {"w": torch.empty(2, 2)})


@pytest.mark.parametrize("name", ["penalty", "auxiliary"])
def test_the_values_that_are_expected_are_those_that_an_update_leaves(name: str) -> None:
    family: Any = {"penalty": PENALTIES, "auxiliary": AUXILIARIES}[name]
    of_others = {"ssim", "perceptual", "class_loss", "path_length", "reconstruction", "cr", "bcr"}
    of_others |= {"cutmix_consistency", "markov"}
    options = [option for option in family if option not in of_others]
    needs = SMALL_OPTIONS["auxiliary=[code_loss]"] if name == "auxiliary" else ()
    config, game = played(f"{name}=[{','.join(options)}]", *needs)
    for player in (game.generator, game.discriminator):
        expected = outline(config, SampleSpace.of_shape((2,)))[f"values.{player.name}"].outline()
        assert set(player.values) == set(expected)


@pytest.mark.parametrize(
    ("words", "steps"),
    [
        *product(SETTINGS, (0, 2)),
        *(([f"device.precision={name}"], steps) for name in ("bf16", "fp16", "fp64") for steps in (0, 2)),
        (["ema.half_life=0"], 2),
        (["train.n_dis=3", "train.n_gen=2"], 2),
        (["penalty=[r1]", "penalty.r1.every=4"], 1),
    ],
    ids=str,
)
def test_what_training_leaves_is_accepted(words: list[str], steps: int, tmp_path: Path) -> None:
    config, game = played(*words, steps=steps)
    opened = saved(tmp_path, config, state.tensors(game), steps)
    check_tensors(opened, config)
    state.check(game, opened.read(), steps)


def test_while_fp16_has_skipped_every_update_there_are_no_slots_and_that_is_accepted(
    fp16: tuple[TrainConfig, Game], tmp_path: Path
) -> None:
    config, game = fp16
    kept = {name: value for name, value in state.tensors(game).items() if not name.startswith("optimizer.")}
    check_tensors(saved(tmp_path, config, kept), config)


Change = Callable[[dict[str, Tensor]], Any]


def put(name: str, value: Tensor) -> Change:
    return lambda tensors: tensors.__setitem__(name, value)


def without(start: str) -> Change:
    return lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith(start)]


REFUSED: dict[str, Change] = {
    "a scalar moment": put(SLOT, torch.zeros(())),
    "a scalar second moment": put(SQUARE, torch.zeros(())),
    "a moment of the transposed shape": put(SLOT, torch.zeros(4, 8)),
    "a moment of half precision": put(SLOT, torch.zeros(8, 4, dtype=torch.float16)),
    "a moment in another precision than its weight": put(SLOT, torch.zeros(8, 4, dtype=torch.float64)),
    "a moment of truth values": put(SLOT, torch.zeros(8, 4, dtype=torch.bool)),
    "a moment of whole numbers": put(SLOT, torch.zeros(8, 4, dtype=torch.int32)),
    "a step of a weight's shape": put(STEP, torch.ones(8, 4)),
    "a step of one number in a list": put(STEP, torch.ones(1)),
    "a whole step": put(STEP, torch.ones((), dtype=torch.int64)),
    "a step of another precision": put(STEP, torch.ones((), dtype=torch.float64)),
    "one slot less": without(SLOT),
    "no step": without(STEP),
    "no slots of a weight": lambda tensors: [
        tensors.pop(name)
        for name in list(tensors)
        if name.startswith("optimizer.generator.") and "dense.0.w" in name
    ],
    "no slots of a player": without("optimizer.generator."),
    "an unknown slot": put("optimizer.generator.max_exp_avg_sq.dense.0.weight", torch.zeros(8, 4)),
    "a slot of another optimizer": put("optimizer.generator.momentum_buffer.dense.0.weight", torch.zeros(8, 4)),
    "a slot of a weight that is not there": put("optimizer.generator.step.dense.9.weight", torch.ones(())),
    "a scaler of half": put(SCALE, torch.ones(())),
    "an unknown value": put("values.generator.more", torch.zeros(())),
    "thousands of unknown values": lambda tensors: tensors.update(
        {f"values.generator.n{number}": torch.zeros(()) for number in range(3000)}
    ),
    "a value of the other player": put("values.generator.r1", torch.zeros(())),
    "a value of many": put(VALUE, torch.zeros(3)),
    "a value of whole numbers": put(VALUE, torch.zeros((), dtype=torch.int64)),
    "one value less": without(VALUE),
    "no values": without("values.generator."),
    "no average": without("ema."),
}


@pytest.mark.parametrize("change", REFUSED.values(), ids=list(REFUSED))
def test_what_no_training_leaves_is_refused_by_its_header(
    change: Change, fp32: tuple[TrainConfig, Game], tmp_path: Path
) -> None:
    config, game = fp32
    tensors = state.tensors(game)
    change(tensors)
    opened = saved(tmp_path, config, tensors)
    with pytest.raises(CheckpointError, match=r"(is missing|its config makes|nothing that its config makes)"):
        check_tensors(opened, config)


@pytest.mark.parametrize(
    ("words", "count", "told"),
    [
        (("model.conditional=true",), 8, None),
        (
            ("model.conditional=true",),
            7,
            r"joined\.embedding\.weight is float32 \[8, 64\], .* float32 \[7, 64\]",
        ),
        (("model.conditional=true",), 10**5, r"but its config makes float32 \[100000, 64\]"),
        (("model.conditional=true",), 0, r"model\.conditional: the data has no classes"),
        ((), 8, "names 8 classes, but its model is unconditional"),
    ],
)
def test_a_header_names_as_many_classes_as_there_are_weights_for(
    words: tuple[str, ...], count: int, told: str | None, tmp_path: Path
) -> None:
    config, game = played(*words)
    opened = saved(tmp_path, config, state.tensors(game), classes=tuple(map(str, range(count))))
    with nullcontext() if told is None else pytest.raises(CheckpointError, match=told):
        check_tensors(opened, config)


def test_an_average_that_the_config_does_not_keep_is_refused(tmp_path: Path) -> None:
    config, game = played("ema.half_life=0")
    average = {f"ema.{name}": value.clone() for name, value in game.generator.network.state_dict().items()}
    with pytest.raises(CheckpointError, match=r"ema\.\S+ is nothing that its config makes"):
        check_tensors(saved(tmp_path, config, state.tensors(game) | average), config)


@pytest.mark.parametrize(
    ("name", "number", "told"),
    [
        (STEP, -1.0, "is negative"),
        (STEP, 1.5, r"is 1\.5, but 2 steps make at most 2 updates"),
        (STEP, 3.0, "is 3, but 2 steps make at most 2 updates"),
        (STEP, 3e38, r"is 3e\+38, but 2 steps make at most 2 updates"),
        (SQUARE, -1e-30, "is negative"),
        (SCALE, 0.0, "is 0, which scales nothing"),
        (SCALE, -2.0, "is -2, which scales nothing"),
        ("scaler.generator.growth_tracker", -5, "is -5, which scales nothing"),
    ],
)
def test_numbers_that_no_training_leaves_are_refused_before_anything_is_restored(
    name: str, number: float, told: str, fp32: tuple[TrainConfig, Game], fp16: tuple[TrainConfig, Game]
) -> None:
    _, game = fp16 if name.startswith("scaler.") else fp32
    tensors = state.tensors(game)
    wrong = tensors[name].clone()
    wrong.view(-1)[-1] = number
    with pytest.raises(CheckpointError, match=f"^{name} {told}"):
        state.check(game, tensors | {name: wrong}, 2)


def test_a_network_with_a_weight_that_never_learns_is_refused_when_it_is_saved() -> None:
    config, game = played(steps=0)
    game.generator.learned["idle"] = Parameter(torch.zeros(3))
    game.generator.network.register_parameter("idle", game.generator.learned["idle"])
    game.generator.__dict__.pop("parameters", None)
    game.generator.optimizer = config.optimizer.build("generator", game.generator.parameters)
    train_step(game, 0)
    with pytest.raises(ConfigError, match=r"^model: generator\.idle takes no part in the loss"):
        state.tensors(game)
