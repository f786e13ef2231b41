"""Devices and precisions."""

import pytest
import torch

from ganctl.errors import ConfigError
from ganctl.runtime import device as device_module
from ganctl.runtime.device import open_device


@pytest.fixture(autouse=True)
def _restore_torch_settings() -> object:
    yield
    torch.use_deterministic_algorithms(False)


def test_auto_takes_the_best_device_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert open_device("auto", "fp32", False, None).torch_device == torch.device("cpu")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert open_device("auto", "fp32", False, None).torch_device == torch.device("mps")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert open_device("auto", "fp32", False, None).torch_device == torch.device("cuda")


def test_a_device_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="no CUDA device"):
        open_device("cuda", "auto", False, None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    with pytest.raises(ConfigError, match="cuda:0 to cuda:1"):
        open_device("cuda:2", "fp32", False, None)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match="Apple"):
        open_device("mps", "auto", False, None)


@pytest.mark.parametrize(("has", "expected"), [(True, "bf16"), (False, "fp32")])
def test_auto_precision_is_bf16_where_the_cpu_has_it(
    has: bool, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": has})
    assert open_device("cpu", "auto", False, None).precision == expected


def test_auto_precision_is_fp32_for_what_bf16_is_too_coarse_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": True})
    assert open_device("cpu", "auto", False, None, coarse=False).precision == "fp32"
    assert open_device("cpu", "bf16", False, None, coarse=False).precision == "bf16"


def test_strict_is_fp32_with_deterministic_algorithms_and_nothing_else() -> None:
    device = open_device("cpu", "auto", True, None)
    assert device.precision == "fp32"
    assert torch.are_deterministic_algorithms_enabled()
    with pytest.raises(ConfigError, match="strict computes in fp32"):
        open_device("cpu", "bf16", True, None)


def test_mps_has_no_fp64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    with pytest.raises(ConfigError, match="no fp64"):
        open_device("mps", "fp64", False, None)


@pytest.mark.parametrize(
    ("precision", "inside"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_autocast_computes_in_the_precision_and_full_precision_does_not(
    precision: str, inside: torch.dtype
) -> None:
    device = open_device("cpu", precision, False, None)
    matrix = torch.ones(2, 2)
    with device.autocast():
        assert (matrix @ matrix).dtype == inside
        with device.full_precision():
            assert (matrix @ matrix).dtype == torch.float32


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    try:
        open_device("cpu", "fp32", False, 2)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_only_fp16_scales_gradients() -> None:
    assert device_module.open_device("cpu", "fp16", False, None).gradient_scaler().is_enabled()
    assert not device_module.open_device("cpu", "bf16", False, None).gradient_scaler().is_enabled()
