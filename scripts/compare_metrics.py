"""Our FID beside those of pytorch-fid, clean-fid and torch-fidelity: of the same features, and of the same images.

Each tool computes in its own way: first from the features that we extract, then alone, from folders of PNG
files, by the same weights of Inception. pytorch-fid and clean-fid bring pixels to [-1, 1] by x/127.5 - 1, where
TensorFlow took (x - 128)/128, so they are also asked with pixels scaled alike. Images of 299 pixels a side reach
the network as they are; smaller ones show what each tool's resizing changes. Without --weights, weights are
drawn at random and scaled to the images: numbers then mean nothing, but are the same for all tools.
"""

import argparse
import hashlib
import sys
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ganctl.commands.measuring.places import load, source_of
from ganctl.metrics import Extractor, Reference, Statistics, of_store
from ganctl.metrics.features import inception
from ganctl.metrics.frechet import frechet_distance
from ganctl.metrics.statistics import collect
from ganctl.runtime.console import aside
from scripts.tables.runs import composed

CPU = torch.device("cpu")
NETWORK_SIDE = 299
"""Pixels of a side that Inception takes."""

TOLERANCE = 1e-4
"""By which share of the FID tools may differ that do the same: sums of float32 differ in their last bits."""

Folders = tuple[Path, Path]


def of_pytorch_fid(first: Tensor, second: Tensor) -> float:
    """Return pytorch-fid's number of features [count, 2048] of both sides."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    sides = [side.double().numpy() for side in (first, second)]
    moments = [moment for side in sides for moment in (side.mean(0), np.cov(side, rowvar=False))]
    return float(calculate_frechet_distance(*moments))


def of_clean_fid(first: Tensor, second: Tensor) -> float:
    """Return clean-fid's number of features."""
    from cleanfid.fid import fid_from_feats

    return float(fid_from_feats(first.numpy(), second.numpy()))


def of_torch_fidelity(first: Tensor, second: Tensor) -> float:
    """Return torch-fidelity's number of features."""
    from torch_fidelity.metric_fid import KEY_METRIC_FID, fid_features_to_statistics, fid_statistics_to_metric

    sides = [fid_features_to_statistics(side) for side in (first, second)]
    return float(fid_statistics_to_metric(*sides, verbose=False)[KEY_METRIC_FID])


def whole_pytorch_fid(folders: Folders, weights: Path, scale: float) -> float:
    """Return what pytorch-fid finds by itself; it resizes bilinearly, as PyTorch does."""
    from pytorch_fid.fid_score import calculate_fid_given_paths
    from torchvision.transforms import Compose, ToTensor

    scaled = Compose([ToTensor(), lambda pixels: pixels * scale])
    with (
        mock.patch("pytorch_fid.inception.load_state_dict_from_url", return_value=_loaded(weights)),
        mock.patch("pytorch_fid.fid_score.TF.ToTensor", return_value=scaled),
    ):
        return float(calculate_fid_given_paths([*map(str, folders)], 32, CPU, 2048, num_workers=0))


def whole_clean_fid(folders: Folders, weights: Path, scale: float) -> float:
    """Return what clean-fid finds by itself; it resizes bicubically over a wider window, as Pillow does."""
    from cleanfid import features, fid

    with mock.patch("cleanfid.inception_pytorch.load_state_dict_from_url", return_value=_loaded(weights)):
        network = features.feature_extractor("pytorch_inception", CPU, use_dataparallel=False)
    first, second = map(str, folders)
    looked = fid.compare_folders(first, second, lambda x: network(x * scale), "clean", 0, 32, CPU, verbose=False)
    return float(looked)


def whole_torch_fidelity(folders: Folders, weights: Path, scale: float) -> float:
    """Return what torch-fidelity finds by itself; resizing and scaling as TensorFlow 1 did."""
    import torch_fidelity

    keys = {"cuda": False, "fid": True, "verbose": False, "cache": False, "batch_size": 32}
    first, second = map(str, folders)
    found = torch_fidelity.calculate_metrics(
        input1=first, input2=second, feature_extractor_weights_path=str(weights), **keys
    )
    return float(found["frechet_inception_distance"])


@dataclass(frozen=True)
class Tool:
    """Another implementation: its number of features, what it finds alone, and whether it sees images as we do.

    `whole` takes the factor by which pixels in [0, 1] are multiplied on their way.
    """

    of_features: Callable[[Tensor, Tensor], float]
    whole: Callable[[Folders, Path, float], float]
    sees_alike: bool = False


TOOLS = {
    "pytorch-fid": Tool(of_pytorch_fid, whole_pytorch_fid),
    "clean-fid": Tool(of_clean_fid, whole_clean_fid),
    "torch-fidelity": Tool(of_torch_fidelity, whole_torch_fidelity, sees_alike=True),
}


def _loaded(weights: Path) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(weights, weights_only=True)
    return found


def draw(folder: Path, num: int, side: int, seed: int, contrast: float) -> None:
    """Write PNG files of smooth colours of chance."""
    folder.mkdir(parents=True)
    source = torch.Generator().manual_seed(seed)
    for number in range(num):
        coarse = 128 + contrast * torch.randn(1, 3, 6, 6, generator=source)
        pixels = interpolate(coarse, (side, side), mode="bicubic").clamp(0, 255).byte()
        Image.fromarray(pixels[0].permute(1, 2, 0).numpy()).save(folder / f"{number:05d}.png")


def draw_weights(path: Path, folders: Folders) -> None:
    """Write weights of the network that are drawn at random, each layer's output scaled by the first images."""
    from torch_fidelity import feature_extractor_inceptionv3 as fidelity

    kind = fidelity.FeatureExtractorInceptionV3
    with (
        mock.patch.object(fidelity, "load_state_dict_from_url", return_value={}),
        mock.patch.object(kind, "load_state_dict"),
    ):
        torch.manual_seed(0)
        network = kind("inception-v3-compat", [inception.FEATURES])
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # the mean over batches, here of one
    files = [file for folder in folders for file in sorted(folder.iterdir())[:16]]
    images = [torch.from_numpy(np.asarray(Image.open(file)).copy()) for file in files]
    with torch.no_grad():
        network.train()(torch.stack(images).permute(0, 3, 1, 2))
    torch.save(network.state_dict(), path)


def looked_at(folder: Path, weights: Path) -> Statistics:
    """Return what our extractor finds in the images of a folder, as `ganctl evaluate samples=…` reads them."""
    keys = composed(["evaluate", "data=folder", f"data.path='{folder}'", "data.cache=null"])["data"]
    source = source_of(keys, {}, "samples")
    store = load(source, "samples")
    extractor: Extractor = inception.Inception(name="inception", weights=str(weights)).open(
        Reference(source, store, CPU, "auto")
    )
    return collect(of_store(store, source), extractor, ["moments", "features"])


def compared(folders: Folders, weights: Path, side: int) -> list[tuple[str, str, float, float, bool]]:
    """Return rows of a tool, what it was given, our number, its own, and whether they must agree."""
    first, second = (looked_at(folder, weights) for folder in folders)
    ours = frechet_distance(first.moments, second.moments)
    rows = [
        (name, "our features", ours, tool.of_features(first.features, second.features), True)
        for name, tool in TOOLS.items()
    ]
    given = f"images of {side}×{side}"
    for name, tool in TOOLS.items():
        rows.append((name, given, ours, tool.whole(folders, weights, 1.0), tool.sees_alike))
        if not tool.sees_alike:
            theirs = tool.whole(folders, weights, 255 / 256)
            rows.append((name, f"{given}, pixels scaled alike", ours, theirs, side == NETWORK_SIDE))
    return rows


def lacking() -> str:
    """Return the packages that are not installed, as pip calls them."""
    names = {"pytorch-fid": "pytorch_fid", "clean-fid": "cleanfid", "torch-fidelity": "torch_fidelity"}
    found = []
    for name, module in names.items():
        try:
            __import__(module)
        except ImportError:
            found.append(name)
    return " ".join(found)


def main() -> int:
    """Print a Markdown table for each size of images; return 1 where tools differ that must agree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", type=Path, help=f"the original file, sha256 {inception.SHA256[:8]}…")
    parser.add_argument("--num", type=int, default=100, help="images a side")
    parser.add_argument("--sides", type=int, nargs="+", default=[NETWORK_SIDE, 32], help="pixels of a side")
    options = parser.parse_args()
    if missing := lacking():
        print(f"compare_metrics: not installed: {missing}; pip install --no-deps {missing}", file=sys.stderr)
        return 2
    differing = 0
    print("| tool | given | ganctl | theirs | difference |\n|---|---|---:|---:|---:|")
    for side in options.sides:
        with tempfile.TemporaryDirectory() as place:
            folders = Path(place, "made"), Path(place, "real")
            for seed, (folder, contrast) in enumerate(zip(folders, (60, 50), strict=True)):
                draw(folder, options.num, side, seed, contrast)
            weights = options.weights or Path(place, "weights.pth")
            digest = inception.SHA256
            if options.weights is None:
                draw_weights(weights, folders)
                digest = hashlib.sha256(weights.read_bytes()).hexdigest()
            with mock.patch.object(inception, "SHA256", digest), aside(), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what the others call that has been deprecated since
                rows = compared(folders, weights, side)
        for name, given, ours, theirs, alike in rows:
            differing += alike and abs(theirs - ours) > TOLERANCE * ours
            print(f"| {name} | {given} | {ours:.6g} | {theirs:.6g} | {theirs - ours:+.2g} |", flush=True)
    return int(differing > 0)


if __name__ == "__main__":
    sys.exit(main())
