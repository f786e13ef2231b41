"""ganctl sample of StyleGAN2: truncation moves styles to their mean and leaves latents alone."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ganctl.api import load
from ganctl.checkpoints import file as checkpoint
from scripts.soaks.configs import small_words
from tests.conftest import Cli

SAMPLE = ["sample", "run", "device=cpu", "num=6"]


def drawn(cli: Cli, *words: str) -> np.ndarray:
    outcome = cli(*SAMPLE, "out=drawn.npy", *words)
    assert (outcome.code, outcome.err) == (0, "")
    return np.load("drawn.npy").astype(float)


@pytest.mark.parametrize("prior", ["normal", "uniform"])
def test_truncation_moves_styles_to_the_mean_that_training_has_followed(
    prior: str, workspace: Path, cli: Cli
) -> None:
    words = small_words(f"model.prior={prior}", "train.steps=3", "name=run", model="stylegan2")
    outcome = cli("train", *words)
    assert outcome.code == 0, outcome.err
    saved = checkpoint.read_header(Path("outputs/run/checkpoints/step-00000003.safetensors")).read()
    assert saved["generator.mean_style"].abs().min() > 0
    assert torch.equal(saved["ema.mean_style"], saved["generator.mean_style"])
    whole, same, half, least = (drawn(cli, f"truncation={share}") for share in (1, 1.0, 0.5, 1e-6))
    assert np.array_equal(whole, drawn(cli))
    assert np.array_equal(whole, same)
    assert np.ptp(whole, 0).max() > np.ptp(half, 0).max() > np.ptp(least, 0).max()
    assert np.ptp(least, 0).max() <= 1


def test_latents_of_a_file_are_drawn_by_truncated_styles(workspace: Path, cli: Cli) -> None:
    words = small_words("train.steps=1", "name=run", model="stylegan2")
    assert cli("train", *words).code == 0
    np.save("latents.npy", load("run", device="cpu").latents(6, seed=0))
    given = ["sample", "run", "device=cpu", "latents=latents.npy", "truncation=0.5", "out=given.npy"]
    assert cli(*given).code == 0
    assert np.array_equal(np.load("given.npy"), drawn(cli, "truncation=0.5", "seed=0"))
