"""ganctl evaluate of a run against other images than it was trained on, and of all its checkpoints at once."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ganctl.cli import main
from ganctl.metrics import comparison
from tests.commands.test_evaluate_images import save
from tests.conftest import Cli

TRAINED = [
    *("train", "name=run", "data=mnist", "data.resolution=28", "model=mlp", "model.latent=2"),
    *("model.generator.hidden=[4]", "model.discriminator.hidden=[4]", "model.conditional=true", "train.steps=4"),
    *("train.batch_size=4", "sample.every=0", "device=cpu", "checkpoint.every=1", "checkpoint.keep=3"),
]
RAW = ["evaluate", "run", "device=cpu", "num=20", "metric/features=raw", "metric=[precision_recall]"]
TAUGHT = ["evaluate", "run", "device=cpu", "num=20", "features.steps=2", "features.width=2", "floor=false"]


def write_idx(name: str, values: np.ndarray) -> None:
    folder = Path("data/MNIST/raw")
    folder.mkdir(parents=True, exist_ok=True)
    head = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    (folder / name).write_bytes(head + values.astype(np.uint8).tobytes())


def written() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path("outputs/run/evaluation.json").read_text())["evaluations"]
    return found


@pytest.fixture(scope="module")
def digits_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a conditional run on images of chance, both parts of which are there.

    It has the checkpoints of steps 2 and 4, and that of step 3 as its best.
    """
    folder = tmp_path_factory.mktemp("digits")
    numbers = np.random.default_rng(0)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for prefix, count, high in (("train", 40, 256), ("t10k", 20, 128)):
            write_idx(f"{prefix}-images-idx3-ubyte", numbers.integers(0, high, (count, 28, 28)))
            write_idx(f"{prefix}-labels-idx1-ubyte", np.arange(count) % 10)
        assert main(TRAINED) == 0
        checkpoints = Path("outputs/run/checkpoints")
        (checkpoints / "step-00000003.safetensors").rename(checkpoints / "best.safetensors")
    return folder


@pytest.fixture
def digits(workspace: Path, digits_outputs: Path) -> Path:
    """Work beside this run and its data."""
    shutil.copytree(digits_outputs, workspace, symlinks=True, dirs_exist_ok=True)
    return workspace


def test_held_out_images_are_the_reference_and_both_answers_are_kept(digits: Path, cli: Cli) -> None:
    metrics = ["metric=[fid,class_agreement,cas]", "metric.cas.steps=2"]
    for split in ([], ["data.split=test"], ["data.split=train"]):
        outcome = cli(*TAUGHT, *metrics, *split, *(["data.root=data"] if split else []))
        assert (outcome.code, outcome.err) == (0, "")
    test, train = written()  # the data that it was trained on has one answer, whichever way it is named
    assert test["asked"]["reference"]["split"] == "test"
    assert "reference" not in train["asked"]
    assert [each["reference"]["split"] for each in (test, train)] == ["test", "train"]
    assert [each["reference"]["count"] for each in (test, train)] == [20, 40]
    assert test["reference"]["fingerprint"] != train["reference"]["fingerprint"]
    assert test["features"] == train["features"]  # taught by the data that the run was trained on
    assert test["numbers"]["fid"] != train["numbers"]["fid"]
    assert test["numbers"]["class_agreement"] == train["numbers"]["class_agreement"]
    outcome = cli("show", "run")
    assert "20, classifier, against mnist (test)" in outcome.out


def test_every_class_of_held_out_images_is_measured_by_itself(digits: Path, cli: Cli) -> None:
    outcome = cli(*RAW, "data.split=test", "per_class=true", "floor=false")
    assert (outcome.code, outcome.err) == (0, "")
    assert [part["reference"] for part in written()[0]["per_class"].values()] == [2] * 10


def test_other_images_are_read_in_the_shape_of_the_runs(digits: Path, cli: Cli) -> None:
    shutil.rmtree("data")  # what it was trained on is not needed
    save("cats", np.random.default_rng(0).integers(0, 256, (9, 30, 40, 3), np.uint8))
    outcome = cli(*RAW, "reference=cats")
    assert (outcome.code, outcome.err) == (0, "")
    assert "step 4: 20 samples a seed against 9 of cats, by raw" in outcome.out
    assert "reference: has other classes than the run, which is asked for all of its own equally" in outcome.out
    (result,) = written()
    assert result["reference"] | {"fingerprint": ""} == {
        "data": "folder",
        "path": "cats",
        "split": "all",
        "fingerprint": "",
        "count": 9,
    }
    assert (result["asked"]["reference"]["resolution"], result["asked"]["reference"]["channels"]) == (28, 1)
    for words, code, told in (
        (["per_class=true"], 2, "per_class: the reference has other classes than the run; set it to false"),
        (["metric=[cas]"], 3, "metric.cas: needs data of two classes or more, and this has none"),
        (["resolution=16"], 3, "reference: holds 16×16 pixels in 1 channel, and this generator makes 28×28 pixel"),
        (["channels=3"], 3, "reference: holds 28×28 pixels in 3 channels, and this generator makes 28×28 pixels"),
    ):
        outcome = cli(*RAW, "reference=cats", *words)
        assert (outcome.code, outcome.err.count("\n")) == (code, 1)
        assert outcome.err.startswith(f"ganctl: {told}")


def test_a_reference_with_the_runs_classes_keeps_them(digits: Path, cli: Cli) -> None:
    for label in range(10):
        save(f"own/{label}", np.random.default_rng(label).integers(0, 256, (2, 28, 28), np.uint8))
    outcome = cli(*TAUGHT, "reference=own", "metric=[class_agreement]")
    assert (outcome.code, outcome.err) == (0, "")
    assert "other classes" not in outcome.out
    assert 0 <= written()[0]["numbers"]["class_agreement"]["class_agreement"]["mean"] <= 1


def test_every_checkpoint_is_measured_against_what_is_read_once(
    digits: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    whole = comparison.collect

    def counted(samples: Any, *arguments: Any) -> Any:
        seen.append(samples.count)
        return whole(samples, *arguments)

    monkeypatch.setattr(comparison, "collect", counted)
    outcome = cli(*RAW, "which=all", "seeds=0-1")
    assert (outcome.code, outcome.err) == (0, "")
    assert [(each["checkpoint"], each["step"]) for each in written()] == [
        ("step-00000002.safetensors", 2),
        ("best.safetensors", 3),
        ("step-00000004.safetensors", 4),
    ]
    assert seen.count(40) == 1  # all real images; each checkpoint has 20 samples of 2 seeds, the baseline 20
    assert seen.count(20) == 3 * 2 + 1
    assert "3 checkpoints: 20 samples a seed against 40 of mnist, by raw" in outcome.out
    rows = [line.split("│")[1].strip() for line in outcome.out.splitlines() if line.startswith("│")]
    assert rows == ["2", "3 (best)", "4", "real vs real"]
    alone = cli(*RAW, "seeds=0-1", "out=alone.json")
    assert alone.code == 0
    last = json.loads(Path("alone.json").read_text())["evaluations"][0]
    assert last["numbers"] == written()[-1]["numbers"]


def test_checkpoints_that_are_measured_are_stored_before_the_next(
    digits: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, calls = comparison.Comparison.numbers, []

    def failing(*arguments: Any) -> Any:
        calls.append(0)
        if len(calls) > 2:
            raise MemoryError
        return whole(*arguments)

    monkeypatch.setattr(comparison.Comparison, "numbers", failing)
    outcome = cli(*RAW, "which=all", "--json")
    assert outcome.code == 2
    assert [each["step"] for each in written()] == [2, 3]
    assert [each["step"] for each in json.loads(outcome.out)["evaluations"]] == [2, 3]
    monkeypatch.setattr(comparison.Comparison, "numbers", whole)
    assert cli(*RAW, "which=all").code == 0
    assert [each["step"] for each in written()] == [2, 3, 4]


def test_damaged_checkpoints_are_passed_over(digits: Path, cli: Cli) -> None:
    for name in ("step-00000002", "best"):
        Path(f"outputs/run/checkpoints/{name}.safetensors").write_bytes(b"nothing")
    outcome = cli(*RAW, "which=all")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("passed over a damaged checkpoint") == 2
    assert [each["step"] for each in written()] == [4]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["data.split=valid"], 2, "data.split: must be 'train' or 'test', not 'valid'"),
        (["data.resolution=14"], 2, "data.resolution: cannot change, because a run is compared with the data"),
        (["resolution=14"], 2, "resolution: is for images that are given by samples=… or reference=…; leave it o"),
        (["which=every"], 2, "which: must be 'newest', 'best' or 'all', not 'every'"),
        (["reference=outputs/run"], 2, "reference: outputs/run is a trained generator, and no folder of images"),
        (["reference=ring"], 3, "reference: holds points of 2 dimensions, and this generator makes 28×28 pixels"),
        (["reference=nothing"], 3, "reference: nothing does not exist"),
        (["reference=mnist", "data.root=nowhere", "data.download=false"], 3, "data.root: no train-images-idx3-ub"),
    ],
)
def test_what_a_run_cannot_be_compared_with_is_one_line(
    words: list[str], code: int, told: str, digits: Path, cli: Cli
) -> None:
    outcome = cli(*RAW, *words)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert outcome.err.startswith(f"ganctl: {told}")
    assert not Path("outputs/run/evaluation.json").exists()


def test_a_set_without_parts_has_no_other_split(trained: Path, cli: Cli) -> None:
    outcome = cli("evaluate", "run", "metric/features=raw", "num=40", "data.split=test")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "data.split: ring has no parts; compare with images of your own by reference=…" in outcome.err
