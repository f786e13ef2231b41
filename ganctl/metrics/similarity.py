"""How similar the samples of one set are to each other."""

from typing import Annotated, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganctl.images.blur import WINDOW, similarity_terms
from ganctl.metrics.extractor import Extractor
from ganctl.metrics.metric import METRICS, Metric
from ganctl.metrics.sample_sets import Samples
from ganctl.metrics.statistics import Statistics

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
AT_ONCE = 64


@METRICS.register
class MsSsim(Metric):
    """The mean multi-scale structural similarity of random pairs of samples (Odena et al. 2017, section 4.2).

    It falls with diversity, and need not fall below that of the real samples.
    """

    value = "ms_ssim"
    better = None
    fewest = (2, "to make a pair")
    name: Literal["ms_ssim"]
    pairs: Annotated[int, Field(ge=1, le=1_000_000)]

    def check(self, real: Samples, generated: Samples, extractor: Extractor) -> None:
        """Refuse points, and sets without a pair."""
        real.space.require_images("metric.ms_ssim: compares images", "leave it out")
        super().check(real, generated, extractor)

    def compute(self, real: Statistics, generated: Statistics, seed: int) -> dict[str, float]:
        """Return `ms_ssim` of generated samples and `ms_ssim_real`, 0 to 1, of up to `pairs` pairs of each."""
        return {"ms_ssim": self._mean(generated), "ms_ssim_real": self._mean(real)}

    def _mean(self, side: Statistics) -> float:
        total, pairs = 0.0, min(self.pairs, side.samples.count // 2)
        for chunk in side.samples.part(0, 2 * pairs).chunks(AT_ONCE):
            images = chunk.to(side.extractor.arithmetic).permute(0, 3, 1, 2).float()
            total += float(similarity(images[::2], images[1::2]).sum())
        return total / pairs


def similarity(first: Tensor, second: Tensor) -> Tensor:
    """Return the multi-scale structural similarity of pairs of images [n, channels, height, width], as [n].

    Values are in [0, 255]. Scales are halved, up to five, as long as the window of 11 pixels fits in. Their
    weights are divided by their sum, which is 1.0001 for the paper's five. A negative contrast term counts as 0.
    (Wang et al. 2003, equation 7.)
    """
    side = min(first.shape[-2:])
    scales = max(1, sum(side >> scale >= WINDOW for scale in range(len(WEIGHTS))))
    weights = [weight / sum(WEIGHTS[:scales]) for weight in WEIGHTS[:scales]]
    found = torch.ones(len(first), dtype=torch.float64, device=first.device)
    for scale, weight in enumerate(weights):
        light, bright, structure, rough = similarity_terms(first, second, 255.0)
        value = structure / rough if scale < scales - 1 else (light / bright) * (structure / rough)
        found *= value.flatten(1).mean(1).clamp(min=0).double() ** weight
        if scale < scales - 1:
            first, second = avg_pool2d(first, 2), avg_pool2d(second, 2)
    return found
