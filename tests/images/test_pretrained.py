"""Fixed networks of torchvision: their weights, layers and value range."""

import os
from pathlib import Path

import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import Tensor

from ganctl.errors import ConfigError
from ganctl.images.pretrained import ImageNetwork, open_image_network, weights_digest

LAYERS = ["features.1", "features.3"]
RANGE = (-1.0, 1.0)


def opened(
    weights: str | None = None,
    seed: int = 0,
    name: str = "squeezenet1_1",
    value_range: tuple[float, float] = RANGE,
    layers: list[str] = LAYERS,
) -> ImageNetwork:
    return open_image_network("key", name, layers, weights, seed, value_range)


def images(channels: int = 3) -> Tensor:
    return torch.rand(2, channels, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of a whole squeezenet with weights of its own."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.safetensors"
    torch.manual_seed(5)
    save_file(torchvision.models.squeezenet1_1(weights=None).state_dict(), path)
    return str(path)


def test_random_weights_are_said_and_follow_from_the_seed(capsys: pytest.CaptureFixture[str]) -> None:
    state = torch.random.get_rng_state()
    first, same, other = (opened(seed=seed)(images()) for seed in (0, 0, 1))
    assert capsys.readouterr().out.count("squeezenet1_1 has random weights, for none are given") == 3
    assert all(torch.equal(a, b) for a, b in zip(first, same, strict=True))
    assert not torch.equal(first[0], other[0])
    assert torch.equal(torch.random.get_rng_state(), state)


def test_weights_from_a_file_give_torchvisions_own_features(
    weights: str, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(5)
    theirs = torchvision.models.squeezenet1_1(weights=None).eval()
    mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    expected = ((images() + 1) / 2 - mean) / std
    features = []
    for layer in theirs.features[:4]:
        expected = layer(expected)
        features.append(expected)
    for ours, wanted in zip(opened(weights)(images()), (features[1], features[3]), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)
    assert capsys.readouterr().out == ""


def test_images_of_either_range_look_the_same(weights: str) -> None:
    unit = opened(weights, value_range=(0.0, 1.0))((images() + 1) / 2)
    for ours, wanted in zip(unit, opened(weights)(images()), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


def test_grey_images_are_seen_as_three_equal_colours(weights: str) -> None:
    network, grey = opened(weights), images(1)
    for ours, wanted in zip(network(grey), network(grey.repeat(1, 3, 1, 1)), strict=True):
        assert torch.equal(ours, wanted)


def test_images_with_alpha_are_seen_over_white(weights: str) -> None:
    network, colour = opened(weights), images()
    alpha = torch.tensor([1.0, 0.5]).view(2, 1, 1, 1).expand(-1, 1, 32, 32)
    seen = torch.stack([colour[0], (colour[1] + 1) / 2])  # the second half white, in [-1, 1]
    for ours, wanted in zip(network(torch.cat([colour, alpha * 2 - 1], 1)), network(seen), strict=True):
        torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-5)


def test_the_network_is_frozen_and_in_evaluation_mode() -> None:
    network = opened(name="resnet18", layers=["layer1"])
    assert not any(weight.requires_grad for weight in network.parameters())
    assert not any(module.training for module in network.modules())
    alone, together = (network(batch)[0][:1] for batch in (images()[:1], images()))
    torch.testing.assert_close(alone, together)


def test_features_come_in_the_type_of_the_images() -> None:
    network = opened()
    with torch.autocast("cpu", torch.bfloat16):
        assert {layer.dtype for layer in network(images())} == {torch.float32}


def test_weights_that_do_not_fit_are_refused_by_key_and_file(weights: str, tmp_path: Path) -> None:
    (tmp_path / "text.safetensors").write_text("no tensors")
    save_file({"features.0.weight": torch.zeros(2)}, tmp_path / "few.safetensors")
    shapes = torchvision.models.squeezenet1_1(weights=None).state_dict()
    save_file({name: torch.zeros(2) for name in shapes}, tmp_path / "shapes.safetensors")
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "sparse").open("wb") as sparse:
        sparse.truncate(1 << 40)
    told = {
        str(tmp_path / "missing.safetensors"): "does not exist",
        str(tmp_path): "is no whole .safetensors file (a folder, not a regular file)",
        str(tmp_path / "pipe"): "is no whole .safetensors file (a pipe, not a regular file)",
        "/dev/zero": "is no whole .safetensors file (a device, not a regular file)",
        str(tmp_path / "sparse"): "has 1,099,511,627,776 bytes, more than any network's weights",
        str(tmp_path / "text.safetensors"): "is no whole .safetensors file",
        str(tmp_path / "few.safetensors"): "is not of squeezenet1_1: it has no features.0.bias",
        str(tmp_path / "shapes.safetensors"): "does not fit squeezenet1_1",
    }
    for path, words in told.items():
        with pytest.raises(ConfigError) as refused:
            opened(path)
        assert str(refused.value).startswith(f"key.weights: {path} {words}")
        assert "\n" not in str(refused.value)
        if not path.endswith(("few.safetensors", "shapes.safetensors", "text.safetensors")):
            assert weights_digest(path) == ""
    with pytest.raises(ConfigError, match=r"^key.weights: .* is not of resnet18: it has no conv1.weight"):
        opened(weights, name="resnet18", layers=["layer1"])


def test_an_unknown_network_or_layer_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"^key.network: .* 'resnet81' \(did you mean 'resnet18'\?\)"):
        opened(name="resnet81")
    with pytest.raises(ConfigError, match=r"^key.layers: squeezenet1_1 has no layer 'feature.3' \(did you mean"):
        opened(layers=["feature.3"])
