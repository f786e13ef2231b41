"""How badly a trained generator makes images again: by an encoder that is taught, or by searching latents."""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor

from ganctl.data.batches import Batches
from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.images.pretrained import weights_digest
from ganctl.metrics.tensor_cache import TensorCache, digest
from ganctl.registry import Spec
from ganctl.runs.generator import TrainedGenerator
from ganctl.runtime.console import track
from ganctl.runtime.randomness import seeded
from ganctl.uses.encoding import Encoder, nearest_class, taught
from ganctl.uses.inversion import Candidates, Search, in_parts, inverted
from ganctl.uses.likeness import Share, drawn_images, likeness, maker, samples_of

MEASURED = 512
"""Generated images by which distances are measured."""


class EncoderSpec(Spec):
    """How an encoder is taught."""

    steps: Annotated[int, Field(ge=1, le=1_000_000)]
    batch_size: Annotated[int, Field(ge=2)]
    lr: Annotated[float, Field(gt=0)]


class SearchSpec(Spec):
    """How latents are searched."""

    steps: Annotated[int, Field(ge=1, le=100_000)]
    lr: Annotated[float, Field(gt=0)]
    candidates: Annotated[int, Field(ge=1, le=100_000)]
    starts: Annotated[int, Field(ge=1, le=1_000)]


class Scoring(Spec):
    """How images are scored."""

    method: Literal["encoder", "search"]
    features: Share
    weights: str | None
    encoder: EncoderSpec
    search: SearchSpec
    seed: Annotated[int, Field(ge=0)]
    batch_size: Annotated[int, Field(ge=1)]
    cache: str


class Scorer:
    """Images to how badly the generator makes them again, in pixels and in features.

    `training` loads the run's own data, by which an encoder is taught. A score of 1 is half the mean squared
    distance between two generated images. (AnoGAN: Schlegl et al. 2017, section 2.2; f-AnoGAN: Schlegl et al.
    2019, equation 5.)
    """

    def __init__(self, trained: TrainedGenerator, scoring: Scoring, training: Callable[[], Store]) -> None:
        self._trained, self._scoring, self._training = trained, scoring, training
        device, classes = trained.device.torch_device, len(trained.space.classes)
        count = max(MEASURED, scoring.search.candidates) if scoring.method == "search" else MEASURED
        drawn = trained.draw_latents(count, scoring.seed, stream="candidates").to(device, trained.device.dtype)
        labels = torch.arange(count, device=device) % classes if classes else None
        self._candidates = Candidates(drawn, labels)
        self._drawn = drawn_images(trained, self._candidates, scoring.batch_size)
        self._parts = likeness(trained, self._drawn, scoring.features, scoring.weights, scoring.batch_size)

    def scored(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """Return the scores of images as stored, float [count, parts], and the images made for them, as stored."""
        space, scores, made = self._trained.space, [], []
        parts = rows.split(self._scoring.batch_size)
        for part, found in zip(parts, self._made_again(parts), strict=True):
            images = samples_of(self._trained, part)
            with torch.no_grad():
                squares = [(describe(images) - describe(found)).square().sum(1) for describe in self._parts]
            scores.append(torch.stack(squares, 1).float().cpu())
            made.append(space.kind.store(found, space.value_range))
        return torch.cat(scores), torch.cat(made)

    def _made_again(self, parts: Sequence[Tensor]) -> Iterator[Tensor]:
        """Yield what the generator makes of each part of the images."""
        if self._scoring.method == "search":
            yield from self._by_search(parts)
            return
        make, encoder, classes = maker(self._trained), self._encoder(), len(self._trained.space.classes)
        for part in track(parts, len(parts), "scoring, batches"):
            yield nearest_class(encoder, make, self._describe, samples_of(self._trained, part), classes)[0]

    def _by_search(self, parts: Sequence[Tensor]) -> Iterator[Tensor]:
        spec, size, make = self._scoring.search, self._scoring.batch_size, maker(self._trained)
        described = in_parts(self._describe, self._drawn, size)
        search, space = Search(spec.starts, spec.steps, spec.lr), self._trained.latents
        for number, part in enumerate(parts, 1):
            wanted = in_parts(self._describe, samples_of(self._trained, part), size)
            told = f"batch {number:,} of {len(parts):,}, search"
            best = inverted(make, self._describe, wanted, self._candidates, described, space, search, size, told)
            with torch.no_grad():
                yield make(best.latents, best.labels)

    def _describe(self, images: Tensor) -> Tensor:
        return torch.cat([part(images) for part in self._parts], 1)

    def _encoder(self) -> Encoder:
        """Return an encoder that is taught by the run's own data, or was before."""
        scoring, trained = self._scoring, self._trained
        with seeded(scoring.seed, "encoder"):
            encoder = _fresh(trained)
        asked = scoring.model_dump(mode="json", include={"encoder", "features", "seed"})
        weights = "" if scoring.weights is None else weights_digest(scoring.weights)
        players = [digest(trained.network.state_dict()), digest(encoder.state_dict())]
        question = ["encoder", 1, players, trained.checkpoint.header.data, asked, weights]
        forms = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in encoder.state_dict().items()}
        cache, spec = TensorCache(scoring.cache, "encoders"), scoring.encoder
        if (kept := cache.read(question, forms)) is None:
            taught(encoder, maker(trained), self._describe, self._batches(), spec.steps, spec.lr)
            cache.write(question, encoder.state_dict())
        else:
            encoder.load_state_dict(kept)
        return encoder.eval().requires_grad_(False)

    def _batches(self) -> Iterator[tuple[Tensor, Tensor | None]]:
        """Yield batches of the run's own data with the labels of a conditional generator."""
        trained, spec = self._trained, self._scoring.encoder
        store, device = self._training(), trained.device
        labels = store.labels if trained.space.classes else None
        size = min(spec.batch_size, len(store))
        place = device.torch_device
        batches = Batches(store, size, self._scoring.seed, place, device.dtype, trained.space.value_range)
        for number in range(spec.steps):
            own = None if labels is None else labels[batches.indices("encoder", number).cpu()].to(place)
            yield batches.samples("encoder", number), own


def _fresh(trained: TrainedGenerator) -> Encoder:
    """Return an encoder that begins with the discriminator's weights."""
    try:
        discriminator = trained.discriminator().requires_grad_(True)
    except ConfigError as error:
        raise ConfigError(f"method: {error}, which make no encoder; take method=search features=0") from error
    device = trained.device
    probe = torch.zeros(2, *trained.space.shape, device=device.torch_device, dtype=device.dtype)
    with torch.no_grad():
        values = discriminator.features(probe).flatten(1).shape[1]
    return Encoder(discriminator, values, trained.latents).to(device.torch_device, device.dtype)
