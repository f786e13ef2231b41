"""Extractors that are networks of others: torchvision's and torch-fidelity's."""

import builtins
import hashlib
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from ganctl.data.store import Store
from ganctl.errors import ConfigError
from ganctl.metrics import Extractor
from ganctl.metrics.features import inception
from tests.metrics.measured import extractor, normal, reference, source

GREY = torch.randint(0, 256, (2, 16, 16, 1), generator=torch.Generator().manual_seed(0)).byte()
DIGITS = source("digits")


def opened(name: str, samples: torch.Tensor = GREY, cache: str = "auto", **changes: Any) -> Extractor:
    return extractor(name, **changes).open(reference(DIGITS, Store(samples), cache))


def test_torchvisions_features_are_the_layers_means() -> None:
    look = opened("torchvision", network="squeezenet1_1", layers=["features.3", "features.1"], side=32)
    features = look.extract(GREY).features
    assert features.shape == (2, look.dimension) == (2, 128 + 64)
    assert features.dtype == torch.float32
    assert look.resizer == "bilinear, antialiased, to 32 pixels"
    torch.testing.assert_close(look.extract(GREY.repeat(1, 1, 1, 3)).features, features)
    torch.testing.assert_close(look.extract(GREY[:1]).features, features[:1], rtol=1e-4, atol=1e-5)


def test_torchvision_sees_images_with_alpha_over_white() -> None:
    opaque = torch.cat([GREY.repeat(1, 1, 1, 3), torch.full_like(GREY, 255)], 3)
    clear = torch.cat([GREY.repeat(1, 1, 1, 3), torch.zeros_like(GREY)], 3)
    look = opened("torchvision", opaque, network="squeezenet1_1", layers=["features.1"], side=32)
    torch.testing.assert_close(look.extract(opaque).features, look.extract(GREY).features)
    torch.testing.assert_close(look.extract(clear).features, look.extract(torch.full_like(GREY, 255)).features)


def test_torchvisions_identity_follows_the_weights_and_layers(tmp_path: Path) -> None:
    import torchvision

    torch.manual_seed(3)
    save_file(torchvision.models.squeezenet1_1(weights=None).state_dict(), tmp_path / "w.safetensors")
    small = {"network": "squeezenet1_1", "layers": ["features.1"], "side": 32}
    random, same = opened("torchvision", **small), opened("torchvision", **small)
    given = opened("torchvision", **small, weights=str(tmp_path / "w.safetensors"))
    assert random.identity == same.identity != given.identity
    assert ("random weights" in random.name, "random weights" in given.name) == (True, False)


def test_what_torchvision_cannot_do_is_said_by_key() -> None:
    with pytest.raises(ConfigError, match=r"^features.network: torchvision has no network 'resnet81'"):
        opened("torchvision", network="resnet81")
    with pytest.raises(ConfigError, match=r"^features.side: 8 pixels do not pass alexnet up to features.5"):
        opened("torchvision", network="alexnet", layers=["features.5"], side=8)
    with pytest.raises(
        ConfigError, match=r"^metric/features: torchvision looks at images, but the data is points"
    ):
        opened("torchvision", normal(4, 2, 0))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the Inception network, with weights drawn at random."""
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    path = tmp_path_factory.mktemp("inception") / "weights.pth"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fidelity, "load_state_dict_from_url", lambda *_, **__: {})
        patch.setattr(fidelity.FeatureExtractorInceptionV3, "load_state_dict", lambda *_: None)
        torch.manual_seed(0)
        network = fidelity.FeatureExtractorInceptionV3("inception", ["2048"])
    torch.save(network.state_dict(), path)
    return path


def test_inceptions_features_are_torch_fidelitys(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())
    look = opened("inception", weights=str(weights))
    layers = ["2048", "logits_unbiased"]
    theirs = FeatureExtractorInceptionV3("inception", layers, feature_extractor_weights_path=weights)
    with torch.no_grad():
        seen = look.extract(GREY)
        features, logits = theirs(GREY.permute(0, 3, 1, 2).repeat(1, 3, 1, 1))
    torch.testing.assert_close(seen.features, features)
    torch.testing.assert_close(seen.logits, logits)
    opaque = torch.cat([GREY.repeat(1, 1, 1, 3), torch.full_like(GREY, 255)], 3)
    torch.testing.assert_close(look.extract(opaque).features, features)
    assert (look.dimension, look.classes) == (features.shape[1], logits.shape[1])


def test_weights_that_are_not_the_original_are_never_unpickled(
    weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(torch, "load", refuse)
    with pytest.raises(ConfigError, match=r"^features.weights: .* is not the original \(its sha256 differs\)"):
        opened("inception", weights=str(weights))
    with pytest.raises(ConfigError, match=r"^features.weights: nowhere.pth cannot be read \(No such file"):
        opened("inception", weights="nowhere.pth")


def test_weights_are_downloaded_once_into_the_cache(
    weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from torch_fidelity import feature_extractor_inceptionv3 as fidelity

    monkeypatch.setattr(inception, "SHA256", hashlib.sha256(weights.read_bytes()).hexdigest())
    monkeypatch.setattr(fidelity, "URL_INCEPTION_V3", weights.as_uri())
    first = opened("inception", cache=str(tmp_path))
    assert capsys.readouterr().out == f"downloading {weights.as_uri()} (96 MB)\n"
    assert opened("inception", cache=str(tmp_path)).identity == first.identity
    assert capsys.readouterr().out == ""
    assert [path.name for path in (tmp_path / "weights").iterdir()] == [weights.name]


class Dropping(BaseHTTPRequestHandler):
    """Answers with less than it says."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "100000")
        self.end_headers()
        self.wfile.write(bytes(500))

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_a_download_that_breaks_off_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    with HTTPServer(("127.0.0.1", 0), Dropping) as server:
        Thread(target=server.handle_request, daemon=True).start()
        monkeypatch.setattr(fidelity, "URL_INCEPTION_V3", f"http://127.0.0.1:{server.server_port}/weights.pth")
        with pytest.raises(ConfigError, match=r"could not be downloaded \(IncompleteRead\(500 bytes read"):
            opened("inception", cache=str(tmp_path / "cache"))
    assert list((tmp_path / "cache/weights").iterdir()) == []


def test_a_download_that_fails_is_one_line_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    monkeypatch.setattr(fidelity, "URL_INCEPTION_V3", (tmp_path / "missing.pth").as_uri())
    with pytest.raises(
        ConfigError, match=r"could not be downloaded .*name the file by features.weights=…"
    ) as refused:
        opened("inception", cache=str(tmp_path / "cache"))
    assert "\n" not in str(refused.value)
    assert list((tmp_path / "cache/weights").iterdir()) == []


def test_without_torch_fidelity_the_command_that_installs_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def missing(name: str, *rest: Any, **named: Any) -> Any:
        if name.startswith("torch_fidelity"):
            raise ImportError("No module named 'torch_fidelity'")
        return original(name, *rest, **named)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ConfigError, match=r"needs torch-fidelity .*pip install 'ganctl\[evaluate\]'"):
        opened("inception")
