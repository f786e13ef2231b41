"""The Inception network of published FIDs, KIDs and Inception scores, as torch-fidelity ports it."""

import hashlib
import http.client
import io
import os
import urllib.request
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from ganctl.data.cache.entries import cache_folder
from ganctl.errors import ConfigError
from ganctl.images.alpha import over_white
from ganctl.metrics.extractor import EXTRACTORS, KEY, Extracted, Extractor, FeatureExtractor, Reference
from ganctl.runtime.bounded import UntrustedFileError, read_bytes
from ganctl.runtime.console import say
from ganctl.runtime.disk import write_whole

SHA256 = "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2"
"""Of weights-inception-2015-12-05-6726825d.pth, which torch-fidelity and pytorch-fid share."""
LARGEST = 1 << 28
"""Bytes of a file of weights that is read; the original has 96 million."""

FEATURES, LOGITS = "2048", "logits_unbiased"
AT_ONCE = 32
"""Images of 299 pixels a side that one forward takes; a chunk of them would need gigabytes."""

TIMEOUT_SECONDS = 30.0


@EXTRACTORS.register
class Inception(FeatureExtractor):
    """Inception v3 of 2015, its last pooled features and its logits without bias (Szegedy et al. 2016).

    Its file is pickled, which could run code, so none is read whose sha256 is not the original's.
    """

    name: Literal["inception"]
    weights: str | None

    def open(self, reference: Reference) -> Extractor:
        """Return the network; raise `ConfigError` for points, without torch-fidelity, or without weights."""
        reference.require_images("inception")
        try:
            import torch_fidelity.feature_extractor_inceptionv3 as fidelity
        except ImportError as error:
            raise ConfigError(
                f"{KEY}: inception needs torch-fidelity ({error}); pip install 'ganctl[evaluate]', or take "
                f"{KEY}=classifier"
            ) from error
        content = self._content(fidelity.URL_INCEPTION_V3, reference.cache)
        network = fidelity.FeatureExtractorInceptionV3(
            "inception-v3-compat", [FEATURES, LOGITS], feature_extractor_weights_path=io.BytesIO(content)
        )
        network.to(reference.device)

        def extract(images: Tensor) -> Extracted:
            opaque = over_white(images.permute(0, 3, 1, 2).float(), (0.0, 255.0)).round().to(torch.uint8)
            colour = opaque.expand(-1, 3, -1, -1)
            parts = [network(part.to(reference.device)) for part in colour.split(AT_ONCE)]
            features, logits = (torch.cat(part) for part in zip(*parts, strict=True))
            return Extracted(features, logits)

        return Extractor(
            name="inception",
            extract=extract,
            identity=f"inception-{hashlib.sha256(content).hexdigest()[:32]}",
            dimension=2048,
            device=reference.device,
            classes=1008,
            resizer="bilinear as in TensorFlow 1, to 299 pixels",
        )

    def _content(self, url: str, cache: str) -> bytes:
        if self.weights is not None:
            path = Path(os.path.expanduser(self.weights))
        else:
            path = cache_folder(cache) / "weights" / url.rpartition("/")[2]
            if not path.exists():
                download(url, path)
        try:
            content = read_bytes(path, LARGEST)
        except UntrustedFileError as error:
            raise ConfigError(f"features.weights: {path} is no file of weights ({error}); fetch {url}") from error
        except OSError as error:
            raise ConfigError(f"features.weights: {path} cannot be read ({error.strerror})") from error
        if hashlib.sha256(content).hexdigest() != SHA256:
            raise ConfigError(
                f"features.weights: {path} is not the original (its sha256 differs); remove it and fetch {url}"
            )
        return content


def download(url: str, path: Path) -> None:
    """Fetch a file completely or not at all; raise `ConfigError`, with what the user can do."""
    say(f"downloading {url} (96 MB)")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            write_whole(path, answer.read())
    except (OSError, http.client.HTTPException) as error:
        raise ConfigError(
            f"features.weights: {url} could not be downloaded ({error}); fetch it elsewhere and name the file by "
            f"features.weights=…, or take {KEY}=classifier"
        ) from error
