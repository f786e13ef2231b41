"""The runs of the table `labels`: what each trains, for how much CPU time, and what it is asked afterwards."""

from dataclasses import dataclass
from typing import Literal

from scripts.tables.table import Column

NAME = "labels"
ENDLESS = ("train.steps=1000000",)
"""Steps of a run that only its CPU time ends."""

SMALL_JUDGE = "features.colour=null"
"""What gives colour images the classifier of grey ones, by which all rows of the tables have been measured."""

CIFAR_CLASSES = ("automobile", "ship", "horse")
"""Classes of which a conditional run's samples are shown."""

FID = Column("fid", "fid", "FID by the classifier", 2)
AGREEMENT = Column("class_agreement", "class_agreement", "agreement", 2, True)


@dataclass(frozen=True)
class Trial:
    """A run: its words of `ganctl train`, and the CPU minutes after which it is stopped."""

    key: str
    label: str
    minutes: float
    words: tuple[str, ...]
    metrics: tuple[str, ...] = ("fid",)
    """What `ganctl evaluate` measures."""

    asked: tuple[str, ...] = ()
    """Further words of `ganctl evaluate`."""

    @property
    def name(self) -> str:
        """The name of the run, and of its folder."""
        return f"{NAME}-{self.key}"


@dataclass(frozen=True)
class Question:
    """Runs on one data set that are compared, or each asked the same."""

    key: str
    title: str
    data: Literal["mnist", "cifar"]
    columns: tuple[Column, ...]
    """Their metrics are the keys of a point of a run's course."""

    told: str
    """What was done and what the numbers mean."""

    trials: tuple[Trial, ...]
    codes: bool = False
    """Whether the classes that codes find are to be judged."""


def kept(every: int) -> tuple[str, ...]:
    """Return the words that keep a checkpoint of so many steps for good, to be measured afterwards."""
    return (f"checkpoint.every={every}", f"checkpoint.keep_every={every}", f"sample.every={every}")


def endless(*words: str, every: int = 1000) -> tuple[str, ...]:
    """Return the words of a run that its CPU time ends."""
    return (*words, *ENDLESS, *kept(every))


HINGE = (
    "loss=hinge",
    "penalty=[]",
    "optimizer.betas=[0,0.9]",
    "optimizer.generator.lr=2e-4",
    "optimizer.discriminator.lr=4e-4",
)
"""Spectral norm's loss (Miyato et al. 2018), with a faster discriminator in place of several updates of it."""

FIRST_DCGAN = (
    "model=dcgan",
    "model.generator.width=64",
    "model.discriminator.width=64",
    "optimizer.betas=[0.5,0.99]",
    "penalty.r1.weight=1",
)
"""What DCGAN's rows were measured with; ganctl's defaults are others."""

BIGGAN = ("model.generator.width=16", "model.discriminator.width=32")
"""As wide at 32 pixels as the SNGAN-shaped networks."""
R3GAN = (
    "model.generator.widths=[32,64,128,128]",
    "model.discriminator.widths=[32,64,128,128]",
    "model.generator.blocks=[1]",
    "model.discriminator.blocks=[1]",
    "loss=relativistic",
    "penalty=[r1,r2]",
    "penalty.r1={weight: 0.5, every: 1}",
    "penalty.r2={weight: 0.5, every: 1}",
    "optimizer.lr=1e-3",
    "optimizer.betas=[0,0.99]",
    "ema.half_life=2000",
    "train.batch_size=32",
)
"""Narrow, with a learning rate for few steps; gamma is the best of three short trials."""

STYLEGAN2 = (
    "model.generator={width: 32, max_width: 128}",
    "model.discriminator={width: 32, max_width: 128}",
    "train.batch_size=32",
)
"""The recipe of CIFAR-10, as narrow as its header advises for a CPU."""

ACGAN = (
    "model.conditional=true",
    "model.discriminator.condition=classifier",
    "auxiliary=[class_loss]",
    "auxiliary.class_loss.on_fakes=true",
    "auxiliary.class_loss.weight=0.1",
)
SAGAN = (
    "model=resnet",
    "model.conditional=true",
    "model.generator.spectral=true",
    "model.generator.attention=16",
    "model.discriminator.attention=16",
)

BOTH = ("fid", "class_agreement")

DIGITS = Question(
    "digits",
    "Digits that are asked for",
    "mnist",
    (AGREEMENT, FID),
    "Conditional DCGAN on MNIST at 32×32. A classifier of real digits says which digit each of 10,000 samples "
    "shows: the agreement is the share of those that show the digit that was asked for.",
    (
        Trial(
            "cdcgan",
            "conditional DCGAN",
            15,
            ("experiment=cdcgan_mnist", *kept(1000)),
            BOTH,
        ),
    ),
)

CODES = Question(
    "codes",
    "Digits that a code finds",
    "mnist",
    (Column("purity", "purity", "purity", 2, True), Column("matched", "matched", "one to one", 2, True), FID),
    "InfoGAN on MNIST without labels. The same classifier says which digit each of 10,000 samples shows. Purity "
    "gives each value of the categorical code the digit that most of its samples show, as the paper's 95 % does; "
    "one to one gives each value another digit, the best of all matchings.",
    (Trial("infogan", "InfoGAN", 15, ("experiment=infogan_mnist", *kept(1000))),),
    codes=True,
)

CIFAR = Question(
    "cifar",
    "Colour images in 30 CPU minutes",
    "cifar",
    (FID, AGREEMENT),
    "CIFAR-10's 50,000 training images as JPEG files (not the original pixels) at 32×32, each network for 30 CPU "
    "minutes, the residual ones of 64 channels. FID is of 10,000 samples in the features of a small classifier of "
    "these images: it compares the rows with each other, and is no published FID.",
    (
        Trial("dcgan", "DCGAN", 30, endless(*FIRST_DCGAN, "sample.num=64")),
        Trial("sngan", "SNGAN-shaped", 30, endless("model=resnet", *HINGE, "sample.num=64")),
        Trial(
            "biggan",
            "BigGAN-shaped, classes",
            30,
            endless("model=biggan", "model.conditional=true", *BIGGAN, *HINGE, "sample.num=80"),
            BOTH,
        ),
        Trial("r3gan", "R3GAN-shaped", 30, endless("model=r3gan", *R3GAN, "sample.num=64", every=500)),
        Trial(
            "stylegan2",
            "StyleGAN2-shaped, ADA, classes",
            30,
            endless("experiment=stylegan2_ada_cifar10", *STYLEGAN2, "sample.num=80"),
            BOTH,
        ),
    ),
)

OTHERS = Question(
    "others",
    "AC-GAN and SAGAN in 10 CPU minutes",
    "cifar",
    (FID, AGREEMENT),
    "Small networks by the other recipes on the same images: DCGAN with an auxiliary classifier, and residual "
    "networks of 64 channels with classes, self-attention at 16×16 and spectral norm in both players.",
    (
        Trial("acgan", "AC-GAN", 10, endless(*FIRST_DCGAN, *ACGAN, "sample.num=80", every=500), BOTH),
        Trial(
            "sagan", "SAGAN-shaped", 10, endless("model=resnet", *SAGAN, *HINGE, "sample.num=80", every=500), BOTH
        ),
    ),
)

MODES = Question(
    "modes",
    "1,000 triples of digits within an hour",
    "mnist",
    (Column("modes", "modes", "modes", 0), Column("kl", "kl", "KL", 3)),
    "R3GAN's recipe on stacked MNIST (three digits as the channels of one image), narrow and at a higher learning "
    "rate: a classifier of digits says which of the 1,000 triples each of 10,000 samples shows. The paper has all "
    "1,000 and KL 0.029 after many times the steps of networks many times as wide.",
    (
        Trial(
            "r3gan-stacked",
            "R3GAN-shaped",
            60,
            (
                "experiment=r3gan_stacked_mnist",
                "model.generator={widths: [32,64,128], blocks: [1]}",
                "model.discriminator={widths: [32,64,128], blocks: [1]}",
                "optimizer.lr=1e-3",
                "ema.half_life=2000",
                "train.batch_size=32",
                "evaluate.every=0",
                *kept(2000),
            ),
            ("mode_count",),
            ("metric.mode_count.reference=uniform",),
        ),
    ),
)

QUESTIONS = (DIGITS, CODES, CIFAR, OTHERS, MODES)
