"""ganctl evaluate of images that are there: folders, zip and numpy's files against each other and data sets."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from ganctl.commands.measuring.of_images import _with_classes_of
from ganctl.data.store import Store
from tests.conftest import TINY, Cli

RAW = ["evaluate", "metric/features=raw", "metric=[precision_recall]", "device=cpu"]
BOTH = ["samples=made", "reference=real"]


def written(path: str = "evaluation.json") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(Path(path).read_text())["evaluations"]
    return found


def save(folder: str, pixels: np.ndarray, start: int = 0) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for number, image in enumerate(pixels, start):
        Image.fromarray(image).save(f"{folder}/{number:03d}.png")


@pytest.fixture
def pictures(workspace: Path) -> Path:
    """Work beside two folders of grey images of chance, 40 of each of two classes, and the same in files."""
    numbers = np.random.default_rng(0)
    for name, high in (("real", 200), ("made", 256)):
        pixels = numbers.integers(0, high, (80, 8, 8), np.uint8)
        for label, part in (("ant", pixels[:40]), ("bee", pixels[40:])):
            save(f"{name}/{label}", part)
        np.save(f"{name}.npy", pixels)
        np.savez(f"{name}.npz", samples=pixels, labels=np.array(["ant"] * 40 + ["bee"] * 40))
        shutil.make_archive(name, "zip", name)
    return workspace


def test_folders_zip_and_numpys_files_give_the_same_numbers(pictures: Path, cli: Cli) -> None:
    for samples in ("made", "made.zip", "made.npy", "made.npz"):
        outcome = cli(*RAW, f"samples={samples}", "reference=real", "channels=1")
        assert (outcome.code, outcome.err) == (0, "")
        assert f"80 samples of {samples} against 80 of real, by raw" in outcome.out
        assert "real vs real: 40 of these against the other 40" in outcome.out
        assert outcome.out.endswith("written to evaluation.json\n")
    found = written()
    assert [each["samples"]["path"] for each in found] == ["made", "made.zip", "made.npy", "made.npz"]
    assert len({json.dumps(each["numbers"]) for each in found}) == 1
    assert {each["samples"]["fingerprint"] == found[0]["samples"]["fingerprint"] for each in found[:2]} == {True}
    for each in found:
        assert each["reference"]["path"] == "real"
        assert (each["samples"]["count"], each["samples"]["measured"], each["reference"]["count"]) == (80, 80, 80)


def test_the_same_question_replaces_its_answer_unless_images_have_changed(pictures: Path, cli: Cli) -> None:
    for _ in range(2):
        assert cli(*RAW, *BOTH).code == 0
    assert len(written()) == 1
    save("real/ant", np.zeros((1, 8, 8), np.uint8), 90)
    assert cli(*RAW, *BOTH).code == 0
    assert [each["reference"]["count"] for each in written()] == [80, 81]


@pytest.mark.parametrize("reference", ["digits", "data=digits", "'data=digits'"])
def test_a_data_set_is_named_as_the_reference(reference: str, pictures: Path, cli: Cli) -> None:
    outcome = cli(*RAW, "samples=made.npy", f"reference={reference}", "resolution=8", "floor=false")
    assert (outcome.code, outcome.err) == (0, "")
    assert "80 samples of made.npy against 1,797 of digits, by raw" in outcome.out
    assert written()[0]["reference"]["data"] == "digits"


def test_classes_of_both_sides_are_the_same_by_their_names(pictures: Path, cli: Cli) -> None:
    cas = ["evaluate", "metric/features=raw", "metric=[cas]", "metric.cas.steps=2", "channels=1", "floor=false"]
    outcome = cli(*cas, "samples=made.npz", "reference=real")
    assert (outcome.code, outcome.err) == (0, "")
    assert "samples: classes are those of the array 'labels' in made.npz" in outcome.out
    assert 0 <= written()[0]["numbers"]["cas"]["cas"]["mean"] <= 1
    outcome = cli(*cas, "samples=made.npz", "reference=digits", "resolution=8")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "samples: are compared without classes; the reference has no 'ant'" in outcome.out
    assert "metric.cas: teaches the class that was asked for, and these samples have none of the" in outcome.err


def test_labels_count_the_references_classes() -> None:
    rows, labels = torch.zeros(3, 8, 8, 1, dtype=torch.uint8), torch.tensor([0, 1, 1])
    reference = Store(rows, torch.tensor([0, 1, 2]), ("ant", "bee", "cat"))
    found = _with_classes_of(reference, Store(rows, labels, ("ant", "cat")))
    assert found.labels is not None
    assert (found.labels.tolist(), found.classes) == ([0, 2, 2], ("ant", "bee", "cat"))
    assert _with_classes_of(reference, Store(rows, labels, ("ant", "cow"))).labels is None
    assert _with_classes_of(Store(rows), Store(rows, labels, ("ant", "cat"))).labels is None


def test_the_same_images_on_both_sides_are_noted_and_have_no_distance(pictures: Path, cli: Cli) -> None:
    outcome = cli("evaluate", "metric/features=raw", "samples=real", "reference=real.zip", "channels=1")
    assert (outcome.code, outcome.err) == (0, "")
    assert "note    samples and reference hold the same images" in outcome.out
    assert "not real vs real: metric.fid: 40 samples are too few" in outcome.out
    number = written()[0]["numbers"]["fid"]["fid"]
    assert number["mean"] == pytest.approx(0, abs=1e-6)
    assert number["floor"] is None


def test_images_that_do_not_decode_are_counted_and_num_takes_fewer(pictures: Path, cli: Cli) -> None:
    Path("made/ant/broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    outcome = cli(*RAW, *BOTH, "num=30")
    assert (outcome.code, outcome.err) == (0, "")
    assert "skipped 1 of 81 images that do not decode; the first is made/ant/broken.png" in outcome.out
    assert "samples: 30 of 80 are compared, drawn by chance" in outcome.out
    assert (written()[0]["samples"]["count"], written()[0]["samples"]["measured"]) == (80, 30)
    outcome = cli(*RAW, *BOTH, "num=5000")
    assert "samples: all 80 are compared, as there are no num=5,000" in outcome.out


def test_sizes_and_colours_are_brought_to_one(pictures: Path, cli: Cli) -> None:
    numbers = np.random.default_rng(1)
    save("large", numbers.integers(0, 256, (9, 16, 16, 3), np.uint8))
    save("mixed", numbers.integers(0, 256, (9, 16, 16, 3), np.uint8))
    save("mixed", numbers.integers(0, 256, (1, 8, 8), np.uint8), 50)
    save("wide", numbers.integers(0, 256, (9, 10, 14, 3), np.uint8))
    save("deep", numbers.integers(0, 65536, (9, 8, 8), np.uint16))
    for samples, told in (
        ("large", "samples: hold 16×16 pixels in 3 channels, and the reference 8×8 pixels in 1 channel; read bot"),
        ("mixed", "samples: 9 images of 16×16 pixels, but mixed/050.png of 8×8; resolution=16 brings all to one"),
        ("wide", "samples: images of 14×10 pixels are no squares; resolution=10 crops them to such"),
    ):
        outcome = cli(*RAW, f"samples={samples}", "reference=real.npy")
        assert (outcome.code, outcome.err.count("\n")) == (3, 1)
        assert outcome.err.startswith(f"ganctl: {told}")
    outcome = cli(*RAW, "samples=mixed", "reference=real.npy", "resolution=8", "channels=1")
    assert (outcome.code, outcome.err) == (0, "")
    outcome = cli(*RAW, "samples=deep", "reference=real.npy", "channels=1")
    assert "data.range: taken as [0,65535] for whole numbers of 16 bits" in outcome.out
    np.save("other.npy", np.zeros((9, 16, 16), np.uint8))
    outcome = cli(*RAW, "samples=other.npy", "reference=real.npy")
    assert outcome.err.endswith("; save both in one shape\n")


@pytest.mark.parametrize("place", [0, 3])
def test_json_is_the_only_thing_on_standard_output(place: int, pictures: Path, cli: Cli) -> None:
    words = [*BOTH, *RAW[1:]]
    words.insert(place, "--json")
    outcome = cli("evaluate", *words)
    assert outcome.code == 0
    assert json.loads(outcome.out)["evaluations"] == written()
    assert outcome.err == "written to evaluation.json\n"


def test_what_was_measured_is_told_as_json_also_where_it_cannot_be_written(
    pictures: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ganctl.commands.measuring.results.write_whole", full)
    outcome = cli(*RAW, *BOTH, "--json")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert json.loads(outcome.out)["evaluations"][0]["samples"]["count"] == 80


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ([], 2, "ckpt: required, but not given; add ckpt=…, or samples=… and reference=… for images that are the"),
        (["samples=made"], 2, "reference: required with samples=…; name a folder, a .zip, .npz or .npy file, or"),
        (["samples=made", "reference=rael"], 3, "reference: rael does not exist (did you mean 'real'?)"),
        (["samples=made", "reference=mnsit"], 3, "reference: mnsit does not exist (did you mean 'mnist'?)"),
        (["samples=mad", "reference=real"], 3, "samples: mad does not exist (did you mean 'made'?)"),
        (["samples=digits", "reference=real"], 2, "samples: digits is a data set of real images; name it by refe"),
        (["samples=empty", "reference=real"], 3, "samples: empty holds no images"),
        (["samples=one", "reference=real"], 3, "samples: one holds 1 image; a comparison takes 2 or more"),
        ([*BOTH, "seeds=0-2"], 2, "seeds: is for what a generator draws, and samples=made are there already"),
        ([*BOTH, "ckpt=run"], 2, "ckpt: is for what a generator draws, and samples=made are there already"),
        (["samples=", "reference=real"], 2, "samples: names nothing; give a folder, a .zip, .npz or .npy file"),
        ([*BOTH, "data.path=made"], 2, "data.path: reference=real says where the images are; leave one out"),
        ([*BOTH, "data.name=folder"], 2, "data.name: chooses no data set; name it by reference=…"),
        ([*BOTH, "data=digits"], 2, "reference: data=digits says what to compare with; leave one out"),
        ([*BOTH, "data.subfolde=x"], 2, "data.subfolde: unknown key (did you mean 'subfolder'?)"),
        ([*BOTH, "resolution=4"], 2, "resolution: must be at least 8, not 4"),
        ([*BOTH, "channels=2"], 2, "channels: must be 1, 3 or 4, not 2"),
        ([*BOTH, "metric=[fid]"], 2, "metric.fid: 80 samples are too few for the covariance of 192 features"),
        ([*BOTH, "metric/features=classifier", "metric=[cas]", "data.subfolder=ant"], 3, "metric/features: class"),
        (["samples=run", "reference=real"], 2, "samples: run is a trained generator, and no folder of images; me"),
        (["samples=made", "reference=outputs/run"], 2, "reference: outputs/run is a trained generator, and no fo"),
        ([*BOTH, "out=other.json"], 2, "out: other.json is there and holds no evaluations; choose another name"),
        ([*BOTH, "out=made.npy"], 2, "out: made.npy is there and holds no evaluations; choose another name"),
        ([*BOTH, "out=made.npy/e.json"], 2, "made.npy/e.json: cannot be written (Not a directory)"),
        ([*BOTH, "json=yes"], 2, "json: must be true or false, not 'yes'"),
        ([*BOTH, "--json=1"], 2, "--json=1: keys are typed without dashes"),
        (["samples=made", "reference=mnist", "data.split=x"], 2, "data.split: must be 'train' or 'test', not 'x'"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    words: list[str], code: int, told: str, pictures: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("empty").mkdir()
    save("one", np.zeros((1, 8, 8), np.uint8))
    Path("other.json").write_text("{}")
    Path("outputs/run").mkdir(parents=True)
    Path("outputs/run/config.yaml").write_text("")
    monkeypatch.setattr("ganctl.metrics.comparison.collect", None)  # refused before anything is computed
    outcome = cli(*RAW, *words)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1), outcome.err
    assert outcome.err.startswith(f"ganctl: {told}")
    assert not Path("evaluation.json").exists()
    assert Path("other.json").read_text() == "{}"


def test_a_folder_of_images_in_the_place_of_a_run_is_told_how_to_be_named(pictures: Path, cli: Cli) -> None:
    outcome = cli("evaluate", "made", "reference=real")
    assert (outcome.code, outcome.err.count("\n")) == (4, 1)
    assert "images that are there are measured by `ganctl evaluate samples=made reference=…`" in outcome.err


def test_a_file_of_another_tool_is_never_replaced(pictures: Path, cli: Cli) -> None:
    Path("evaluation.json").write_text('{"score": 1}')
    outcome = cli(*RAW, *BOTH)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "out: evaluation.json is there and holds no evaluations; choose another name" in outcome.err
    assert Path("evaluation.json").read_text() == '{"score": 1}'


def test_a_sweep_prints_no_json(pictures: Path, cli: Cli) -> None:
    outcome = cli(*RAW, "-m", "--json", "samples=made,made.npy", "reference=real")
    assert outcome.code == 2
    assert "--json: prints one document, and a sweep (-m) would print several; leave one out" in outcome.err


def test_points_are_compared_with_points(workspace: Path, cli: Cli) -> None:
    np.save("points.npy", np.random.default_rng(0).standard_normal((50, 2)))
    outcome = cli("evaluate", "metric/features=raw", "samples=points.npy", "reference=ring", TINY[1])
    assert (outcome.code, outcome.err) == (0, "")
    assert "50 samples of points.npy against 16 of ring, by raw" in outcome.out
