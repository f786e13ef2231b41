"""scripts/tables/augmentation and anomaly: runs on parts of MNIST, what measures them, and their pages."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ganctl import rules
from ganctl.config import train_config
from scripts.tables import anomaly, augmentation, proof, results
from scripts.tables.proof import Proof
from scripts.tables.report import page_of, with_section
from scripts.tables.runs import composed
from tests.scripts.here import Here
from tests.test_docs import write_idx

ROOT = Path(__file__).parents[2]
PROOFS = (augmentation.PROOF, anomaly.PROOF)
TINY = (
    *("model=dcgan", "model.generator.width=2", "model.discriminator.width=2", "train.batch_size=4"),
    *("train.steps=2", "sample.every=0", "device.precision=fp32"),
)


@pytest.fixture
def mnist(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of a few images of each digit, whose brightness tells which; pages are empty."""
    numbers = np.random.default_rng(0)
    for split, each in (("train", 4), ("t10k", 2)):
        labels = np.arange(10 * each) % 10
        images = (25 * labels)[:, None, None] + numbers.integers(0, 25, (len(labels), 28, 28))
        write_idx(workspace / f"mnist/MNIST/raw/{split}-images-idx3-ubyte", images)
        write_idx(workspace / f"mnist/MNIST/raw/{split}-labels-idx1-ubyte", labels)
    (workspace / "docs/results").mkdir(parents=True)
    for each in PROOFS:
        (workspace / page_of(each.name)).write_text(f"<!-- table: {each.name} -->\n<!-- end -->\n")
    augmentation.digits.cache_clear()
    monkeypatch.setattr(augmentation, "STEPS", 3)
    monkeypatch.setattr(augmentation, "WORDS", (*TINY, "model.conditional=true"))
    monkeypatch.setattr(anomaly, "WORDS", TINY)
    monkeypatch.setattr(anomaly, "ENCODER", ("encoder.steps=2", "cache=cache"))
    yield workspace / "mnist"
    augmentation.digits.cache_clear()


def test_classifiers_are_taught_with_and_without_generated_images(mnist: Path) -> None:
    small = Proof("augmentation", ("2",), 1, augmentation.works, augmentation.measure, lambda runs: "Measured.")
    arguments = ["--mnist", str(mnist), "--jobs", "1"]
    assert proof.main(small, arguments, Here()) == 0
    (run,) = results.read("augmentation")
    assert set(run["numbers"]) == set(augmentation.WAYS)
    assert all(0 <= share <= 1 for share in run["numbers"].values())
    assert "Measured." in page_of("augmentation").read_text()
    written = np.load("outputs/augmentation-images/2-0.npz")
    assert np.bincount(written["labels"]).tolist() == [2] * 10
    assert proof.main(small, arguments, Here(train=("no.such.key=1",))) == 0, "what is in is not trained again"


def test_a_digit_that_was_not_learned_is_looked_for(mnist: Path) -> None:
    small = Proof("anomaly", ("9",), 1, anomaly.works, anomaly.measure, lambda runs: "Measured.")
    assert proof.main(small, ["--mnist", str(mnist), "--jobs", "1"], Here()) == 0
    (run,) = results.read("anomaly")
    assert set(run["numbers"]) == set(anomaly.SCORES)
    assert run["numbers"]["neighbours"] == 1, "the brightest digit is far from all others"
    assert len(np.load("outputs/anomaly-images/without-9.npy")) == 36


def test_a_run_that_fails_is_told_and_not_entered(mnist: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = Proof("anomaly", ("9",), 1, anomaly.works, anomaly.measure, lambda runs: "Measured.")
    launcher = Here(train=("train.steps=-1",))
    assert proof.main(small, ["--mnist", str(mnist), "--jobs", "1"], launcher) == 1
    assert "anomaly-9-0: FAILED: " in capsys.readouterr().out
    assert not results.read("anomaly")


def test_shifted_digits_are_not_mirrored(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []

    def noted(images: torch.Tensor, numbers: torch.Tensor) -> torch.Tensor:
        seen.append(numbers)
        return images

    monkeypatch.setattr(augmentation, "flip_and_shift", noted)
    monkeypatch.setattr(augmentation, "STEPS", 1)
    images = augmentation.Store(torch.zeros(4, 8, 8, 1).byte(), torch.arange(4), tuple("abcd"))
    augmentation.accuracy(images, True, images, 0)
    (numbers,) = seen
    assert (numbers[:, 0] >= 0.5).all(), "flip_and_shift mirrors below 0.5"
    assert 0 < numbers[:, 1:].std() < 1


def test_the_distance_is_the_mean_of_the_nearest() -> None:
    known = torch.arange(0, 80, 10).byte()[:, None, None, None]
    found = anomaly.distances(torch.tensor([0, 35]).byte()[:, None, None, None], known)
    assert found.tolist() == [20, 13]


@pytest.mark.parametrize("words", [augmentation.WORDS, anomaly.WORDS], ids=["augmentation", "anomaly"])
def test_the_words_of_a_proof_mean_a_config(words: tuple[str, ...]) -> None:
    rules.check(train_config(composed(["train", "data=digits", *words])))


@pytest.mark.parametrize("each", PROOFS, ids=lambda each: each.name)
def test_the_page_of_a_proof_is_what_the_results_generate(each: Proof, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page, runs = page_of(each.name).read_text(), results.read(each.name)
    assert with_section(page, each.name, each.section(runs) if runs else "Not run yet.") == page
