import builtins
import importlib.metadata
import subprocess
import sys

import pytest

from ganctl.errors import ConfigError
from ganctl.runtime.torchvision_import import import_torchvision


def break_import(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    real = builtins.__import__

    def fail(name, *arguments, **keywords):
        if name.partition(".")[0] == "torchvision":
            raise error
        return real(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", fail)


def give_versions(monkeypatch: pytest.MonkeyPatch, versions: dict[str, str]) -> None:
    def version(name):
        if name not in versions:
            raise importlib.metadata.PackageNotFoundError(name)
        return versions[name]

    monkeypatch.setattr(importlib.metadata, "version", version)


def test_the_module_of_data_sets_is_returned():
    assert import_torchvision().datasets.MNIST.__name__ == "MNIST"


def test_a_torchvision_of_another_torch_is_one_line_with_both_versions_and_the_way_out(monkeypatch):
    give_versions(monkeypatch, {"torch": "2.11.0+cpu", "torchvision": "0.26.0+cu128"})
    break_import(monkeypatch, RuntimeError("operator torchvision::nms does not exist\nException raised from here"))
    with pytest.raises(ConfigError) as refused:
        import_torchvision()
    assert str(refused.value) == (
        "torch 2.11.0+cpu and torchvision 0.26.0+cu128 do not work together (operator torchvision::nms does not "
        "exist); install a matching pair: pip install --force-reinstall torch torchvision"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ModuleNotFoundError("No module named 'torchvision'"), "(No module named 'torchvision')"),
        (OSError("libcudart.so.13: cannot open shared object file"), "(libcudart.so.13: cannot open"),
        (ImportError(), "(ImportError)"),
    ],
)
def test_a_torchvision_that_is_not_there_is_named(monkeypatch, error, reason):
    give_versions(monkeypatch, {"torch": "2.11.0"})
    break_import(monkeypatch, error)
    with pytest.raises(ConfigError) as refused:
        import_torchvision()
    line = str(refused.value)
    assert line.startswith("torch 2.11.0 and torchvision (not installed) do not work together ")
    assert reason in line
    assert "\n" not in line


def test_data_is_read_without_importing_torchvision():
    code = "import sys, ganctl.data.sources; print(*{'torchvision', 'sklearn'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == ""
