"""What is measured: cases, each a plain loop and the words by which ganctl does the same."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ADAM = ("optimizer.lr=2e-4", "optimizer.betas=[0.5,0.999]")
WIDE = ("model.generator.width=64", "model.discriminator.width=64")
DCGAN = ("model=dcgan", *WIDE, "model.latent=100", *ADAM, "ema.half_life=0")
MLP = ("model=mlp", "model.latent=100", "data.resolution=28", *ADAM, "ema.half_life=0")
CRITIC = "model.discriminator.norm=none"
R1_R2 = ("loss=relativistic", "penalty=[r1,r2]", "penalty.r1.every=1", "penalty.r2.every=1", CRITIC)
HINGE = ("loss=hinge", "penalty=[]", "optimizer.lr=2e-4", "ema.half_life=0")
SNGAN = (
    "model=resnet",
    "model.generator={width: 128, max_width: 128}",
    "model.discriminator={width: 128, max_width: 128}",
    "optimizer.betas=[0,0.9]",
)
BIGGAN = (
    "model=biggan",
    "model.conditional=true",
    "model.generator.width=32",
    "model.discriminator.width=64",
    "optimizer.betas=[0.5,0.999]",
)
FASTGAN = (
    "model=fastgan",
    "model.generator.width=16",
    "model.discriminator={width: 16, decoders: true}",
    "auxiliary=[reconstruction]",
    "augment=[diffaugment]",
    "augment.diffaugment.policy=[color,translation]",
    "optimizer.betas=[0.5,0.999]",
)
R3GAN = (
    "model=r3gan",
    "model.generator.widths=[192]",
    "model.discriminator.widths=[192]",
    "loss=relativistic",
    "penalty=[r1,r2]",
    "penalty.r1={weight: 0.05, every: 1}",
    "penalty.r2={weight: 0.05, every: 1}",
    "optimizer.lr=2e-4",
    "optimizer.betas=[0,0.9]",
    "ema.half_life=0",
)
STYLEGAN2 = (
    "model=stylegan2",
    "model.latent=256",
    "model.generator={style: 256, mixing: 0, width: 128, max_width: 128}",
    "model.discriminator={width: 128, max_width: 128, architecture: orig, group: 32}",
    "penalty=[r1]",
    "penalty.r1={weight: 0.01, every: 16}",
    "optimizer.lr=0.0025",
    "optimizer.betas=[0,0.99]",
    "ema.half_life=0",
)
CLASSES, LABELS = 10, "labels.npy"


@dataclass(frozen=True)
class Case:
    """A row of the table: what it is for people, its data, the plain loop by name, and ganctl's words.

    `updates` is the discriminator's updates a step; images are counted by those. `rgb` takes random colour
    images of that many pixels in place of MNIST, in ten classes for a conditional model. `beside` is the case
    whose plain loop stands beside one that has no tutorial of its own.
    """

    name: str
    loop: str
    side: int
    batch_size: int
    words: tuple[str, ...]
    updates: int = 1
    width: int = 64
    rgb: int | None = None
    norm: bool = True
    networks: str = "dcgan"
    kind: str = "step"
    beside: str | None = None

    @property
    def images(self) -> int:
        """Images in one call of the step."""
        return self.batch_size * self.updates


CASES = {
    "base": Case("DCGAN 32×32", "cross_entropy", 32, 128, (*DCGAN, "penalty=[]")),
    "example64": Case("DCGAN 64×64 RGB", "cross_entropy", 64, 64, (*DCGAN, "penalty=[]"), rgb=64),
    "example128": Case("DCGAN 64×64 RGB", "cross_entropy", 64, 128, (*DCGAN, "penalty=[]"), rgb=64),
    "wgan_gp": Case("WGAN-GP 32×32", "wgan_gp", 32, 64, (*DCGAN, "loss=wgan_gp", CRITIC), updates=5, norm=False),
    "r1_r2": Case("relativistic, R1 + R2, 32×32", "relativistic", 32, 64, (*DCGAN, *R1_R2), norm=False),
    "mlp": Case("MLP on MNIST 28×28", "cross_entropy", 28, 128, (*MLP, "penalty=[]"), networks="mlp"),
    "sngan": Case("SNGAN 32×32", "", 32, 64, (*SNGAN, *HINGE), updates=5, rgb=32, beside="base"),
    "biggan": Case("BigGAN 32×32, classes", "", 32, 64, (*BIGGAN, *HINGE), rgb=32, beside="base"),
    "fastgan": Case("FastGAN 256×256", "", 256, 8, (*FASTGAN, *HINGE), rgb=256, beside="base"),
    "r3gan": Case("R3GAN 32×32, R1 + R2", "", 32, 64, R3GAN, rgb=32, beside="base"),
    "stylegan2": Case("StyleGAN2 32×32", "", 32, 64, STYLEGAN2, rgb=32, beside="base"),
    "stylegan2_ada": Case(
        "StyleGAN2 32×32, ADA", "", 32, 64, (*STYLEGAN2, "augment=[ada]"), rgb=32, beside="base"
    ),
    "sampling": Case("sampling, DCGAN 32×32", "sampling", 32, 256, (*DCGAN, "penalty=[]"), kind="sampling"),
}
MODES = {"auto": (), "strict": ("device.strict=true",), "graphs": ("device.graphs=true",)}
"""Words of the ways to take a step; graphs are of CUDA alone."""
EAGER = ("auto", "strict")
"""The modes in which operators can be counted and timed one by one."""


def words_of(case: Case, mode: str, *, mnist: str, device: str, rgb: str) -> tuple[str, ...]:
    """Return ganctl's words for a case: where its data is, its own words, those of the device and of the mode."""
    if case.rgb is None:
        place = ["data=mnist", f"data.root={mnist}", "data.download=false"]
        if case.networks == "dcgan":
            place.append("data.resolution=32")
    else:
        place = ["data=array", f"data.path={rgb}"]
        if "model.conditional=true" in case.words:
            place.append(f"data.labels={Path(rgb).with_name(LABELS)}")
    common = [f"train.batch_size={case.batch_size}", f"device.name={device}", "train.steps=1000000"]
    common.append(f"train.n_dis={case.updates}")
    return (*place, *case.words, *common, *MODES[mode])


@contextmanager
def random_images(side: int | None, count: int = 1024, channels: int = 3) -> Iterator[str]:
    """Yield the path of a .npy file of random images of so many pixels, empty where no side is given.

    Labels of ten classes lie beside it.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "images.npy")
        if side is not None:
            shape = (count, side, side, channels)
            images = np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=shape)
            random = np.random.default_rng(0)
            for first in range(0, count, 4096):
                some = images[first : first + 4096]
                some[:] = random.integers(0, 256, some.shape, np.uint8)
            np.save(Path(folder, LABELS), np.arange(count) % CLASSES)
        yield str(path)
