"""Latents of given images, found by optimisation through the generator."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ganctl.models.latents import LatentSpace
from ganctl.runtime.console import track

Make = Callable[[Tensor, Tensor | None], Tensor]
"""From latents [n, width] and labels, int64 [n] or None, to samples [n, *shape] that can be differentiated."""

Describe = Callable[[Tensor], Tensor]
"""From samples to vectors [n, values], whose squared distances are to be small."""


@dataclass(frozen=True)
class Candidates:
    """Latents [n, width] to begin with, and their labels, int64 [n], of a conditional generator."""

    latents: Tensor
    labels: Tensor | None

    def chosen(self, rows: Tensor) -> "Candidates":
        """Return those of some rows."""
        return Candidates(self.latents[rows], None if self.labels is None else self.labels[rows])


@dataclass(frozen=True)
class Search:
    """How latents are searched: `starts` of the nearest candidates for each image, so many `steps` of Adam each.

    The learning rate rises in the first twentieth of the steps and falls as half a cosine in the last quarter, as
    in StyleGAN2's projector (Karras et al. 2020, appendix D).
    """

    starts: int
    steps: int
    lr: float

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0."""
        done = step / self.steps
        rising = min(1.0, (step + 1) / max(1.0, self.steps / 20))
        falling = min(1.0, (1 - done) * 4)
        return self.lr * rising * (0.5 - 0.5 * math.cos(math.pi * falling))


@torch.no_grad()
def in_parts(make: Callable[[Tensor], Tensor], values: Tensor, batch_size: int) -> Tensor:
    """Return what is made of values [n, …], so many at once, without gradients."""
    return torch.cat([make(part) for part in values.split(batch_size)])


def inverted(
    make: Make,
    describe: Describe,
    wanted: Tensor,
    candidates: Candidates,
    described: Tensor,
    space: LatentSpace,
    search: Search,
    batch_size: int,
    told: str = "search",
) -> Candidates:
    """Return the latents and labels whose samples' vectors are nearest to those `wanted`, [images, values].

    `described` [candidates, values] are the vectors of the candidates' samples. Each image is searched from its
    nearest candidates, which keep their categorical codes and labels, and the best end counts. `batch_size`
    searches go on at once; which are beside each other changes nothing but rounding. `told` names the progress.
    """
    count = min(search.starts, len(described))
    nearest = torch.cdist(wanted, described).topk(count, largest=False).indices
    begun = candidates.chosen(nearest.flatten())
    parts = torch.arange(len(begun.latents), device=wanted.device).split(batch_size)
    ends = []
    for number, part in enumerate(parts, 1):
        which = told if len(parts) == 1 else f"{told} {number} of {len(parts)}"
        ends.append(_descended(make, describe, wanted[part // count], begun.chosen(part), space, search, which))
    latents, distances = (torch.cat(each) for each in zip(*ends, strict=True))
    best = distances.view(-1, count).argmin(1) + torch.arange(0, len(latents), count, device=latents.device)
    return replace(begun, latents=latents).chosen(best)


def _descended(
    make: Make,
    describe: Describe,
    wanted: Tensor,
    begun: Candidates,
    space: LatentSpace,
    search: Search,
    told: str,
) -> tuple[Tensor, Tensor]:
    """Return the best latents [n, width] on the way from those that are begun, and their squared distances [n]."""
    latents = begun.latents.clone().requires_grad_()
    best, least = begun.latents.clone(), torch.full((len(latents),), torch.inf).to(latents)
    optimizer, free = torch.optim.Adam([latents]), space.free(latents)
    for step in track(range(search.steps + 1), search.steps + 1, told):
        distances = (describe(make(latents, begun.labels)) - wanted).square().sum(1)
        with torch.no_grad():
            nearer = distances < least
            best, least = torch.where(nearer[:, None], latents, best), torch.where(nearer, distances, least)
        if step == search.steps:
            break
        (gradients,) = torch.autograd.grad(distances.sum(), latents)
        latents.grad = gradients * free
        optimizer.param_groups[0]["lr"] = search.rate(step)
        optimizer.step()
        with torch.no_grad():
            latents.copy_(space.confined(latents))
    return best.detach(), least
