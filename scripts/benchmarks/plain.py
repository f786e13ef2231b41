"""Training loops as tutorials write them: fp32, Adam, a DataLoader over float tensors; each returns one step.

They are what ganctl is compared with, so they take what their authors take and no trick of ganctl: each side's own
discriminator forwards on real and fake samples, fakes drawn once a step where the tutorial draws them once.
"""

import math
from collections.abc import Callable, Iterator
from itertools import chain, pairwise

import torch
from torch import Tensor, nn

Step = Callable[[], None]
Networks = tuple[nn.Sequential, nn.Sequential]

LATENT = 100
LEARNING_RATE, BETAS = 2e-4, (0.5, 0.999)


def dcgan(channels: int, side: int, width: int, norm: bool = True) -> Networks:
    """Return the networks of PyTorch's DCGAN tutorial for 4·2^n pixels; `norm`: that of the discriminator."""
    up, down = nn.ConvTranspose2d, nn.Conv2d
    widths = [width << level for level in range(int(math.log2(side // 4)))]
    layers: list[nn.Module] = [up(LATENT, widths[-1], 4, bias=False), nn.BatchNorm2d(widths[-1]), nn.ReLU(True)]
    for outputs, inputs in zip(widths[-2::-1], widths[:0:-1], strict=True):
        layers += [up(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]
    generator = nn.Sequential(nn.Unflatten(1, (LATENT, 1, 1)), *layers, up(width, channels, 4, 2, 1), nn.Tanh())
    layers = [down(channels, width, 4, 2, 1), nn.LeakyReLU(0.2, True)]
    for inputs, outputs in pairwise(widths):
        layers += [down(inputs, outputs, 4, 2, 1, bias=not norm)]
        layers += [nn.BatchNorm2d(outputs)] if norm else []
        layers += [nn.LeakyReLU(0.2, True)]
    return generator, nn.Sequential(*layers, down(widths[-1], 1, 4), nn.Flatten(0))


def mlp(values: int, shape: tuple[int, ...]) -> Networks:
    """Return dense networks for samples of so many values, with ganctl's default layers of 256 units."""

    def dense(inputs: int, outputs: int) -> list[nn.Module]:
        layers: list[nn.Module] = []
        for _ in range(3):
            layers += [nn.Linear(inputs, 256), nn.LeakyReLU(0.2)]
            inputs = 256
        return [*layers, nn.Linear(256, outputs)]

    generator = nn.Sequential(*dense(LATENT, values), nn.Tanh(), nn.Unflatten(1, shape))
    return generator, nn.Sequential(nn.Flatten(), *dense(values, 1), nn.Flatten(0))


def samples_of(images: Tensor, batch_size: int) -> Tensor:
    """Return at least a batch of images, uint8 [count, height, width, channels], as tensors in [-1, 1]."""
    samples = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    return samples.repeat(-(-batch_size // len(samples)), 1, 1, 1)


def resident(images: Tensor, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """Yield random batches for ever, of images that are stored on the device."""
    samples = samples_of(images, batch_size).to(device)
    while True:
        yield samples[torch.randint(len(samples), (batch_size,), device=device)]


def loaded(images: Tensor, batch_size: int, device: torch.device) -> Iterator[Tensor]:
    """Yield shuffled batches for ever, as torch's loader gathers them on the host."""
    rows = torch.utils.data.TensorDataset(samples_of(images, batch_size))
    loader = torch.utils.data.DataLoader(rows, batch_size, shuffle=True, drop_last=True)
    while True:
        for (batch,) in loader:
            yield batch.to(device)


def in_bf16(step: Step, device: torch.device) -> Step:
    """Return a step under autocast to bf16."""

    def cast() -> None:
        with torch.autocast(device.type, torch.bfloat16):
            step()

    return cast


class Tutorial:
    """A pair of networks and what all tutorials do with them."""

    def __init__(self, networks: Networks, batches: Iterator[Tensor], device: torch.device) -> None:
        self.generator, self.discriminator = (network.to(device) for network in networks)
        self.of_generator, self.of_discriminator = (
            torch.optim.Adam(network.parameters(), LEARNING_RATE, BETAS) for network in networks
        )
        first = next(batches)
        self.batches = chain([first], batches)
        self.batch_size, self.device = len(first), device

    def fakes(self) -> Tensor:
        """Return a batch of generated samples, with their graph."""
        fakes: Tensor = self.generator(torch.randn(self.batch_size, LATENT, device=self.device))
        return fakes

    def cross_entropy(self) -> Step:
        """Return a step of PyTorch's tutorial, with logits."""
        loss = nn.BCEWithLogitsLoss()
        one = torch.ones(self.batch_size, device=self.device)
        zero = torch.zeros(self.batch_size, device=self.device)

        def step() -> None:
            self.discriminator.zero_grad()
            loss(self.discriminator(next(self.batches)), one).backward()
            fakes = self.fakes()
            loss(self.discriminator(fakes.detach()), zero).backward()
            self.of_discriminator.step()
            self.generator.zero_grad()
            loss(self.discriminator(fakes), one).backward()
            self.of_generator.step()

        return step

    def gradient(self, samples: Tensor) -> Tensor:
        """Return ∇D at samples, [batch, values], differentiable."""
        samples = samples.detach().requires_grad_()
        (found,) = torch.autograd.grad(self.discriminator(samples).sum(), samples, create_graph=True)
        return found.flatten(1)

    def wgan_gp(self) -> Step:
        """Return a step of Gulrajani et al. 2017, algorithm 1: five updates of the critic."""

        def step() -> None:
            for _ in range(5):
                real, fakes = next(self.batches), self.fakes().detach()
                share = torch.rand(self.batch_size, 1, 1, 1, device=self.device)
                slope = self.gradient(share * real + (1 - share) * fakes).norm(dim=1)
                self.discriminator.zero_grad()
                distance = self.discriminator(fakes).mean() - self.discriminator(real).mean()
                (distance + 10 * (slope - 1).square().mean()).backward()
                self.of_discriminator.step()
            self.generator.zero_grad()
            (-self.discriminator(self.fakes()).mean()).backward()
            self.of_generator.step()

        return step

    def relativistic(self) -> Step:
        """Return a step of R3GAN's loss: relativistic, with R1 and R2 in every update (Huang et al. 2024)."""

        def step() -> None:
            real, fakes = next(self.batches), self.fakes().detach()
            self.discriminator.zero_grad()
            penalty = sum(self.gradient(samples).square().sum(1).mean() for samples in (real, fakes))
            ahead = self.discriminator(real) - self.discriminator(fakes)
            (nn.functional.softplus(-ahead).mean() + 0.5 * penalty).backward()
            self.of_discriminator.step()
            self.generator.zero_grad()
            ahead = self.discriminator(self.fakes()) - self.discriminator(next(self.batches))
            nn.functional.softplus(-ahead).mean().backward()
            self.of_generator.step()

        return step

    def sampling(self) -> Step:
        """Return the drawing of one batch in evaluation mode."""
        self.generator.eval()

        def step() -> None:
            with torch.no_grad():
                self.fakes()

        return step
