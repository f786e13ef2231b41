"""The runs of the table `labels`: what each trains, for how much CPU time, and what it is asked afterwards."""

from dataclasses import dataclass
from typing import Literal

from scripts.tables.table import Column

NAME = "labels"
ENDLESS = ("train.steps=1000000",)
"""Steps of a run that only its CPU time ends."""

CIFAR_CLASSES = ("automobile", "ship", "horse")
"""Classes of which a conditional run's samples are shown."""

FID = Column("fid", "fid", "FID by the classifier", 2)


@dataclass(frozen=True)
class Trial:
    """A run: its words of `ganctl train`, and the CPU minutes after which it is stopped."""

    key: str
    label: str
    minutes: float
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The name of the run, and of its folder."""
        return f"{NAME}-{self.key}"


@dataclass(frozen=True)
class Question:
    """Runs on one data set that are asked the same, beside FID."""

    key: str
    title: str
    data: Literal["mnist", "cifar"]
    asks: Literal["agreement", "purity"] | None
    columns: tuple[Column, ...]
    told: str
    """What was done and what the numbers mean."""

    trials: tuple[Trial, ...]


def kept(every: int) -> tuple[str, ...]:
    """Return the words that keep a checkpoint of so many steps for good, to be measured afterwards."""
    return (f"checkpoint.every={every}", f"checkpoint.keep_every={every}", f"sample.every={every}")


def endless(*words: str, every: int = 1000) -> tuple[str, ...]:
    """Return the words of a run that its CPU time ends."""
    return (*words, *ENDLESS, *kept(every))


DIGITS = Question(
    "digits",
    "Digits that are asked for",
    "mnist",
    "agreement",
    (Column("agreement", "value", "agreement", 2, True), Column("worst", "value", "worst digit", 1, True), FID),
    "Conditional DCGAN on MNIST at 32×32. A classifier of real digits says which digit each of 10,000 samples "
    "shows, 1,000 of each digit that was asked for: the agreement is the share of those that show it. What it "
    "says of real digits that it was not taught is its own accuracy.",
    (Trial("cdcgan", "conditional DCGAN", 15, ("experiment=cdcgan_mnist", *kept(1000))),),
)

CODES = Question(
    "codes",
    "Digits that a code finds",
    "mnist",
    "purity",
    (Column("purity", "value", "purity", 2, True), Column("matched", "value", "one to one", 2, True), FID),
    "InfoGAN on MNIST without labels. The same classifier says which digit each of 10,000 samples shows. Purity "
    "gives each value of the categorical code the digit that most of its samples show, as the paper's 95 % does; "
    "one to one gives each value another digit, the best of all matchings.",
    (Trial("infogan", "InfoGAN", 15, ("experiment=infogan_mnist", *kept(1000))),),
)

CIFAR = Question(
    "cifar",
    "Colour images in 30 CPU minutes",
    "cifar",
    None,
    (FID,),
    "CIFAR-10's 50,000 training images as JPEG files (not the original pixels) at 32×32, each network for 30 CPU "
    "minutes. FID is that of 10,000 samples in the features of a classifier of these images: it compares the rows "
    "with each other, and is no published FID.",
    (Trial("dcgan", "DCGAN", 30, endless("model=dcgan", "sample.num=64")),),
)

QUESTIONS = (DIGITS, CODES, CIFAR)
