"""ganctl evaluate of conditional models: labels that are asked for, their agreement, each class by itself."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ganctl.checkpoints import file as checkpoint
from ganctl.cli import main
from ganctl.runs import evaluation as module
from tests.commands.labelled import save_labelled, train, words_of
from tests.conftest import Cli, contents

NAMES = ["ant", "bee", "cat"]
RAW = ["evaluate", "run", "device=cpu", "num=70", "metric/features=raw"]
CLASSIFIER = ["evaluate", "run", "device=cpu", "num=30", "features.steps=3", "features.width=2"]
CHECKPOINT = Path("outputs/run/checkpoints/step-00000001.safetensors")


def written(path: str = "outputs/run/evaluation.json") -> dict[str, Any]:
    found: dict[str, Any] = json.loads(Path(path).read_text())["evaluations"][-1]
    return found


@pytest.fixture(scope="module")
def animals_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a conditional run on three classes, of 30 images each, and these images."""
    folder = tmp_path_factory.mktemp("animals")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_labelled(NAMES, each=30)
        assert main(["train", *words_of()]) == 0
    return folder


@pytest.fixture
def animals(workspace: Path, animals_outputs: Path) -> Path:
    """Work beside this run and its images."""
    shutil.copytree(animals_outputs, workspace, symlinks=True, dirs_exist_ok=True)
    return workspace


def test_agreement_is_measured_beside_that_of_real_images(animals: Path, cli: Cli) -> None:
    outcome = cli(*CLASSIFIER, "metric=[class_agreement,mode_count]", "seeds=0-1")
    assert (outcome.code, outcome.err) == (0, "")
    number = written()["numbers"]["class_agreement"]["class_agreement"]
    assert all(0 <= value <= 1 for value in [*number["values"], number["floor"]])
    assert "per_class" not in written()
    assert "per_class" not in written()["asked"]


def test_every_class_is_measured_by_itself(animals: Path, cli: Cli) -> None:
    outcome = cli(*RAW, "metric=[precision_recall,sliced_wasserstein]", "per_class=true", "seeds=0-1")
    assert (outcome.code, outcome.err) == (0, "")
    result = written()
    assert result["asked"]["per_class"] is True
    assert list(result["per_class"]) == NAMES
    for part in result["per_class"].values():
        assert part["reference"] == 30
        assert part["numbers"].keys() == result["numbers"].keys()
        assert len(part["numbers"]["precision_recall"]["precision"]["values"]) == 2
        assert part["numbers"]["precision_recall"]["recall"]["floor"] is not None
    for name in NAMES:
        assert f"│ {name} " in outcome.out
    ways = [part["numbers"]["sliced_wasserstein"] for part in result["per_class"].values()]
    assert ways[0] != ways[1] != ways[2]


def test_samples_of_a_class_are_all_asked_for_it(animals: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.Tensor] = []
    whole = module.drawn

    def watched(*arguments: Any) -> Any:
        asked.append(arguments[-1])
        return whole(*arguments)

    monkeypatch.setattr(module, "drawn", watched)
    assert cli(*RAW, "metric=[nearest_neighbour]", "per_class=true", "floor=false").code == 0
    per_class = [labels.unique().item() for labels in asked if len(labels.unique()) == 1]
    assert set(per_class) == {0, 1, 2}
    assert all(len(labels) == 70 for labels in asked)


def test_classes_with_too_few_images_are_told_in_one_line(workspace: Path, cli: Cli) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (95, 8, 8, 1), np.uint8)
    labels = np.array([*["few"] * 5, *["many"] * 90])
    np.savez("labelled.npz", images=pixels, labels=labels)
    assert cli("train", *words_of()).code == 0
    outcome = cli(*RAW, "metric=[fid,nearest_neighbour]", "per_class=true")
    assert (outcome.code, outcome.err) == (0, "")
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("no fid of")]
    assert line == (
        "no fid of 1 class (few): metric.fid: 5 samples are too few for the covariance of 64 features; it takes "
        "65 or more on each side"
    )
    (line,) = [line for line in outcome.out.splitlines() if line.startswith("no real vs real in")]
    assert line.startswith("no real vs real in 1 class (many): metric.fid: 45 samples are too few")
    parts = written()["per_class"]
    assert list(parts["few"]["numbers"]) == ["nearest_neighbour"]
    assert set(parts["many"]["numbers"]) == {"fid", "nearest_neighbour"}
    assert (parts["few"]["reference"], parts["many"]["reference"]) == (5, 90)


@pytest.mark.parametrize("balance", [False, True])
def test_labels_are_asked_for_as_often_as_in_training(
    balance: bool, workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 8, 8, 1), np.uint8)
    np.savez("labelled.npz", images=pixels, labels=np.arange(100) // 90)
    assert cli("train", *words_of(), f"data.balance={str(balance).lower()}").code == 0
    asked: list[torch.Tensor] = []
    whole = module.drawn

    def watched(*arguments: Any) -> Any:
        asked.append(arguments[-1])
        return whole(*arguments)

    monkeypatch.setattr(module, "drawn", watched)
    assert cli(*RAW[:3], "num=4000", *RAW[4:], "metric=[sliced_wasserstein]", "floor=false").code == 0
    assert all(torch.equal(labels, asked[0]) for labels in asked)
    assert asked[0].dtype == torch.int64
    share = float(asked[0].double().mean())
    expected = 0.5 if balance else 0.1
    assert abs(share - expected) < 5 * (expected * (1 - expected) / 4000) ** 0.5
    assert cli(*RAW[:3], "num=4000", *RAW[4:], "metric=[sliced_wasserstein]", "floor=false", "seeds=1").code == 0
    assert not torch.equal(asked[-1], asked[0])


def test_the_numbers_while_training_are_those_of_the_command(workspace: Path, cli: Cli) -> None:
    small = ["features.steps=3", "features.width=2", "metric=[class_agreement,fid]"]
    train(cli, NAMES, *small, "evaluate.every=1", "evaluate.num=50", each=20)
    logged = [json.loads(line) for line in Path("outputs/run/metrics.jsonl").read_text().splitlines()]
    (row,) = [row for row in logged if "evaluate/class_agreement/class_agreement" in row]
    assert cli("evaluate", "run", "device=cpu", "num=50", *small).code == 0
    number = written()["numbers"]["class_agreement"]["class_agreement"]
    assert number["mean"] == row["evaluate/class_agreement/class_agreement"]
    assert number["floor"] == row["evaluate/class_agreement/class_agreement/floor"]
    assert Path("outputs/run/checkpoints/best.safetensors").exists()


def test_a_metric_of_classes_stops_an_unconditional_run_before_its_first_step(workspace: Path, cli: Cli) -> None:
    save_labelled(NAMES, 20)
    small = ["features.steps=3", "features.width=2", "metric=[class_agreement]", "evaluate.every=1"]
    outcome = cli("train", *words_of(conditional=False), *small)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "metric.class_agreement: compares with the class that was asked for, and these samples" in outcome.err


def test_a_run_without_classes_is_not_measured_by_class(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, conditional=False)
    before = contents(workspace / "outputs")
    for words, told in (
        ([*RAW, "metric=[fid]", "per_class=true"], "per_class: the model of this run is not conditional"),
        ([*RAW, "metric=[class_agreement]"], "metric.class_agreement: reads classes, which metric/features=raw"),
        (
            [*RAW, "metric=[nearest_neighbour]", "standing=2"],
            "standing: the generator of this run has no batch norm; set it to 0",
        ),
    ):
        outcome = cli(*words)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert outcome.err.startswith(f"ganctl: {told}")
    assert contents(workspace / "outputs") == before


def test_standing_statistics_are_part_of_the_question(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, "model.generator.norm=batch")
    for words in ([], ["standing=2"], ["standing=2"]):
        outcome = cli(*RAW, "metric=[sliced_wasserstein]", *words)
        assert outcome.code == 0, outcome.err
    plain, anew = json.loads(Path("outputs/run/evaluation.json").read_text())["evaluations"]
    assert "standing" not in plain["asked"]
    assert anew["asked"]["standing"] == 2
    assert plain["numbers"] != anew["numbers"]


@pytest.mark.parametrize(("names", "each"), [(["ant", "bee"], 6), (["ant", "bee", "cat", "dog"], 3)])
def test_data_with_other_classes_than_the_checkpoint_is_refused(
    names: list[str], each: int, workspace: Path, cli: Cli
) -> None:
    train(cli, NAMES)
    save_labelled(names, each)
    outcome = cli(*RAW, "metric=[fid]")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert "labelled.npz has changed since outputs/run/checkpoints/step-00000001.safetensors was" in outcome.err


def with_classes(*names: str) -> None:
    """Write other classes into the header of the checkpoint."""
    opened = checkpoint.read_header(CHECKPOINT)
    header = opened.header.model_copy(update={"classes": names})
    checkpoint.write(CHECKPOINT, header, opened.read())


@pytest.mark.parametrize("names", [(), ("ant",), ("ant", "bee"), tuple("abcdefgh")])
@pytest.mark.parametrize("command", [["sample", "run", "device=cpu"], [*RAW, "metric=[fid]"]])
def test_classes_of_a_header_that_do_not_fit_the_weights_are_refused(
    command: list[str], names: tuple[str, ...], animals: Path, cli: Cli
) -> None:
    with_classes(*names)
    outcome = cli(*command)
    assert (outcome.code, outcome.err.count("\n")) == (4, 1)
    assert "step-00000001.safetensors" in outcome.err


def test_a_header_whose_classes_are_fewer_than_the_labels_is_refused(workspace: Path, cli: Cli) -> None:
    train(cli, ["ant", "bee"], each=6)
    save_labelled(NAMES)
    other = cli("train", *words_of()[:-2], "model.conditional=true", "name=other")
    assert other.code == 0, other.err
    theirs = checkpoint.read_header(Path("outputs/other/checkpoints/step-00000001.safetensors")).header
    ours = checkpoint.read_header(CHECKPOINT)
    changed = ours.header.model_copy(update={"data": theirs.data})
    checkpoint.write(CHECKPOINT, changed, ours.read())
    outcome = cli(*RAW, "metric=[sliced_wasserstein]")
    assert (outcome.code, outcome.err.count("\n")) == (4, 1)
    assert "was trained on 2 classes, and the data has 3; restore the data, or take a generator" in outcome.err


def test_names_of_classes_are_shown_as_they_are_and_never_as_markup(workspace: Path, cli: Cli) -> None:
    train(cli, ["[red]x[/red]", "猫", "y" * 100], each=8)
    outcome = cli(*RAW, "metric=[nearest_neighbour]", "per_class=true")
    assert (outcome.code, outcome.err) == (0, "")
    assert list(written()["per_class"]) == ["[red]x[/red]", "y" * 100, "猫"]
    assert "猫" in outcome.out
