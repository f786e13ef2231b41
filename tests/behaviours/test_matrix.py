"""Every component of every family trains: 20 finite steps of each with each model, from the registries."""

from itertools import cycle, islice, product

import pytest
from torch import Tensor

from ganctl.augment import AUGMENTS
from ganctl.auxiliary import AUXILIARIES
from ganctl.checkpoints import state
from ganctl.game.players import Player
from ganctl.game.scalars import measure
from ganctl.game.step import Game, train_step
from ganctl.losses import LOSSES
from ganctl.models import MODELS
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES, PenaltyTerm
from scripts.soaks.configs import SMALL_OPTIONS
from scripts.soaks.parts import OF_ONE_MODEL
from tests.game.games import small_game

SYSTEMS = [("mlp", "ring"), ("mlp", "digits"), ("dcgan", "digits")]
PRECISIONS = ["fp32", "bf16", "fp16", "fp64"]
CHOICES = [
    *(f"loss={name}" for name in LOSSES if not LOSSES[name].critic),
    *(f"loss={name}_gp" for name in LOSSES if LOSSES[name].critic),
    *(f"penalty=[{name}]" for name in PENALTIES),
    *(f"auxiliary=[{name}]" for name in AUXILIARIES),
    *(f"augment=[{name}]" for name in AUGMENTS),
    *(f"optimizer={name}" for name in OPTIMIZERS),
]
OF_IMAGES = ("auxiliary", "augment")
"""Groups of which most options read or change images."""


def systems(choice: str) -> list[tuple[str, str]]:
    if choice in OF_ONE_MODEL:
        return [(OF_ONE_MODEL[choice], "digits")]
    return SYSTEMS[1:] if choice.startswith(OF_IMAGES) else SYSTEMS[::2]


def cases() -> list[tuple[str, str, str, str]]:
    """Return choices with their systems and precisions.

    Each choice meets each of its systems and each of its precisions, and they each other: systems take turns, the
    next choice beginning with the next one.
    """
    found = []
    for number, choice in enumerate(CHOICES):
        known = systems(choice)
        precisions = PRECISIONS if choice.startswith(("penalty", *OF_IMAGES)) else PRECISIONS[:2]
        turns = islice(cycle(known), number % len(known), None)
        found += [(choice, *system, precision) for system, precision in zip(turns, precisions, strict=False)]
    return found


def moved(player: Player, before: list[Tensor]) -> bool:
    return any(not weight.equal(now) for weight, now in zip(before, player.parameters, strict=True))


def assert_trained(game: Game, steps: int = 20, *, until_moved: bool = False) -> None:
    """Train for steps, or only until both players have moved; in fp16 the first updates may be skipped."""
    players = (game.generator, game.discriminator)
    before = [[weight.detach().clone() for weight in player.parameters] for player in players]
    for step in range(steps):
        train_step(game, step)
        if until_moved and all(map(moved, players, before)):
            break
    game.check()
    for name, tensor in state.tensors(game).items():
        skipped = game.device.precision == "fp16" and name.endswith(".gradient_norm")  # the last one may be
        assert skipped or tensor.isfinite().all(), name
    for player, old in zip(players, before, strict=True):
        assert moved(player, old), player.name


@pytest.mark.parametrize(("choice", "model", "data", "precision"), cases())
def test_every_component_takes_20_finite_steps(choice: str, model: str, data: str, precision: str) -> None:
    game = small_game(choice, f"device.precision={precision}", model=model, data=data)
    assert_trained(game)
    numbers = measure(game, 19)
    for name in PENALTIES:
        if f"[{name}]" in choice and issubclass(PENALTIES[name], PenaltyTerm):
            assert numbers[f"term/discriminator/{name}"] > 0
    for name in AUXILIARIES:
        if f"[{name}]" in choice:
            assert all(numbers[f"term/{player}/{name}"] != 0 for player in AUXILIARIES[name].players)


@pytest.mark.parametrize(("loss", "model", "data", "precision"), [case for case in cases() if "loss=" in case[0]])
def test_every_loss_takes_20_finite_steps_in_packs(loss: str, model: str, data: str, precision: str) -> None:
    packed = (loss, "train.pack=2", f"device.precision={precision}")
    game = small_game(*packed, model=model, data=data)
    assert_trained(game)
    assert len(game.discriminator.last.logits["real"]) == game.draws.batch_size // 2


CONDITIONS: dict[str, tuple[str, ...]] = {
    "none": (),
    "projection": ("model.conditional=true", "data.balance=true", "model.prior=sphere"),
    "class_loss": ("auxiliary=[class_loss]", *SMALL_OPTIONS["auxiliary=[class_loss]"]),
    "code_loss": ("auxiliary=[code_loss]", *SMALL_OPTIONS["auxiliary=[code_loss]"]),
}


def labelled() -> list[tuple[str, str, str]]:
    """Return models with conditions and precisions, each two of which meet: precisions are in turn."""
    grid = product(enumerate(MODELS), enumerate(CONDITIONS))
    return [
        (model, condition, PRECISIONS[(place + turn) % len(PRECISIONS)])
        for (place, model), (turn, condition) in grid
    ]


@pytest.mark.parametrize(("model", "condition", "precision"), labelled())
def test_every_model_trains_with_labels_and_codes(model: str, condition: str, precision: str) -> None:
    words = (*CONDITIONS[condition], "penalty=[r1]", "loss=hinge", f"device.precision={precision}")
    game = small_game(*words, model=model)
    if precision == "fp16":
        assert_trained(game, until_moved=True)
    else:
        assert_trained(game, 3)


def test_everything_at_once_takes_20_finite_steps() -> None:
    every = {
        "penalty": list(PENALTIES),
        "auxiliary": [
            name for name in AUXILIARIES if name != "perceptual" and f"auxiliary=[{name}]" not in OF_ONE_MODEL
        ],
        "augment": list(AUGMENTS),
    }
    choices = [f"{group}=[{','.join(names)}]" for group, names in every.items()]
    needs = [word for option in ("class_loss", "code_loss") for word in SMALL_OPTIONS[f"auxiliary=[{option}]"]]
    assert_trained(small_game(*choices, *needs, "loss.label_noise=0.1", "train.accumulate=2"))
