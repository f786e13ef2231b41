"""How a classifier learns labels, whatever its network and its optimizer are."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, interpolate
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from ganctl.data.batches import Batches
from ganctl.data.store import Store
from ganctl.runtime.console import track

CPU = torch.device("cpu")


def batches_of(labelled: Store, size: int, seed: int, rows: Tensor) -> Batches:
    """Return batches of the images in rows of a store, float32 in [0, 1]."""
    return Batches(labelled, size, seed, CPU, torch.float32, (0.0, 1.0), rows)


def learn(
    network: nn.Module,
    labels: Tensor,
    batches: Batches,
    optimizer: Optimizer,
    schedule: LRScheduler,
    steps: int,
    changed: Callable[[Tensor], Tensor] = lambda images: images,
    smoothing: float = 0.0,
) -> None:
    """Minimise the cross entropy of a network's logits in so many updates; `changed` augments a batch of images.

    `labels` are those of the whole store, `smoothing` the probability that they give to all classes alike.
    """
    network.to(memory_format=torch.channels_last).train()
    for step in track(range(steps), steps, "teaching the classifier"):
        optimizer.zero_grad()
        logits = network(changed(batches.samples("classifier", step)))[1]
        wanted = labels[batches.indices("classifier", step)]
        cross_entropy(logits, wanted, label_smoothing=smoothing).backward()
        optimizer.step()
        schedule.step()
    network.eval()


def unit(samples: Tensor) -> Tensor:
    """Return images, uint8 [n, height, width, channels], as float32 [n, channels, height, width] in [0, 1]."""
    return samples.permute(0, 3, 1, 2).float() / 255


def resized(images: Tensor, side: int) -> Tensor:
    """Return images [n, channels, height, width], resized to `side` × `side` if they are larger."""
    if max(images.shape[-2:]) > side:
        images = interpolate(images, (side, side), mode="bilinear", antialias=True)
    return images
