"""The door from Python: what it returns is what the command line writes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ganctl
from ganctl.errors import CheckpointError, ConfigError
from tests.commands.labelled import train
from tests.conftest import TINY, Cli

NAMES = ("cat", "dog", "owl")
STYLED = [
    *("data=digits", "data.resolution=8", "model=stylegan2", "model.latent=4", "model.generator.width=2"),
    *("model.discriminator.width=2", "train.steps=1", "train.batch_size=4", "sample.every=0", "device=cpu"),
    *("device.precision=fp32", "name=styled"),
]


@pytest.mark.parametrize("words", [["num=5"], ["num=5", "seed=7"], ["seeds=3,1,2"]], ids=" ".join)
def test_samples_are_those_of_the_command_line(words: list[str], workspace: Path, cli: Cli) -> None:
    train(cli, NAMES)
    assert cli("sample", "run", "device=cpu", *words, "out=x.npy").code == 0
    asked = {"num=5": {"num": 5}, "seed=7": {"seed": 7}, "seeds=3,1,2": {"seeds": [3, 1, 2]}}
    settings = {key: value for word in words for key, value in asked[word].items()}
    samples = ganctl.load("run", device="cpu").sample(**settings)
    assert samples.dtype == np.uint8
    assert np.array_equal(samples, np.load("x.npy"))


def test_labels_are_names_or_numbers_of_one_class_or_of_each_sample(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES)
    generator = ganctl.load(Path("outputs/run"), device="cpu")
    assert (generator.shape, generator.classes) == ((8, 8, 1), NAMES)
    dogs = generator.sample(4, labels="dog")
    assert np.array_equal(dogs, generator.sample(4, labels=1))
    assert np.array_equal(dogs, generator.sample(4, labels=["dog", 1, "dog", 1]))
    assert not np.array_equal(dogs, generator.sample(4, labels="owl"))
    assert np.array_equal(generator.sample(4), generator.sample(4, labels=[0, 1, 2, 0]))
    for wrong, told in (("cow", "unknown class 'cow'"), (3, "no class 3"), (["cat"], "1 label for 4 samples")):
        with pytest.raises(ConfigError, match=told):
            generator.sample(4, labels=wrong)


def test_latents_can_be_called_saved_and_differentiated(trained: Path, cli: Cli) -> None:
    generator = ganctl.load("run", device="cpu")
    latents = generator.latents(5, seed=2).requires_grad_()
    points = generator(latents)
    assert np.array_equal(points.detach().numpy(), generator.sample(5, seed=2))
    points.square().sum().backward()
    step = 1e-3 * latents.grad / latents.grad.norm()
    with torch.no_grad():
        lower, higher = (generator(latents + sign * step).square().sum() for sign in (-1, 1))
    assert float(higher - lower) == pytest.approx(2e-3 * float(latents.grad.norm()), rel=0.05)
    assert all(weight.grad is None for weight in generator.module.parameters())
    np.save("latents.npy", latents.detach())
    assert (
        cli("sample", "run", "device=cpu", "latents=latents.npy", "out=y.npy").out == "5 points of step 1: y.npy\n"
    )
    assert np.array_equal(np.load("y.npy"), points.detach().numpy())


def test_truncation_moves_styles_and_is_forgotten(workspace: Path, cli: Cli) -> None:
    assert cli("train", *STYLED).code == 0
    assert cli("sample", "styled", "device=cpu", "num=3", "truncation=0.5", "out=x.npy").code == 0
    generator = ganctl.load("styled", device="cpu", precision="fp32")
    whole = generator.sample(3)
    truncated = generator.sample(3, truncation=0.5)
    assert np.array_equal(truncated, np.load("x.npy"))
    assert not np.array_equal(truncated, whole)
    assert np.array_equal(generator.sample(3), whole)


def test_numbers_of_other_libraries_count_as_pythons(trained: Path) -> None:
    generator = ganctl.load("run", device="cpu")
    assert np.array_equal(generator.sample(np.int64(2), seed=np.int64(3)), generator.sample(2, seed=3))
    seeds = np.arange(3)
    assert np.array_equal(generator.sample(seeds=seeds), generator.sample(seeds=[0, 1, 2]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"num": 0}, "num: must be at least 1, not 0"),
        ({"seeds": []}, "seeds: must hold one seed or more"),
        ({"truncation": 0.0}, "truncation: must be above 0, not 0"),
        ({"batch_size": 0}, "batch_size: must be at least 1, not 0"),
    ],
)
def test_settings_that_mean_nothing_are_one_line(settings: dict[str, Any], told: str, trained: Path) -> None:
    with pytest.raises(ConfigError, match=told):
        ganctl.load("run", device="cpu").sample(**settings)
    with pytest.raises(ConfigError, match=r"latents: must be \[count,2\], not \[4, 3\]"):
        ganctl.load("run", device="cpu")(torch.zeros(4, 3))


def test_a_discriminator_judges_each_image_by_itself(workspace: Path, cli: Cli) -> None:
    assert cli("train", *STYLED).code == 0
    discriminator = ganctl.load("styled", device="cpu")._trained.discriminator()
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([discriminator.features(image[None]) for image in images])
    torch.testing.assert_close(discriminator.features(images), alone)


def test_a_generator_says_what_it_is(trained: Path) -> None:
    checkpoint = Path("outputs/run/checkpoints/step-00000001.safetensors")
    assert repr(ganctl.load("latest")) == f"<generator of points of 2 dimensions, step 1 of {checkpoint}>"


def test_training_by_words_goes_on_and_ends(workspace: Path) -> None:
    folder = ganctl.train(*TINY, "name=mine")
    assert folder == Path("outputs/mine")
    assert ganctl.train(*TINY, "name=mine", "train.steps=2") == folder
    assert repr(ganctl.load(folder)).startswith("<generator of points of 2 dimensions, step 2 of ")
    with pytest.raises(ConfigError, match=r"train\.stepz: unknown key"):
        ganctl.train("train.stepz=1")
    with pytest.raises(ConfigError, match="asks for 2 runs"):
        ganctl.train("-m", "seed=1,2")
    with pytest.raises(ConfigError, match="asks for 0 runs"):
        ganctl.train("--cfg", "job")


def test_what_is_no_run_is_refused(workspace: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing: no run folder"):
        ganctl.load("nothing")
    with pytest.raises(ConfigError, match="which: must be 'newest' or 'best'"):
        ganctl.load("nothing", which="worst")


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((3, 3), np.float32), "holds float32 [3,3], but this generator takes floats [count,2]"),
        (np.zeros((3, 2), np.int64), "holds int64 [3,2]"),
        (np.zeros((0, 2), np.float32), "holds float32 [0,2]"),
        (np.full((1, 2), np.nan, np.float32), "holds values that are not finite"),
    ],
)
def test_other_latents_are_one_line(values: np.ndarray, told: str, trained: Path, cli: Cli) -> None:
    np.save("latents.npy", values)
    outcome = cli("sample", "run", "device=cpu", "latents=latents.npy")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert told in outcome.err


def test_files_of_latents_that_cannot_be_read_are_one_line(trained: Path, cli: Cli) -> None:
    Path("text.npy").write_text("no numbers")
    for words, code, told in (
        (["latents=text.npy"], 3, "latents: text.npy is neither a .npy nor an .npz file"),
        (["latents=none.npy"], 3, "latents: none.npy does not exist"),
        (["latents=x.npy", "num=3"], 2, "num: says nothing where latents has one for each sample"),
    ):
        outcome = cli("sample", "run", "device=cpu", *words)
        assert (outcome.code, outcome.err.count("\n")) == (code, 1)
        assert told in outcome.err


def test_the_import_alone_needs_no_torch() -> None:
    program = "import sys, ganctl; ganctl.__version__; print('torch' in sys.modules, 'hydra' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"
    with pytest.raises(AttributeError, match="module 'ganctl' has no attribute 'lode'"):
        _ = ganctl.lode  # type: ignore[attr-defined]
