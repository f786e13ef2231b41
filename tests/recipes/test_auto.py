"""experiment=auto: what is recommended is composed, reported, and saved as if it had been typed."""

import shlex
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from tests.conftest import Cli

SMALL = [
    *("model.generator.width=2", "model.discriminator.width=2", "model.latent=4", "train.steps=1"),
    *("train.batch_size=4", "sample.every=0", "device=cpu", "device.precision=fp32"),
]
AUTO = ["train", "experiment=auto", "data=folder", "data.path=set", *SMALL]


@pytest.fixture
def photos(workspace: Path) -> Path:
    """A workspace with a folder of eight pictures of 70×90 pixels."""
    numbers = np.random.default_rng(0)
    (workspace / "set").mkdir()
    for number in range(8):
        pixels = numbers.integers(0, 256, (70, 90, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(workspace / f"set/{number}.png")
    return workspace


def saved() -> dict[str, object]:
    (path,) = Path("outputs").glob("*/config.yaml")
    config: dict[str, object] = yaml.safe_load(path.read_text())
    return config


def test_the_choice_is_reported_and_saved_and_a_resume_does_not_ask_again(photos: Path, cli: Cli) -> None:
    outcome = cli(*AUTO)
    assert (outcome.code, outcome.err) == (0, "")
    lines = [line for line in outcome.out.splitlines() if line.startswith("auto    ")]
    assert [line.split()[1].rstrip(":") for line in lines[:3]] == [
        *("data.resolution=64", "model=dcgan", "augment=[diffaugment]")
    ]
    config = saved()
    assert "diffaugment" in str(config["augment"])
    assert "'resolution': 64" in str(config["data"])
    assert "auto" not in str(config).replace("'auto'", "")
    (run,) = (path.name for path in Path("outputs").iterdir() if path.is_dir())
    for number in range(8, 11):
        Image.new("RGB", (70, 90)).save(f"set/{number}.png")
    assert "auto " not in cli("resume", run).out


def test_the_same_command_goes_on_with_the_run(photos: Path, cli: Cli) -> None:
    assert cli(*AUTO).code == 0
    assert "is complete: 1 step is done" in cli(*AUTO).out


def test_own_words_win(photos: Path, cli: Cli) -> None:
    outcome = cli(*AUTO, "data.resolution=8", "augment=[]", "penalty.r1.weight=3")
    assert (outcome.code, outcome.err) == (0, "")
    config = saved()
    assert config["augment"] == {}
    assert "'resolution': 8" in str(config["data"])
    assert "'weight': 3.0" in str(config["penalty"])


def test_jobs_of_a_sweep_are_chosen_for_one_by_one(photos: Path, cli: Cli) -> None:
    outcome = cli(*AUTO, "-m", "experiment=auto,few_images", "data.resolution=8")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("auto    model=dcgan") == 1
    assert len(list(Path("outputs").glob("set-*"))) == 2


def test_data_check_prints_a_command_that_trains_the_same_run(photos: Path, cli: Cli) -> None:
    assert cli(*AUTO).code == 0
    outcome = cli("data", "check", "path=set")
    (line,) = (line for line in outcome.out.splitlines() if line.startswith("train "))
    words = shlex.split(line)[3:]
    assert words[:2] == ["data=folder", "data.path=set"]
    assert "is complete: 1 step is done" in cli("train", *words, *SMALL).out


def test_data_that_cannot_be_read_is_one_line(workspace: Path, cli: Cli) -> None:
    outcome = cli("train", "experiment=auto", "data=folder", "data.path=absent")
    assert (outcome.code, outcome.err) == (3, "ganctl: data.path: absent does not exist\n")
