"""The installed wheel, away from the checkout."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the Python of a new environment with ganctl's wheel; its requirements come from this one."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True,
        capture_output=True,
    )
    (wheel,) = folder.glob("*.whl")
    venv.create(folder / "venv", with_pip=False)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", site, wheel],
        check=True,
        capture_output=True,
    )
    # A plain path in a .pth file adds the packages there, but not the editable ganctl among them.
    (site / "requirements.pth").write_text(sysconfig.get_path("purelib"))
    return folder / "venv/bin/python"


def run(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    return subprocess.run(
        [python, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=120
    )


def test_the_wheel_trains_from_any_folder(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, "-c", "import ganctl; print(ganctl.__file__)")
    assert Path(where.stdout.strip()).is_relative_to(installed.parent.parent)
    done = run(installed, tmp_path, "-m", "ganctl", "train", "train.steps=5", "train.batch_size=8")
    assert done.returncode == 0, done.stderr
    (run_folder,) = (tmp_path / "outputs").glob("digits-dcgan-nonsaturating-*")
    assert (run_folder / "checkpoints/step-00000005.safetensors").exists()
    assert (run_folder / "samples/step-00000005.png").exists()


def test_the_wheel_holds_every_config_and_nothing_beside_the_package(installed: Path) -> None:
    (package,) = installed.parent.parent.glob("lib/python*/site-packages/ganctl")
    configs = ROOT / "configs"
    theirs = {str(path.relative_to(package / "configs")) for path in (package / "configs").rglob("*.yaml")}
    assert theirs == {str(path.relative_to(configs)) for path in configs.rglob("*.yaml")}
    for page in ("page", "commands/tracking/reports"):
        files = {path.name for path in (ROOT / "ganctl" / page).iterdir() if path.is_file()}
        assert files == {path.name for path in (package / page).iterdir() if path.is_file()}
    beside = {path.name for path in package.parent.iterdir()} - {"ganctl", "requirements.pth", "bin"}
    assert all(name.startswith("ganctl-") for name in beside), beside
