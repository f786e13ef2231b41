"""How large networks are is known before any memory is taken, and what does not fit is refused."""

import sys
from itertools import product

import pytest
import torch

from ganctl.errors import ConfigError
from ganctl.game import outline as size
from ganctl.game.build import build_game, open_configured
from ganctl.game.outline import PLAYERS, check_memory, make_network, outline
from ganctl.game.step import train_step
from ganctl.models import MODELS
from ganctl.models.layers import LayeredModel
from ganctl.samples import IMAGES, POINTS, SampleSpace
from scripts.soaks.parts import OF_SEQUENCES
from tests.game.games import small_config, small_game

SPACE = SampleSpace.of_shape((1, 32, 32))
NORMS = [
    (f"model.generator.norm={norm}", f"model.discriminator.norm={norm}")
    for norm in ("batch", "layer", "spectral", "none")
]
LAYERED = [name for name in MODELS if issubclass(MODELS[name], LayeredModel)]
CASES = [*product(LAYERED, NORMS), *((name, ()) for name in MODELS if name not in LAYERED)]


@pytest.mark.parametrize(("model", "norms"), CASES)
def test_an_outline_has_every_tensor_of_the_network_but_no_memory(model: str, norms: tuple[str, ...]) -> None:
    config = small_config(*norms, model=model)
    before = torch.default_generator.get_state()
    space = SampleSpace.of_shape((1, 32)) if model in OF_SEQUENCES else SPACE
    for player in PLAYERS:
        drawn = outline(config, space)[player].outline()
        whole = make_network(config, player, space).state_dict()
        assert {name: (t.shape, t.dtype) for name, t in drawn.items()} == {
            name: (t.shape, t.dtype) for name, t in whole.items()
        }
        assert all(tensor.is_meta for tensor in drawn.values())
        torch.default_generator.set_state(before)


def test_an_outline_draws_no_random_number() -> None:
    before = torch.default_generator.get_state()
    outline(small_config("model.discriminator.norm=spectral"), SPACE)
    assert torch.equal(torch.default_generator.get_state(), before)


def test_too_many_layers_are_refused_and_the_count_ends_there(monkeypatch: pytest.MonkeyPatch) -> None:
    config = small_config("model.generator.hidden=[" + "1," * 200 + "1]", model="mlp")
    monkeypatch.setattr(size, "MOST_TENSORS", 100)
    with pytest.raises(ConfigError, match="the generator has more than"):
        outline(config, SPACE)
    torch.nn.ModuleList([torch.nn.Linear(1, 1) for _ in range(101)])
    assert torch.empty(1).device.type == "cpu"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["model.generator.hidden=[1000000,1000000]"],
            r"^model: its 1,00\d,[0-9,]+ weights need 20,",
        ),
        (["model.generator.hidden=[4000000000,4000000000]"], "^model: the generator's sizes are beyond 64 bits"),
        (["model.latent=1000000000000"], "^model: its"),
        (["train.batch_size=1000000000000"], "^train.batch_size: batches of 1,000,000,000,000 need"),
    ],
)
def test_what_cannot_fit_is_refused_with_the_numbers_before_anything_is_allocated(
    words: list[str], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = small_config(*words, model="mlp", data="ring")
    device = open_configured(config.device, POINTS)
    monkeypatch.setattr("ganctl.game.build.build_network", None)
    with pytest.raises(ConfigError, match=told):
        build_game(config, config.data.load(), device)


@pytest.mark.parametrize("model", list(MODELS))
def test_the_least_memory_is_what_a_game_holds(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    game = small_game(model=model)
    train_step(game, 0)
    config = small_config(model=model)
    held, space = 0, config.data.load().space
    for player in (game.generator, game.discriminator):
        held += sum(tensor.nbytes for tensor in player.network.state_dict().values())
        held += sum(2 * tensor.nbytes for tensor in player.network.state_dict().values())
        held += sum(weight.nbytes for weight in player.parameters)
    assert game.ema is not None
    held += sum(tensor.nbytes for tensor in game.ema.average.state_dict().values())
    for limit, fits in ((held * 0.8, False), (held * 1.2 + 1e6, True)):
        monkeypatch.setattr(size, "memory_limit", lambda limit=limit: int(limit))
        if fits:
            check_memory(config, space, game.device)
        else:
            with pytest.raises(ConfigError, match=r"^model: its .* weights need"):
                check_memory(config, space, game.device)


def test_measuring_imports_nothing_large() -> None:
    config = small_config("model.discriminator.norm=spectral", "model.generator.norm=spectral")
    device = open_configured(config.device, IMAGES)
    before = set(sys.modules)
    check_memory(config, SPACE, device)
    assert len(set(sys.modules) - before) < 10
