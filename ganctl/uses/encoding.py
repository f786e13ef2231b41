"""An encoder: images to the latents from which a trained generator makes them again."""

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from ganctl.models import Discriminator
from ganctl.models.latents import LatentSpace
from ganctl.runtime.console import track
from ganctl.uses.inversion import Describe, Make


class Encoder(nn.Module):
    """Images [n, *shape] to latents [n, width]: a discriminator's features and a linear layer."""

    def __init__(self, discriminator: Discriminator, values: int, space: LatentSpace) -> None:
        super().__init__()
        self.body = discriminator
        self.head = nn.Linear(values, space.width)
        self.space = space

    def forward(self, images: Tensor) -> Tensor:
        """Return latents that the prior can draw; categorical codes are shares of their categories."""
        latents: Tensor = self.head(self.body.features(images).flatten(1))
        if self.space.codes:
            first, last = self.space.dimensions, self.space.width - self.space.continuous
            codes = latents[:, first:last].split(list(self.space.categorical), 1)
            shares = [each.softmax(1) for each in codes]
            latents = torch.cat([latents[:, :first], *shares, latents[:, last:]], 1)
        return self.space.confined(latents)


def taught(
    encoder: Encoder,
    make: Make,
    describe: Describe,
    batches: Iterable[tuple[Tensor, Tensor | None]],
    steps: int,
    lr: float,
) -> None:
    """Teach an encoder so that the generator makes the images of each batch again, with their labels.

    It minimises the squared distance of pixels and features of an image x and G(E(x)): izi_f of Schlegl et al.
    2019 (f-AnoGAN), equation 4. Adam with a learning rate that falls as half a cosine to 0.
    """
    weights = [weight for weight in encoder.parameters() if weight.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=lr)
    falling = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    encoder.train()
    for images, labels in track(batches, steps, "teaching the encoder, batches"):
        with torch.no_grad():
            wanted = describe(images)
        loss = (describe(make(encoder(images), labels)) - wanted).square().sum(1).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        falling.step()
    encoder.eval()


@torch.no_grad()
def nearest_class(
    encode: Callable[[Tensor], Tensor], make: Make, describe: Describe, images: Tensor, classes: int
) -> tuple[Tensor, Tensor | None]:
    """Return what is made of the latents of images, and of which class: that which comes nearest."""
    latents, wanted = encode(images), describe(images)
    if not classes:
        return make(latents, None), None
    made = [make(latents, torch.full((len(images),), label, device=images.device)) for label in range(classes)]
    distances = torch.stack([(describe(each) - wanted).square().sum(1) for each in made])
    best = distances.argmin(0)
    return torch.stack(made)[best, torch.arange(len(images), device=images.device)], best
