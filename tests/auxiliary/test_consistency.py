"""CR, bCR and zCR against the numbers of PyTorch-StudioGAN."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganctl.augment.flip_shift import flip_and_shift
from ganctl.auxiliary import AUXILIARIES
from ganctl.game.round import Networks, Round, Surroundings
from ganctl.models import Discriminator
from ganctl.models.latents import LatentSpace
from ganctl.runtime.device import open_device
from ganctl.samples import SampleSpace
from tests.reference.vectors import GRADIENTS, Case, read

CPU = open_device("cpu", "fp64", strict=False, threads=None)
SETTINGS: dict[str, dict[str, float]] = {"cr": {}, "bcr": {"fakes": 1.0}, "zcr": {"noise": 0.5, "generator": 1.0}}


class Tiny(Discriminator):
    """The discriminator of the file: two linear layers of pixels, one of them of their squares, too."""

    def __init__(self, case: Case, classifies: bool) -> None:
        super().__init__()
        self.weights = {name: value.requires_grad_() for name, value in case.under("w.").items()}
        self.heads = SimpleNamespace(classifier=classifies or None)  # type: ignore[assignment]

    def features(self, samples: Tensor) -> Tensor:
        return samples.flatten(1)

    def logits(self, features: Tensor, labels: Tensor | None = None) -> Tensor:
        weight, bias = self.weights["adv.weight"], self.weights["adv.bias"]
        linear, squared = (nn.functional.linear(each, weight, bias) for each in (features, features**2))
        return (linear + 0.1 * squared).squeeze(1)

    def class_logits(self, features: Tensor) -> Tensor:
        return nn.functional.linear(features, self.weights["cls.weight"], self.weights["cls.bias"])


class Told(nn.Module):
    """A generator whose latents are images: it gives them back."""

    def forward(self, latents: Tensor) -> Tensor:
        return latents.unflatten(1, (3, 16, 16))


def term(name: str, player: str = "discriminator", factor: float = 1.0) -> Any:
    space, latents = SampleSpace.of_shape((3, 16, 16), (-1.0, 1.0)), LatentSpace(768)
    surroundings = Surroundings(player, space, latents, torch.device("cpu"), torch.float64, 0)  # type: ignore[arg-type]
    settings = SETTINGS[name] | ({"generator": factor} if name == "zcr" else {})
    return AUXILIARIES[name](name=name, weight=1.0, every=1, **settings).build(surroundings)


def moves_of(case: Case, number: int) -> dict[str, Tensor]:
    """Return the uniform numbers of an augmentation of the file, from which our ⌊u · count⌋ makes its integers."""
    flip, rows, columns = (
        next(case.tensors[name] for name in case.tensors if name.startswith(f"draw.{3 * number + i:02d}_"))
        for i in range(3)
    )
    largest = 2  # pixels of 16
    shifts = ((each.flatten() + largest + 0.5) / (2 * largest + 1) for each in (rows, columns))
    return dict(zip(("flip", "rows", "columns"), (flip.flatten(), *shifts), strict=True))


def round_of(case: Case, judge: Tiny, real: int, fake: int) -> Round:
    """Return a round with the file's images, moved by its augmentations of these numbers."""
    images, nearby = case["in.fake"], case["in.fake_eps"]
    feed = {"real": case["in.real"], "latents": images.flatten(1), "nearby": (nearby - images).flatten(1) / 0.5}
    feed |= {f"real_{name}": values for name, values in moves_of(case, real).items()}
    feed |= {f"fake_{name}": values for name, values in moves_of(case, fake).items()}
    return Round(Networks(Told(), judge, CPU), feed)


@pytest.mark.parametrize(("number", "image"), [(0, "in.real"), (1, "in.real"), (2, "in.fake")])
def test_images_are_flipped_and_shifted_as_studiogans(number: int, image: str) -> None:
    case = read("studiogan_consistency")
    moved = flip_and_shift(case[image], torch.stack(list(moves_of(case, number).values()), 1))
    case.check(f"adv.augmented_{number}", moved)


def test_consistency_terms_are_studiogans() -> None:
    case = read("studiogan_consistency")
    images = {name: case[name].requires_grad_() for name in ("in.real", "in.fake")}
    judges = {"adv": Tiny(case, classifies=False), "ac": Tiny(case, classifies=True)}
    outputs = {}
    for first, (form, judge) in zip((0, 3), judges.items(), strict=True):
        cr = round_of(case, judge, first, first)
        both = round_of(case, judge, first + 1, first + 2)
        found = {"cr": term("cr")(cr), "bcr_real": term("cr")(both)}
        found["bcr_fake"] = term("bcr")(both) - found["bcr_real"]
        found |= {"zcr_d": term("zcr")(both), "zcr_g": term("zcr", "generator")(both)}
        found["d_total"] = 10 * (found["cr"] + term("bcr")(both)) + 5 * found["zcr_d"]
        found["g_total"] = 0.5 * found["zcr_g"]
        outputs |= {f"{form}.{name}": value for name, value in found.items()}
    for name, value in outputs.items():
        case.check(f"out.{name}", value, GRADIENTS)
    case.scalar(outputs).backward()
    for name, image in images.items():
        assert image.grad is not None
        case.check(f"grad.{name}", image.grad, GRADIENTS)
    for name, weight in judges["adv"].weights.items():
        assert weight.grad is not None
        case.check(f"grad.w.{name}", weight.grad, GRADIENTS)
