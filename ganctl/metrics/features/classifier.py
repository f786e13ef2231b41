"""A classifier that learns the data's own classes, offline and in minutes."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from ganctl.data.store import Store
from ganctl.errors import DataError
from ganctl.metrics.extractor import EXTRACTORS, KEY, Extracted, Extractor, FeatureExtractor, Reference, exact_fp32
from ganctl.metrics.features.teaching import batches_of, learn, resized, unit
from ganctl.metrics.features.whitened import Whitened, WhitenedNetwork
from ganctl.metrics.tensor_cache import TensorCache, digest
from ganctl.registry import Component
from ganctl.runtime.console import say
from ganctl.runtime.randomness import permutation, seeded

CLASSIFIER_VERSION = 2
"""Raised with every change of architecture or training, so that no earlier classifier is taken from the cache."""

HELD_OUT = 10
"""One of so many labelled images is held out to measure the accuracy."""

MOST_HELD_OUT = 10_000
COLOURS = 3


class Lessons(Component):
    """How a classifier is taught: its network, and the course of its updates.

    Colour images, whose classes are harder to tell, have a network of their own, if `colour` is given.
    """

    width: Annotated[int, Field(ge=1, le=1024)]
    side: Annotated[int, Field(ge=8, le=256)]
    steps: Annotated[int, Field(ge=1, le=10_000_000)]
    batch_size: Annotated[int, Field(ge=2, le=65_536)]
    lr: Annotated[float, Field(gt=0)]
    colour: Whitened | None

    def network(self, labelled: Store, seed: int) -> "Judge":
        """Return an untaught network for the images and classes of a store."""
        channels, classes = labelled.space.shape[0], len(labelled.classes)
        with seeded(seed, "classifier"):
            if self.colour is not None and channels == COLOURS:
                return WhitenedNetwork(channels, classes, self.colour.widths, self.side)
            return Network(channels, classes, self.width, self.side)

    def teach(
        self,
        network: "Judge",
        labelled: Store,
        taught: Tensor,
        seed: int,
        changed: Callable[[Tensor], Tensor] = lambda images: images,
    ) -> None:
        """Teach the labels of the images in rows of a store, on the CPU by one thread: the same bits each time.

        The small network learns by Adam, its rate falling from `lr` to 0 by a cosine; `changed` augments each of
        its batches.
        """
        assert labelled.labels is not None
        with torch.enable_grad(), exact_fp32(), single_thread():
            if isinstance(network, WhitenedNetwork):
                assert self.colour is not None
                self.colour.teach(network, labelled, taught, seed)
                return
            batches = batches_of(labelled, self.batch_size, seed, taught)
            optimizer = torch.optim.Adam(network.parameters(), self.lr)
            schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.steps)
            learn(network, labelled.labels, batches, optimizer, schedule, self.steps, changed)


@EXTRACTORS.register
class Classifier(Lessons, FeatureExtractor):
    """The last hidden layer and the logits of a convolutional network that has learnt the data's labels.

    It is taught once and cached. Distances in its features compare runs on the same data; they are not a published
    FID.
    """

    name: Literal["classifier"]
    seed: Annotated[int, Field(ge=0)]

    def open(self, reference: Reference) -> Extractor:
        """Return the classifier; raise `ConfigError` for points, `DataError` for images without labels."""
        reference.require_images("classifier")
        source = reference.source
        labelled = source.labelled(reference.store)
        if labelled.labels is None or len(labelled.classes) < 2:
            has = "none" if labelled.labels is None else "the same for all"
            raise DataError(
                f"{KEY}: classifier is taught by labels, and this data has {has}; give each class a folder of its "
                f"own, or take {KEY}=torchvision, or raw for small images"
            )
        classes = len(labelled.classes)
        network = self.network(labelled, self.seed)
        accuracy = self._teach_or_find(network, labelled, reference.cache)
        network.to(memory_format=torch.channels_last).to(reference.device).requires_grad_(False).eval()
        planes = reference.store.space.shape[0] if source.stacked else 1
        side = min(self.side, max(labelled.space.shape[1:]))
        return Extractor(
            name="classifier",
            extract=partial(extract_stacked if source.stacked else extract, network),
            identity=f"classifier-{digest(network.state_dict())[:32]}",
            dimension=network.dimension * planes,
            device=reference.device,
            classes=classes**planes,
            takes=reference.store.space,
            resizer=f"bilinear, antialiased, to {side} pixels" if side < max(labelled.space.shape[1:]) else "none",
            accuracy=accuracy,
        )

    def _teach_or_find(self, network: "Judge", labelled: Store, cache: str) -> float:
        """Give the network its weights; return the share of held-out images that it classifies right."""
        cached = TensorCache(cache, "classifiers")
        settings = self.model_dump(exclude={"colour"})
        if isinstance(network, WhitenedNetwork):
            settings |= self.model_dump(include={"colour"})
        question = [CLASSIFIER_VERSION, settings, labelled.fingerprint]
        forms = {name: (value.dtype, tuple(value.shape)) for name, value in _answer(network, 0.0).items()}
        if (found := cached.read(question, forms)) is not None:
            accuracy = found.pop("accuracy").item()
            network.load_state_dict({name.removeprefix("network."): value for name, value in found.items()})
            return accuracy
        started = time.monotonic()
        taught, held_out = split(labelled, self.seed)
        assert labelled.labels is not None
        self.teach(network, labelled, taught, self.seed)
        with exact_fp32(), single_thread():
            parts = (labelled.samples[part] for part in held_out.split(256))
            accuracy = share_right(network, parts, labelled.labels[held_out])
        say(
            f"classifier of {len(labelled.classes)} classes taught in {time.monotonic() - started:.0f} s: "
            f"{accuracy:.2%} of {len(held_out):,} held-out images right"
        )
        cached.write(question, _answer(network, accuracy))
        return accuracy


def _answer(network: "Judge", accuracy: float) -> dict[str, Tensor]:
    """Return what is cached of a trained network."""
    weights = {f"network.{name}": value for name, value in network.state_dict().items()}
    return weights | {"accuracy": torch.tensor(accuracy, dtype=torch.float64)}


class Network(nn.Module):
    """Four convolutions with batch norm, the mean over pixels, one linear layer.

    Maps images [n, channels, height, width] in [0, 1] to features [n, 8·width] and logits [n, classes].
    Larger images are first resized to `side` pixels.
    """

    def __init__(self, channels: int, classes: int, width: int, side: int) -> None:
        super().__init__()
        self.side = side
        self.dimension = 8 * width
        widths = [channels, width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = []
        for number in range(4):
            stride = 1 if number == 1 else 2
            layers += [
                nn.Conv2d(widths[number], widths[number + 1], 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(widths[number + 1]),
                nn.ReLU(),
            ]
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(self.dimension, classes)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return features and logits."""
        features = self.body(resized(images, self.side)).mean((2, 3))
        return features, self.head(features)


Judge = Network | WhitenedNetwork


def extract(network: Judge, images: Tensor) -> Extracted:
    """Return features and logits of images, uint8 [n, height, width, channels]."""
    return Extracted(*network(unit(images.to(network.head.weight.device))))


def extract_stacked(network: Judge, images: Tensor) -> Extracted:
    """Return features and logits of images, uint8 [n, height, width, channels], each channel an image of its own.

    Features of the channels are joined; a class is one of each channel, its logit the sum of their
    log-probabilities, the first channel's class counting most.
    """
    planes = extract(network, images.permute(0, 3, 1, 2).flatten(0, 1)[..., None])
    assert planes.logits is not None
    count, channels = len(images), images.shape[-1]
    joint = planes.logits.new_zeros(count, 1)
    for channel in planes.logits.log_softmax(1).unflatten(0, (count, channels)).unbind(1):
        joint = (joint[:, :, None] + channel[:, None, :]).flatten(1)
    return Extracted(planes.features.unflatten(0, (count, channels)).flatten(1), joint)


def split(labelled: Store, seed: int) -> tuple[Tensor, Tensor]:
    """Return the rows of images to train on and of those to hold out, int64; raise `DataError` for too few."""
    count = min(len(labelled) // HELD_OUT, MOST_HELD_OUT)
    if count == 0:
        raise DataError(
            f"{KEY}: {len(labelled)} labelled images are too few to teach a classifier; it takes {HELD_OUT}"
        )
    order = permutation(len(labelled), "held out", seed)
    return order[count:], order[:count]


@torch.no_grad()
def share_right(network: Judge, images: Iterable[Tensor], labels: Tensor) -> float:
    """Return the share of images, uint8 chunks [n, height, width, channels], that a network classifies right.

    `labels` are those of all chunks, int64 [count].
    """
    found = torch.cat([network(unit(part))[1].argmax(1) for part in images])
    return int((found == labels).sum()) / len(labels)


@contextmanager
def single_thread() -> Iterator[None]:
    """Compute by one thread within the block: with several, the last bits of a sum depend on their number."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
