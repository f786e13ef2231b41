"""Small games for tests: real configs, few weights."""

from typing import Any

from ganctl.config import TrainConfig, train_config
from ganctl.game.build import build_game, open_configured
from ganctl.game.step import Game
from tests.composed import composed

SMALL = {
    "dcgan": (
        "model.generator.width=4",
        "model.discriminator.width=4",
        "model.latent=8",
        "data.resolution=8",
        "train.batch_size=4",
    ),
    "mlp": (
        "model.generator.hidden=[8,8]",
        "model.discriminator.hidden=[8,8]",
        "model.latent=4",
        "train.batch_size=8",
    ),
}
OF_ANY_MODEL = ("data.resolution=8", "train.batch_size=4")
"""For a model that says nothing above."""

SMALL_OPTIONS = {
    "auxiliary=[perceptual]": (
        "auxiliary.perceptual.network=squeezenet1_1",
        "auxiliary.perceptual.layers=[features.3]",
    ),
}
"""What makes an option small, or possible."""


def small_words(*overrides: str, model: str = "dcgan", data: str = "digits") -> list[str]:
    """Return the words of a small model, fp32 and without penalties unless an override says otherwise."""
    sizes = SMALL.get(model, OF_ANY_MODEL)
    small = [word for word in sizes if data == "digits" or not word.startswith("data.")]
    few = ["data.num=64"] if data == "ring" else []
    chosen = any(word.startswith(("penalty=", "loss=wgan")) for word in overrides)
    plain = [] if chosen else ["penalty=[]"]
    precise = [] if any(word.startswith("device.precision=") for word in overrides) else ["device.precision=fp32"]
    return [
        *plain,
        f"model={model}",
        f"data={data}",
        "device=cpu",
        *precise,
        *small,
        *few,
        *(word for option in overrides for word in SMALL_OPTIONS.get(option, ())),
        *overrides,
    ]


def small_config(*overrides: str, model: str = "dcgan", data: str = "digits", **more: Any) -> TrainConfig:
    """Return the config that `small_words` compose to; `more` replaces whole groups of it."""
    return train_config(composed(*small_words(*overrides, model=model, data=data)) | more)


def small_game(*overrides: str, model: str = "dcgan", data: str = "digits") -> Game:
    """Return a game of a small model at step 0."""
    (game,) = small_games(1, *overrides, model=model, data=data)
    return game


def small_games(count: int, *overrides: str, model: str = "dcgan", data: str = "digits") -> list[Game]:
    """Return so many equal games, whose config is composed once."""
    config = small_config(*overrides, model=model, data=data)
    device = open_configured(config.device, config.data.kind)
    store = config.data.load()
    return [build_game(config, store, device) for _ in range(count)]
