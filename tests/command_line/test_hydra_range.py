"""The newest Hydra of the range in pyproject.toml; the suite itself runs with the oldest that pip takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import TINY

NEWEST = {"hydra-core": "1.4.0rc3", "omegaconf": "2.4.1rc1"}
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return variables under which Python finds the newest Hydra before the one that is installed."""
    folder = tmp_path_factory.mktemp("hydra")
    install = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder)]
    pinned = [f"{name}=={version}" for name, version in NEWEST.items()]
    done = subprocess.run([*install, *pinned], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot fetch {' '.join(pinned)}: {done.stderr.strip().splitlines()[-1]}")
    return os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"}


def ganctl(environment: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    started = [sys.executable, "-W", "error", "-m", "ganctl", *words]
    return subprocess.run(started, env=environment, capture_output=True, text=True, check=False)


def test_they_are_the_last_of_the_range() -> None:
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    needed = [Requirement(line.split('"')[1]) for line in lines if line.strip().startswith(('"hydra-c', '"omega'))]
    for each in needed:
        (above,) = [Version(one.version) for one in each.specifier if one.operator == "<"]
        newest = Version(NEWEST[each.name])
        assert each.specifier.contains(newest, prereleases=True)
        assert newest.release[1] + 1 == above.release[1]
    assert {each.name for each in needed} == NEWEST.keys()


def test_it_composes_and_explains(environment: dict[str, str], workspace: Path) -> None:
    shown = ganctl(environment, "train", *TINY, "loss=hinge", "--cfg", "job")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "\n  name: hinge\n" in shown.stdout
    wrong = ganctl(environment, "train", "los=hinge")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith("ganctl: los: unknown key (did you mean 'loss'?)")


def test_it_trains_and_its_launcher_starts_the_jobs_of_a_sweep(
    environment: dict[str, str], workspace: Path
) -> None:
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher", reason="the launcher joblib is not installed")
    words = ["-m", "loss=hinge,wgan_gp", "launcher=joblib", "launcher.jobs=2"]
    outcome = ganctl(environment, "train", *TINY, *words)
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert outcome.stdout.splitlines()[-1] == "2 done, 0 failed"
    run = next(Path("outputs").glob("**/config.yaml")).parent
    shown = ganctl(environment, "train", f"from={run}", "--cfg", "job")
    assert (shown.returncode, shown.stderr) == (0, "")
