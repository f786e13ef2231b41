"""The rows and the sets of images of the table `time_to_quality`."""

from dataclasses import dataclass

from scripts.tables.labels import colours_at

MARKS = (30, 60, 120, 240, 300)
"""CPU seconds after which a run is measured; its last one always is."""

OFTEN = (10, 15, 20, 30, 45, 60, 120, 240, 300)
"""Those of our own row: to see when it is as good as another row at its end."""

SELDOM = (60, 240, 300)
"""Those of networks that take minutes to draw the samples."""


@dataclass(frozen=True)
class Images:
    """A set of images, all at 32×32 pixels, and the CPU seconds that a run of it has."""

    key: str
    title: str
    seconds: int
    channels: int = 3


DIGITS = Images("digits", "The default digits", 60, 1)
MNIST = Images("mnist", "MNIST", 240, 1)
CIFAR = Images("cifar", "CIFAR-10", 300)
HORSES = Images("horses", "500 horses of CIFAR-10", 240)
SETS = (DIGITS, MNIST, CIFAR, HORSES)


@dataclass(frozen=True)
class Places:
    """Where the images are: folders and zips as the user has them, or as the page calls them."""

    mnist: str | None = None
    cifar: str = "cifar10-jpg.zip"
    horses: str = "horses"

    def words(self, images: Images) -> tuple[str, ...]:
        """Return the words of ganctl that name a set."""
        if images is MNIST:
            return ("data=mnist", *((f"data.root={self.mnist}", "data.download=false") if self.mnist else ()))
        if images is CIFAR:
            return colours_at(self.cifar)
        if images is HORSES:
            return ("data=folder", f"data.path={self.horses}", "data.resolution=32")
        return ("data=digits",)


@dataclass(frozen=True)
class Row:
    """A way to train: the words of ganctl, or None for a loop of `plain_rows`."""

    key: str
    label: str
    words: tuple[str, ...] | None
    told: str
    sets: tuple[Images, ...] = SETS
    marks: tuple[int, ...] = MARKS


EXACT = "device.precision=fp32"
FASTGAN = (
    "model=fastgan",
    "model.discriminator.decoders=true",
    "loss=hinge",
    "penalty=[]",
    "auxiliary=[reconstruction]",
    "augment=[diffaugment]",
    "augment.diffaugment.policy=[color,translation]",
    "optimizer.lr=2e-4",
    "optimizer.betas=[0.5,0.999]",
    "ema.half_life=5545",
    "ema.ramp=0",
    "train.batch_size=8",
)
"""The settings of experiment=fastgan_few, which is for a folder of larger images."""

ROWS = (
    Row(
        "ganctl",
        "ganctl's defaults",
        (),
        "`ganctl train` on the set, without a further word.",
        marks=OFTEN,
    ),
    Row(
        "tutorial",
        "tutorial",
        None,
        "PyTorch's DCGAN tutorial with one layer fewer, for 32 pixels: fp32, batches of 128, Adam 2e-4.",
    ),
    Row(
        "examples",
        "pytorch/examples",
        None,
        "The DCGAN of pytorch/examples with one layer fewer, for 32 pixels: the same in batches of 64.",
    ),
    Row(
        "examples64",
        "pytorch/examples, 64²",
        None,
        "The same at its own 64 pixels, to which images are enlarged; samples are halved to be measured.",
    ),
    Row(
        "fastgan",
        "FastGAN",
        (*FASTGAN, EXACT),
        "FastGAN's networks (as many blocks as 32 pixels have) and settings: batches of 8, hinge, Adam 2e-4, "
        "DiffAugment, reconstruction without LPIPS.",
        marks=SELDOM,
    ),
    Row(
        "sngan",
        "SNGAN",
        ("experiment=sngan_cifar10", EXACT),
        "SNGAN's residual networks of 256 and 128 channels and settings: batches of 64, hinge, Adam 2e-4, five "
        "updates of the discriminator.",
        marks=SELDOM,
    ),
    Row(
        "r3gan",
        "R3GAN",
        ("experiment=r3gan_cifar10", "train.batch_size=16", "train.accumulate=32"),
        "R3GAN's networks of 768 channels and settings: batches of 512, relativistic, R1 and R2, Adam 2e-4; in "
        "bf16. A step takes minutes.",
        sets=(CIFAR,),
        marks=(300,),
    ),
)
