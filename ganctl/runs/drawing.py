"""The image of a run's samples that is written while it trains: always of the same latents."""

import math

import numpy as np
import torch
from torch import Tensor, nn

from ganctl.config import TrainConfig
from ganctl.data.store import Store
from ganctl.game.sampling import generate
from ganctl.game.step import Game
from ganctl.models.latents import LatentSpace
from ganctl.runtime.randomness import generator, permutation
from ganctl.samples import SampleSpace

MOST_ROWS = 32
"""Classes of which samples are shown, the first so many."""


def shown(game: Game) -> nn.Module:
    """Return the generator that is shown and measured: the average, if there is one."""
    return game.ema.average if game.ema is not None else game.generator.network


def draw(game: Game, store: Store, config: TrainConfig) -> np.ndarray:
    """Return a grid of images, or a plot of points or sequences over real ones; uint8 [height, width, channels].

    Each row of a conditional model's grid is a class. Without classes, each column of a model with codes is a
    value of the first code, each row the same latents otherwise.
    """
    space, device = config.model.space(store.space), game.device
    count, columns = _layout(space.kind.shown(config.sample.num), space, config.model.latents)
    source = generator(device.torch_device, config.seed, "latents", "fixed")
    latents = config.model.latents.draw((count,), source, device.dtype)
    labels = None
    if space.classes:
        labels = torch.arange(count, device=device.torch_device) // columns
    elif config.model.latents.codes:
        latents = swept(config.model.latents, latents[::columns], 0, columns)
    samples = generate(shown(game), latents, device, game.draws.batch_size, labels)

    def real() -> Tensor:
        return store.samples[permutation(len(store), config.seed, "plot")[:count]]

    return space.kind.draw(space.kind.store(samples, space.value_range), real, columns)


def _layout(num: int, space: SampleSpace, latents: LatentSpace) -> tuple[int, int]:
    """Return how many samples of about `num` are shown, and in how many columns."""
    if space.classes:
        rows = min(len(space.classes), MOST_ROWS)
        columns = max(1, num // rows)
        return rows * columns, columns
    if latents.codes:
        columns = latents.categorical[0] if latents.categorical else 10
        return max(1, num // columns) * columns, columns
    return num, math.ceil(math.sqrt(num))


def swept(space: LatentSpace, latents: Tensor, code: int, columns: int) -> Tensor:
    """Return each of the latents [rows, width] with every value of a code in turn, [rows × columns, width]."""
    rows = len(latents)
    if code < len(space.categorical):
        values = torch.arange(columns, device=latents.device)
    else:
        values = torch.linspace(-1, 1, columns, device=latents.device)
    return space.with_code(latents.repeat_interleave(columns, 0), code, values.repeat(rows))
