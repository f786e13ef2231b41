"""Pretrained torchvision networks, of which only the features of images are used."""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ganctl.errors import ConfigError, nearest
from ganctl.images.alpha import over_white
from ganctl.runtime.bounded import opened, regular_size
from ganctl.runtime.console import say
from ganctl.runtime.randomness import seeded
from ganctl.runtime.torchvision_import import import_torchvision

LARGEST = 8 << 30
"""Bytes of a file of weights; the largest of torchvision's have 2.6 GB."""

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class ImageNetwork(nn.Module):
    """Features of images at some layers of a network that was made for ImageNet's value range."""

    shift: Tensor
    scale: Tensor

    def __init__(self, body: nn.Module, value_range: tuple[float, float]) -> None:
        super().__init__()
        self.body = body
        self.value_range = low, high = value_range
        mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        self.register_buffer("shift", low + mean * (high - low))
        self.register_buffer("scale", std * (high - low))

    def forward(self, images: Tensor) -> list[Tensor]:
        """Return each layer's features of images [batch, 1, 3 or 4, height, width], in the type of the images.

        Those with alpha lie over white.
        """
        colour = over_white(images, self.value_range).expand(-1, 3, -1, -1)
        features: dict[str, Tensor] = self.body((colour - self.shift) / self.scale)
        return [layer.to(images.dtype) for layer in features.values()]


def open_image_network(
    key: str, name: str, layers: Sequence[str], weights: str | None, seed: int, value_range: tuple[float, float]
) -> ImageNetwork:
    """Return a classifier of torchvision, up to the last of `layers`, frozen and in evaluation mode.

    `weights` is a .safetensors file with torchvision's names; None means random weights by the seed, which is
    reported. `key` is the place of these settings in the config, for messages, "" for the top.

    Raises `ConfigError` for an unknown network or layer, or weights that do not fit.
    """
    models = import_torchvision().models
    known = models.list_models(module=models)
    if name not in known:
        raise ConfigError(f"{key}.network: torchvision has no network '{name}'{nearest(name, known)}")
    with seeded(seed, "image_network", name):
        whole = models.get_model(name, weights=None).eval()
    nodes = models.feature_extraction.get_graph_node_names(whole)[1]
    for layer in layers:
        if layer not in nodes and not any(node.startswith(f"{layer}.") for node in nodes):
            raise ConfigError(f"{key}.layers: {name} has no layer '{layer}'{nearest(layer, nodes)}")
    body = models.feature_extraction.create_feature_extractor(whole, list(layers))
    if weights is None:
        say(f"{name} has random weights, for none are given; name a .safetensors file to compare what it learnt")
    else:
        _load(body, weights, name, f"{key}.weights".removeprefix("."))
    return ImageNetwork(body, value_range).requires_grad_(False).eval()


def weights_digest(path: str) -> str:
    """Return the first 16 hex digits of the sha256 of a file of weights, "" if it is missing or cannot be read."""
    place = os.path.expanduser(path)
    with suppress(OSError):
        if regular_size(place) <= LARGEST:
            with opened(place) as file:
                return hashlib.file_digest(file, "sha256").hexdigest()[:16]
    return ""


def _load(body: nn.Module, path: str, name: str, key: str) -> None:
    place = os.path.expanduser(path)
    try:
        if (size := regular_size(place)) > LARGEST:
            raise ConfigError(f"{key}: {path} has {size:,} bytes, more than any network's weights")
        found = load_file(place)
        body.load_state_dict({key: found[key] for key in body.state_dict()})
    except FileNotFoundError as error:
        raise ConfigError(f"{key}: {path} does not exist") from error
    except (SafetensorError, OSError) as error:
        raise ConfigError(f"{key}: {path} is no whole .safetensors file ({error})") from error
    except KeyError as error:
        raise ConfigError(f"{key}: {path} is not of {name}: it has no {error.args[0]}") from error
    except RuntimeError as error:
        raise ConfigError(f"{key}: {path} does not fit {name} ({' '.join(str(error).split())})") from error
