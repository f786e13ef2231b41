"""How soon the command line answers, measured in processes of its own."""

import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.written_runs import evaluation, write_best, written

RUNS = 5
ANSWERED_BEFORE_TORCH = {
    "misspelt key": (["train", "train.step=5"], "train.step: unknown key (did you mean 'train.steps'?)"),
    "misspelt option": (["train", "model=dcgn"], "model: there is no 'dcgn' (did you mean 'dcgan'?)"),
    "missing value": (["sample"], "ckpt: required, but not given"),
    "sweep without -m": (["train", "loss=hinge,wgan"], "loss=hinge,wgan: a list is"),
}

Python = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def python(tmp_path: Path) -> Python:
    """Run the interpreter in an empty folder."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words],
            cwd=tmp_path,
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    return run


def seconds(python: Python, *words: str) -> float:
    """Return the processor seconds of a command, to which other processes add less than to those of the clock."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    python(*words)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def modules_imported(result: subprocess.CompletedProcess[str]) -> set[str]:
    """Return the top-level names of the modules that `-X importtime` reports."""
    lines = [line for line in result.stderr.splitlines() if line.startswith("import time:")]
    return {line.split("|")[2].strip().split(".")[0] for line in lines[1:]}


@pytest.mark.parametrize("word", ["--help", "--version", "trian"])
def test_help_imports_none_of_the_large_packages(word: str, python: Python) -> None:
    modules = modules_imported(python("-X", "importtime", "-m", "ganctl", word))
    assert "ganctl" in modules
    assert not modules & {
        "torch",
        "hydra",
        "omegaconf",
        "pydantic",
        "numpy",
        "yaml",
        "rich",
        "starlette",
        "uvicorn",
    }


def test_help_takes_a_tenth_of_a_second_more_than_python_itself(python: Python) -> None:
    python("-m", "ganctl", "--help")
    more = [seconds(python, "-m", "ganctl", "--help") - seconds(python, "-c", "pass") for _ in range(RUNS)]
    assert statistics.median(more) <= 0.1


@pytest.mark.parametrize("case", ANSWERED_BEFORE_TORCH)
def test_a_mistake_in_the_words_is_answered_before_torch_is_imported(case: str, python: Python) -> None:
    words, told = ANSWERED_BEFORE_TORCH[case]
    result = python("-X", "importtime", "-m", "ganctl", *words)
    assert result.returncode == 2
    assert told in result.stderr
    modules = modules_imported(result)
    assert "hydra" in modules
    assert not modules & {"torch", "torchvision", "pydantic", "numpy", "safetensors"}


TRACKING = [
    *(["list"], ["list", "--json"], ["show", "run-1"], ["show", "nowhere"]),
    *(["compare", "run-0", "run-1"], ["report"]),
]


@pytest.mark.parametrize("words", TRACKING)
def test_runs_are_shown_without_torch(words: list[str], python: Python, tmp_path: Path) -> None:
    for number in range(2):
        write_best(written(tmp_path / f"outputs/run-{number}", evaluations=[evaluation(5.0)]))
    result = python("-X", "importtime", "-m", "ganctl", *words)
    assert result.returncode == (4 if "nowhere" in words else 0)
    modules = modules_imported(result)
    assert "yaml" in modules
    assert not modules & {"torch", "torchvision", "pydantic", "numpy", "safetensors", "hydra", "omegaconf"}


def test_a_hundred_runs_are_listed_at_once(python: Python, trained: Path, tmp_path: Path) -> None:
    for number in range(100):
        shutil.copytree(trained / "outputs/run", tmp_path / f"outputs/run-{number}")
    assert statistics.median(seconds(python, "-m", "ganctl", "list") for _ in range(3)) < 1.5


@pytest.mark.parametrize("case", ["misspelt key", "misspelt option"])
def test_a_misspelt_word_is_answered_within_a_second(case: str, python: Python) -> None:
    words, _ = ANSWERED_BEFORE_TORCH[case]
    assert statistics.median(seconds(python, "-m", "ganctl", *words) for _ in range(RUNS)) < 1


def test_the_command_of_the_environment_is_the_module(python: Python) -> None:
    installed = subprocess.run(
        [Path(sys.executable).parent / "ganctl", "--version"], capture_output=True, text=True, check=True
    )
    assert installed.stdout == python("-m", "ganctl", "--version").stdout != ""


def test_a_run_on_digits_imports_nothing_large_beside_torch(python: Python) -> None:
    words = ["train", "name=run", "train.steps=2", "train.batch_size=4", "data.resolution=8"]
    result = python("-X", "importtime", "-m", "ganctl", *words)
    assert result.returncode == 0
    names = {line.split("|")[2].strip() for line in result.stderr.splitlines() if line.startswith("import time:")}
    assert "torch" in names
    assert not {name for name in names if name.split(".")[0] in {"torchvision", "sklearn", "scipy", "sympy"}}
    assert "torch._dynamo" not in names
