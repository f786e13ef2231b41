"""The image of a run's samples that is written while it trains: always of the same latents."""

import numpy as np
from torch import nn

from ganctl import images
from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.game.sampling import generate
from ganctl.game.step import Game
from ganctl.runtime.randomness import normal, permutation

POINTS_A_SAMPLE = 32
"""A scatter plot shows so many times `sample.num` points, of which one says less than an image."""


def shown(game: Game) -> nn.Module:
    """Return the generator that is shown and measured: the average, if there is one."""
    return game.ema.average if game.ema is not None else game.generator.network


def draw(game: Game, store: Store, config: TrainConfig) -> np.ndarray:
    """Return a grid of images, or a plot of points over real ones; uint8 [height, width, channels]."""
    count = config.sample.num * (1 if store.is_pictures else POINTS_A_SAMPLE)
    device = game.device
    latents = normal((count, game.latent), device.torch_device, device.dtype, config.seed, "latents", "fixed")
    samples = generate(shown(game), latents, device, game.batch_size)
    if store.is_pictures:
        return images.grid(images.to_bytes(samples, config.model.picture_range))
    plotted = permutation(len(store), config.seed, "plot")[:count]
    return images.plot(store.samples[plotted].numpy(), samples.float().cpu().numpy())
