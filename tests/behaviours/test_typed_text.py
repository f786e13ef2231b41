"""Names and paths are taken as they were typed, also where they read as numbers or truth values."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import TINY, Cli

ODD = ["42", "1_1_1", "nan", "1e5", "true", "007", "1.50", "-inf", "0x10"]


@pytest.mark.parametrize("name", [name for name in ODD if name[0] != "-"])
def test_a_run_is_named_as_typed(name: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, f"name={name}")
    assert outcome.code == 0, outcome.err
    assert (workspace / "outputs" / name / "config.yaml").exists()
    assert "is complete" in cli("resume", name).out
    assert cli("sample", f"ckpt={name}", "num=2", f"out={name}", "device=cpu").code == 0
    assert (workspace / name).is_dir()


def test_a_sweep_over_names_takes_them_as_typed(workspace: Path, cli: Cli) -> None:
    assert cli("train", *TINY, "-m", "name=1_1,true").code == 0
    names = {path.name.partition("-")[0] for path in (workspace / "outputs").glob("*-ring-*")}
    assert names == {"1_1", "true"}


def test_places_of_data_are_taken_as_typed(workspace: Path, cli: Cli) -> None:
    Path("2024").mkdir()
    for number in range(4):
        pixels = np.random.default_rng(number).integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(f"2024/{number}.png")
    assert cli("data", "info", "path=2024").code == 0
    tiny = [word for word in TINY if not word.startswith("data")]
    assert cli("train", "data=folder", "data.path=2024", "data.resolution=8", *tiny, "name=run").code == 0
    Path("2024").rename("7")
    outcome = cli("resume", "run", "data.path=7", "train.steps=2")
    assert outcome.code == 0, outcome.err
    words = ["metric=[sliced_wasserstein]", "metric/features=raw", "num=4", "floor=false", "device=cpu"]
    outcome = cli("evaluate", "run", "data.path=7", *words)
    assert outcome.code == 0, outcome.err


def test_null_is_no_name_and_a_list_no_text(workspace: Path, cli: Cli) -> None:
    assert cli("train", *TINY, "name=null").code == 0
    assert list((workspace / "outputs").glob("ring-*"))
    outcome = cli("train", *TINY, "name=[a]")
    assert outcome.code == 2
    assert "name: must be" in outcome.err


def test_what_an_interpolation_resolves_to_is_no_typed_text(workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, "name=${seed}", "seed=5")
    assert outcome.code == 2
    assert "name: must be text, not 5" in outcome.err


def test_the_home_of_nobody_is_one_line(trained: Path, cli: Cli) -> None:
    for words in (["sample", "run", "out=~nobodyhere/x", "num=2", "device=cpu"], ["resume", "~/nobody"]):
        outcome = cli(*words)
        assert "Traceback" not in outcome.err
    assert cli("sample", "ckpt=~nobodyhere/x").code == 4
