"""What to train data with, and why: `experiment=auto`, a pure function of what the data and the machine are."""

from collections.abc import Collection
from dataclasses import dataclass, field

from ganctl.errors import ConfigError, counted
from ganctl.models.biggan import CHANNELS as BIGGAN_CHANNELS
from ganctl.models.fastgan import HALVINGS as FASTGAN_HALVINGS
from ganctl.models.parts.sizes import HALVINGS, base_of
from ganctl.samples import IMAGES, SampleSpace

FEW = 5_000
"""Images below which a discriminator learns them by heart before the generator has learned from it."""

VERY_FEW = 1_000
MANY = 50_000
"""Images up from which none of these need to be changed."""

LEAST_OF_A_CLASS = 100
"""Images of the smallest class from which a generator can learn what tells it from the others."""

UNBALANCED, TOO_UNBALANCED = 3, 10
"""How many times as many images the largest class has as the smallest: where to balance, and where to give up."""

MOST_CLASSES = 1_000

FEW_WIDTH = 64
"""DCGAN's channels next to the image for few images (docs/results/time_to_quality.md)."""

BYTES_PER_PIXEL = {"dcgan": 1_000, "biggan": 2_000, "fastgan": 10_000, "mlp": 1_000}
"""What a pixel of a batch takes in training, at the widths recommended here: twice what bf16 took on a CPU."""

STYLEGAN2_BYTES = 180
"""What a pixel takes in StyleGAN2 for each channel at the full side, by arithmetic (its recipe)."""

FIXED_BYTES = 3 << 29
"""What training takes whatever the batch: libraries, weights, optimizer."""

STEPS = {"few": (5_000, 5), "dcgan": (20_000, 7)}
"""Steps of DCGAN for few or many images, and their minutes on two cores at 32×32 pixels (docs/gallery.md)."""

OTHER_STEPS = (5_000, 12)
"""The same of other networks."""

BIGGAN = {
    "model.generator.width=16": "64 channels in every block, which a CPU can bear",
    "model.discriminator.width=32": "64 channels, too",
    "loss=hinge": "BigGAN's loss",
    "penalty=[]": "its discriminator is spectrally normalised, and needs no penalty",
    "optimizer.betas=[0,0.9]": "BigGAN's means",
    "optimizer.generator.lr=2e-4": "two rates: the discriminator's is",
    "optimizer.discriminator.lr=4e-4": "twice the generator's",
}
"""What goes with `model=biggan` on a CPU, as docs/results/labels.md measured it."""


@dataclass(frozen=True)
class Facts:
    """What the data and the machine are.

    `shape` is that of a sample in a step. `typical_side` is the median of the shorter sides of images in files,
    which `data.resolution` brings to any size, else None.
    `classes` are the images of each class. `memory` are the bytes of the device to train on.
    """

    count: int
    shape: tuple[int, ...]
    memory: int
    cuda: bool = False
    typical_side: int | None = None
    classes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Recommendation:
    """A word of the command line and the reason for it; without a word, a remark."""

    word: str
    reason: str

    def __str__(self) -> str:
        return f"{self.word}: {self.reason}" if self.word else self.reason


@dataclass
class _Choice:
    """Recommendations in the making; what the user's own words decide is left out."""

    own: Collection[str]
    made: list[Recommendation] = field(default_factory=list)

    def take(self, word: str, reason: str) -> None:
        if word.partition("=")[0] not in self.own:
            self.made.append(Recommendation(word, reason))

    @property
    def free(self) -> bool:
        """Whether the user leaves open what goes with a model."""
        groups = {key.partition(".")[0] for key in self.own if not key.startswith("model.")}
        return not groups & {"model", "loss", "penalty", "auxiliary", "augment", "optimizer"}

    def remark(self, text: str) -> None:
        self.made.append(Recommendation("", text))


def recommend(facts: Facts, own: Collection[str] = ()) -> list[Recommendation]:
    """Return what to train such data with, in the order of a command line, each with its reason.

    `own` are the keys that the user's own words set, which are left alone: of another model, nothing that belongs
    to the recommended one is recommended.
    """
    choice = _Choice(own)
    if len(facts.shape) < IMAGES.axes:
        told = SampleSpace.of_shape(facts.shape).describe()
        choice.take("model=mlp", f"samples are {told}, not images")
        choice.take("train.steps=3000", "about a minute")
        return choice.made
    shape = _shape(facts, choice)
    conditional = _classes(facts, choice)
    few = facts.count < FEW
    if not (facts.cuda and facts.typical_side is not None and choice.free and _recipe(facts, shape, choice)):
        model = _model(facts, shape, choice, conditional=conditional, few=few)
        if few:
            told = f"a discriminator learns {counted(facts.count, 'image')} by heart, unless they change"
            choice.take("augment=[diffaugment]", told)
        if model is not None:
            _batch(facts, shape, BYTES_PER_PIXEL[model], 64, choice)
        _steps(facts, shape, choice, "few" if few and model == "dcgan" else model or "")
    if few and "init_from" not in choice.own:
        choice.remark("a run on many images of this size makes a better start: init_from=<run> (docs/transfer.md)")
    return choice.made


def _shape(facts: Facts, choice: _Choice) -> tuple[int, ...]:
    """Choose the side that images are brought to; return the shape of a sample."""
    if facts.typical_side is None or "data.resolution" in choice.own:
        return facts.shape
    most = 64
    if facts.cuda:
        most = 256 if facts.memory >= 16 << 30 else 128
    side = max(each for each in (32, 64, 128, 256) if each <= max(32, min(facts.typical_side, most)))
    told = f"the shorter sides of the images are {facts.typical_side} pixels (median)"
    if facts.typical_side > most:
        told += f", and {most} are what {'this GPU' if facts.cuda else 'a CPU'} trains in hours"
    choice.take(f"data.resolution={side}", told)
    return (facts.shape[0], side, side)


def _classes(facts: Facts, choice: _Choice) -> bool:
    """Choose whether to make samples of a class that is asked for."""
    kinds = facts.classes
    if len(kinds) < 2:
        return False
    least, ratio = min(kinds), max(kinds) / max(1, min(kinds))
    what = f"{counted(len(kinds), 'class')} of {least:,} to {max(kinds):,} images"
    if len(kinds) > MOST_CLASSES or least < LEAST_OF_A_CLASS or ratio > TOO_UNBALANCED:
        choice.remark(
            f"model.conditional stays false: {what}; a class needs {LEAST_OF_A_CLASS} images, the largest at most "
            f"{TOO_UNBALANCED} times the smallest"
        )
        return False
    choice.take("model.conditional=true", f"{what}: enough to learn each, and to ask for")
    if ratio > UNBALANCED:
        choice.take("data.balance=true", f"the largest class has {ratio:.1f} times the images of the smallest")
    return True


def _model(facts: Facts, shape: tuple[int, ...], choice: _Choice, *, conditional: bool, few: bool) -> str | None:
    """Choose the networks; return their name, None where they are the user's choice."""
    if "model" in choice.own:
        return None
    if not _halves(shape, HALVINGS):
        _, height, width = shape
        choice.take("model=mlp", f"{height}×{width} pixels do not halve down to 4–7, as convolutions here need")
        return "mlp"
    if choice.free and conditional and not few and _halves(shape, BIGGAN_CHANNELS):
        choice.take("model=biggan", "with classes it learned CIFAR-10 soonest (docs/results/labels.md)")
        for word, reason in BIGGAN.items():
            if not (facts.cuda and "width" in word):
                choice.take(word, reason)
        return "biggan"
    choice.take("model=dcgan", "without many images of each class it learns soonest")
    if few:
        for player in ("generator", "discriminator"):
            choice.take(f"model.{player}.width={FEW_WIDTH}", "learned few images better than the default's")
    return "dcgan"


def _recipe(facts: Facts, shape: tuple[int, ...], choice: _Choice) -> bool:
    """Choose a recipe for a GPU and images of any size; return whether there is one."""
    side = min(shape[1:])
    images = counted(facts.count, "image")
    if facts.count < VERY_FEW and side >= 64 and _halves(shape, FASTGAN_HALVINGS):
        choice.take("experiment=fastgan_few", f"FastGAN is made for so few, {images} of {side} pixels")
        _batch(facts, shape, BYTES_PER_PIXEL["fastgan"], 8, choice)
        return True
    if facts.count < VERY_FEW or not _halves(shape, HALVINGS):
        return False
    width = min(512, 16384 // side)
    choice.take("experiment=stylegan2_ada_folder", f"StyleGAN2 with ADA is made for {images}")
    for player in ("generator", "discriminator"):
        choice.take(f"model.{player}.width={width}", f"as the authors choose for {side} pixels")
    batch = _batch(facts, shape, STYLEGAN2_BYTES * width, 32, choice)
    choice.take(f"penalty.r1.weight={0.0002 * side**2 / batch:.4g}", f"0.0002·{side}²/{batch}, as they do")
    if facts.count >= MANY:
        choice.take("augment=[]", f"{images} need no augmentation")
    return True


def _halves(shape: tuple[int, ...], counts: Collection[int]) -> bool:
    try:
        base_of(SampleSpace.of_shape(shape), "recommended", counts)
    except ConfigError:
        return False
    return True


def _batch(facts: Facts, shape: tuple[int, ...], of_pixel: int, usual: int, choice: _Choice) -> int:
    """Choose the largest batch up to the usual one that fits into memory, `of_pixel` bytes each; return it."""
    _, height, width = shape
    sizes = [usual >> halved for halved in range(5) if usual >> halved >= 4]
    free = facts.memory - FIXED_BYTES
    batch = next((size for size in sizes if size * of_pixel * height * width <= free), sizes[-1])
    if batch < usual:
        memory = f"{facts.memory / 2**30:,.0f} GiB of memory"
        choice.take(f"train.batch_size={batch}", f"{memory} bear no more of {height}×{width} pixels")
    return batch


def _steps(facts: Facts, shape: tuple[int, ...], choice: _Choice, kind: str) -> None:
    """Choose how long to train."""
    _, height, width = shape
    steps, told = 50_000, "hours on this GPU"
    if not facts.cuda:
        steps, minutes = STEPS.get(kind, OTHER_STEPS)
        told = f"about {round(minutes * height * width / 32**2):,} minutes on two cores"
    choice.take(f"train.steps={steps}", f"{told}; the images on the way show when to stop, or to go on")
