"""What the tests of the command line share: an empty folder, a way to call it, and one small trained run."""

import gc
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
import torch

from ganctl.cli import main
from scripts.soaks.warm import Warm

# Networks this small lose time on threads, the more so while another process uses the cores.
torch.set_num_threads(1)

gc.disable()  # to look for garbage among all tests while they are collected takes ten seconds

TINY = [
    "data=ring",
    "data.num=16",
    "model=mlp",
    "model.latent=2",
    "model.generator.hidden=[4]",
    "model.discriminator.hidden=[4]",
    "train.steps=1",
    "train.batch_size=4",
    "sample.every=0",
    "device=cpu",
    "device.precision=fp32",
]
"""Words of a run that takes a moment."""


@dataclass(frozen=True)
class Outcome:
    """What one call of the command line returned and printed."""

    code: int
    out: str
    err: str


Cli = Callable[..., Outcome]


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return everything below a folder: the bytes of files, None for folders."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def pytest_collection_finish() -> None:
    """Look for garbage again, but never among what there is now."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heeded() -> Iterator[None]:
    """Let SIGINT be heeded here and in processes that are started, also where a shell runs the tests behind it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Iterator[Path]]:
    """Places for caches; the processes that fixtures of a session or module start have one of their own."""
    folder = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder / "session"))
        yield (folder / str(number) for number in count())


@pytest.fixture(autouse=True)
def _cache_of_its_own(caches: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each test begin with an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(next(caches)))


@pytest.fixture
def workspace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """Call the command line in this process."""
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")

    def call(*arguments: str) -> Outcome:
        capsys.readouterr()
        try:
            code = main(arguments)
        except SystemExit as end:
            code = int(end.code or 0)
        return Outcome(code, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def trained_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `outputs` that holds one trained run named run."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["train", *TINY, "name=run"]) == 0
    return folder / "outputs"


@pytest.fixture
def trained(workspace: Path, trained_outputs: Path) -> Path:
    """Work in a folder of one's own with a trained run in outputs/run."""
    shutil.copytree(trained_outputs, workspace / "outputs", symlinks=True)
    return workspace


@pytest.fixture(scope="session")
def warm() -> Iterator[Warm]:
    """A process off which runs are forked."""
    with Warm() as process:
        yield process


@pytest.fixture
def quick_spectral_norm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the estimates of largest singular values, which take seconds on torch's device "meta"."""
    monkeypatch.setattr("torch.nn.utils.parametrizations._SpectralNorm._power_method", lambda *arguments: None)


@pytest.fixture(autouse=True)
def _no_worker_of_a_sweep_stays() -> Iterator[None]:
    """End the processes that joblib keeps for the next sweep of this one."""
    yield
    if "joblib.externals.loky" in sys.modules:
        from joblib.externals.loky import reusable_executor

        if reusable_executor._executor is not None:
            reusable_executor._executor.shutdown(wait=True, kill_workers=True)
