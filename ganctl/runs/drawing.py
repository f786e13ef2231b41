"""The image of a run's samples that is written while it trains: always of the same latents."""

import numpy as np
from torch import Tensor, nn

from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.game.sampling import generate
from ganctl.game.step import Game
from ganctl.runtime.randomness import normal, permutation


def shown(game: Game) -> nn.Module:
    """Return the generator that is shown and measured: the average, if there is one."""
    return game.ema.average if game.ema is not None else game.generator.network


def draw(game: Game, store: Store, config: TrainConfig) -> np.ndarray:
    """Return a grid of images, or a plot of points over real ones; uint8 [height, width, channels]."""
    space, device = config.model.space(store.space), game.device
    count = space.kind.shown(config.sample.num)
    latents = normal(
        (count, game.draws.latent), device.torch_device, device.dtype, config.seed, "latents", "fixed"
    )
    samples = generate(shown(game), latents, device, game.draws.batch_size)

    def real() -> Tensor:
        return store.samples[permutation(len(store), config.seed, "plot")[:count]]

    return space.kind.draw(space.kind.store(samples, space.value_range), real)
