"""What folders of images are taken for: classes, chunks, parts of a split, masks, runs of ganctl."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from ganctl.data.decoding.decode import Decoding
from ganctl.data.decoding.files import FoundImages, search
from ganctl.data.sources import image_folder as folder
from ganctl.data.store import Store
from ganctl.errors import DataError
from tests.conftest import Cli
from tests.data.drawn import BLUE, RED, pack, plain, write

STYLEGAN = [f"{number // 1000:05d}/img{number:08d}.png" for number in (0, 1, 1000, 1001, 2000)]
FFHQ = [f"{number // 1000 * 1000:05d}/{number:05d}.png" for number in (0, 1, 1000, 1001, 2000)]
SHARDS = [f"{number // 10_000:05d}/{number:09d}.png" for number in (0, 1, 10_000, 20_001)]
ROADSIGNS = [
    f"{sign:05d}/{track:05d}_{frame:05d}.png" for sign in range(3) for track in (0, 1) for frame in (0, 29)
]
NUMBERS = [f"{person:05d}/{number:05d}.png" for person in range(3) for number in range(3)]
SMALL = [
    *("model.generator.width=2", "model.discriminator.width=2", "train.batch_size=2", "sample.num=4"),
    *("device=cpu", "device.precision=fp32"),
]


def load(path: Path, subfolder: str | None = None, cache: Path | None = None) -> Store:
    return folder.load(str(path), subfolder, Decoding(8, 3, "crop"), 0.0, 1, cache and str(cache))


def classes(names: list[str], root: Path, subfolder: str | None = None) -> dict[str, str]:
    """Return the class of each image, found alike in a folder and in a zip file of it; empty for one class."""
    found = search(str(write(root, dict.fromkeys(names, plain()))), subfolder)
    packed = search(str(pack(root.with_suffix(".zip"), dict.fromkeys(names, plain()))), subfolder)
    told = [[file.belongs_to for file in each.files] for each in (found, packed)]
    assert told[0] == told[1]
    assert found.remarks == packed.remarks
    names_told = {Path(file.name).relative_to(root).as_posix(): file.belongs_to[1] for file in found.files}
    return names_told if len(set(told[0])) > 1 else {}


@pytest.mark.parametrize("names", [STYLEGAN, FFHQ, SHARDS], ids=["stylegan", "ffhq", "img2dataset"])
@pytest.mark.parametrize("inner", ["", "thumbnails128x128/"])
def test_chunks_of_numbered_files_are_no_classes_and_that_is_said(tmp_path, names, inner):
    assert classes([inner + name for name in names], tmp_path / "set") == {}
    (remark,) = search(str(tmp_path / "set"), None).remarks
    assert remark.endswith("are taken for chunks of one set, not for classes")
    assert remark.startswith("00000/, 0")


@pytest.mark.parametrize("names", [ROADSIGNS, NUMBERS], ids=["road signs", "numbers that start anew"])
def test_classes_whose_names_are_numbers_stay_classes(tmp_path, names):
    told = classes(names, tmp_path / "set")
    assert told == {name: name[:5] for name in names}


def test_a_folder_that_all_classes_have_leaves_the_class_to_the_one_above(tmp_path):
    names = [f"{kind}/images/{kind}_{n}.png" for kind in ("n01", "n02") for n in (0, 1)]
    assert classes(names, tmp_path / "set") == {name: name[:3] for name in names}


@pytest.mark.parametrize("name", ["train", "val"])
def test_within_a_subfolder_too(tmp_path, name):
    names = [f"{part}/{kind}/images/1.png" for part in ("train", "val") for kind in ("cat", "dog")]
    told = classes(names, tmp_path / "set", name)
    assert told == {f"{name}/cat/images/1.png": "cat", f"{name}/dog/images/1.png": "dog"}


OLD_RULE = {
    "flat": ["ant/1.png", "bee/1.png", "bee/2.png"],
    "with images above": ["1.png", "m/2.png"],
    "below one folder": ["all/1.png", "all/m/2.png"],
    "at two depths": ["dog/1.png", "cat/1.png", "ant/x/1.png"],
    "by day": ["2019/cat/1.png", "2019/dog/1.png", "2020/cat/1.png"],
    "digits": ["0/1.png", "1/1.png", "10/1.png", "2/1.png"],
    "split": ["train/cat/1.png", "train/dog/1.png", "val/cat/1.png", "val/dog/1.png"],
    "masks": ["images/1.png", "masks/1.png"],
}
"""Layouts in which the folder that directly holds an image is its class, as in every earlier version."""


@pytest.mark.parametrize("kind", OLD_RULE)
def test_labels_of_earlier_versions_stay_and_so_do_entries_of_the_cache(tmp_path, kind):
    names = OLD_RULE[kind]
    told = classes(names, tmp_path / "set")
    assert {name: told[name] or "" for name in names if "/" in name} == {
        name: name.split("/")[-2] for name in names if "/" in name
    }
    # Without a label, an image has the key in the cache that it had before.
    assert [file.label for file in search(str(tmp_path / "set"), None).files] == [None] * len(names)


@pytest.mark.parametrize(
    ("names", "subfolder", "told"),
    [
        (["train/cat/1.png", "train/dog/1.png", "val/cat/1.png"], None, "train"),
        (["train/1.png", "val/1.png"], None, "train"),
        (["deep/er/test/1.png", "deep/er/training/1.png"], None, "deep/er/training"),
        (["deep/test/1.png", "deep/training/1.png"], "deep", "deep/training"),
        (["train2017/1.png", "val2017/1.png", "test2017/1.png"], None, "train2017"),
    ],
)
def test_parts_of_a_split_that_are_merged_are_said_with_how_to_take_one(tmp_path, names, subfolder, told):
    kinds = set(classes(names, tmp_path / "set", subfolder).values())
    assert kinds <= {"cat", "dog"}
    (remark,) = search(str(tmp_path / "set"), subfolder).remarks
    assert "are merged into one set; take one of them by data.subfolder=" in remark
    assert remark.rpartition("=")[2] == told
    assert search(str(tmp_path / "set"), told).remarks == []


def test_parts_of_a_split_inside_the_classes_are_no_classes(tmp_path):
    names = [f"{kind}/{part}/1.png" for kind in ("cat", "dog") for part in ("train", "test")]
    assert set(classes(names, tmp_path / "set").values()) == {"cat", "dog"}
    assert search(str(tmp_path / "set"), None).remarks == [
        "test/ and train/ inside the classes are merged into one set"
    ]


def test_images_and_their_masks_are_said_to_be_taken_for_classes(tmp_path):
    assert classes(["images/1.png", "masks/1.png"], tmp_path / "set") == {
        "images/1.png": "images",
        "masks/1.png": "masks",
    }
    assert search(str(tmp_path / "set"), None).remarks == [
        "images/ and masks/ are taken for classes; if they are images and their masks, set data.subfolder=images"
    ]


def labelled(root: Path, labels: object, *, packed: bool = False, inner: str = "") -> Path:
    files = {inner + name: plain((40 * number, 0, 0)) for number, name in enumerate(STYLEGAN)}
    files |= {f"{inner}dataset.json": json.dumps({"labels": labels}).encode()}
    return pack(root.with_suffix(".zip"), files) if packed else write(root, files)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("inner", ["", "afhq/"])
def test_the_labels_of_a_dataset_json_are_the_classes_in_the_order_of_their_numbers(tmp_path, packed, inner):
    labels = [[name, 10 if number % 2 else 9] for number, name in enumerate(STYLEGAN)]
    root = labelled(tmp_path / "set", labels, packed=packed, inner=inner)
    store = load(root)
    assert (store.classes, store.labels.tolist()) == (("9", "10"), [0, 1, 0, 1, 0])
    assert store.samples[:, 0, 0, 0].tolist() == [0, 40, 80, 120, 160]
    assert search(str(root), None).passed == {}


def test_text_and_backslashes_are_understood(tmp_path):
    labels = [[name.replace("/", "\\"), "b" if number % 2 else "a"] for number, name in enumerate(STYLEGAN)]
    assert load(labelled(tmp_path / "set", labels)).classes == ("a", "b")


@pytest.mark.parametrize("labels", [None, [[name, [0.5, 0.5]] for name in STYLEGAN]], ids=["null", "vectors"])
def test_a_dataset_json_without_classes_means_none(tmp_path, labels, capsys):
    root = labelled(tmp_path / "set", labels)
    write(root, {"cat/1.png": plain(), "dog/1.png": plain()})
    assert load(root).labels is None
    assert capsys.readouterr().out.startswith("data.path: dataset.json ")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"{", "dataset.json is not JSON"),
        (b"[" * 100_000, "dataset.json is not JSON"),
        (b'{"labels": 3}', "labels must be null or pairs"),
        (b'{"labels": [["a.png"]]}', "labels must be null or pairs"),
        (b'{"labels": [["a.png", 0.5]]}', "labels must be null or pairs"),
        (b'{"labels": [["a.png", Infinity]]}', "labels must be null or pairs"),
        (b'{"labels": [["a.png", true]]}', "labels must be null or pairs"),
        (b'{"labels": [["a.png", 1]]}', "has no label for 1 of 2 images, the first is b.png"),
    ],
)
def test_a_dataset_json_that_cannot_be_used_is_one_line(tmp_path, content, told):
    root = write(tmp_path, {"a.png": plain(), "b.png": plain(), "dataset.json": content})
    with pytest.raises(DataError) as refused:
        load(root)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_dataset_json_of_another_tool_is_a_file_passed_over(tmp_path):
    found = search(str(write(tmp_path, {"a/1.png": plain(), "b/1.png": plain(), "dataset.json": b"{}"})), None)
    assert (found.passed, [file.belongs_to[1] for file in found.files]) == ({".json": 1}, ["a", "b"])


def test_changed_labels_are_seen_where_images_are_cached(tmp_path, settled_files):
    names = [[name, number % 2] for number, name in enumerate(STYLEGAN)]
    root = labelled(tmp_path / "set", names)
    assert load(root, cache=tmp_path / "cache").labels.tolist() == [0, 1, 0, 1, 0]
    labelled(tmp_path / "set", [[name, number // 3] for number, name in enumerate(STYLEGAN)])
    assert load(root, cache=tmp_path / "cache").labels.tolist() == [0, 0, 0, 1, 1]
    assert load(root, cache=tmp_path / "cache").labels.tolist() == [0, 0, 0, 1, 1]


def windows(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo("name")
            entry.filename = name.replace("/", "\\")
            archive.writestr(entry, content)
    return path


def test_an_archive_with_backslashes_is_read_as_one_with_slashes(tmp_path, capsys):
    files = {
        "set/": b"",
        "set/train/cat/1.png": plain(RED),
        "set/train/dog/": b"",
        "set/train/dog/2.png": plain(BLUE),
        "set/val/3.png": plain(),
        "__MACOSX/set/train/cat/._1.png": b"",
        "set/train/notes.txt": b"",
    }
    slashes, backslashes = pack(tmp_path / "a.zip", files), windows(tmp_path / "b.zip", files)
    for subfolder in (None, "set/train"):
        expected, store = load(slashes, subfolder), load(backslashes, subfolder)
        assert store.fingerprint == expected.fingerprint
        assert (store.classes, store.skipped) == (expected.classes, 0)
    assert store.classes == ("cat", "dog")
    assert "passed over 1 .txt" in capsys.readouterr().out


def run_folder(place: Path) -> None:
    write(place, {"config.yaml": b"name: x", "run.json": b"{}", "samples/step-1.png": plain(), "run.log": b""})
    write(place, {"checkpoints/step-00000001.safetensors": b"x"})


def names_in(found: FoundImages, root: Path) -> list[str]:
    return [os.path.relpath(file.name, root) for file in found.files]


@pytest.mark.parametrize("packed", [False, True])
def test_runs_and_the_outputs_that_holds_them_are_left_out_and_counted(tmp_path, packed):
    root = write(tmp_path / "pics", {"a.png": plain(), "sub/b.png": plain()})
    for place in ("outputs/one", "outputs/sweep/0", "elsewhere/mine"):
        run_folder(root / place)
    write(root, {"outputs/grid.png": plain(), "elsewhere/c.png": plain()})
    whole = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    place = pack(tmp_path / "pics.zip", whole) if packed else root
    found = search(str(place), None)
    assert names_in(found, place) == ["a.png", "elsewhere/c.png", "sub/b.png"]
    assert (found.runs, found.passed) == (3, {})
    assert found.left_out == "3 runs of ganctl and their samples"


def test_a_run_before_its_first_checkpoint_is_left_out(tmp_path):
    write(tmp_path, {"a.png": plain(), "r/config.yaml": b"", "r/metrics.jsonl": b"", "r/samples/1.png": plain()})
    assert names_in(search(str(tmp_path), None), tmp_path) == ["a.png"]


def test_what_only_looks_like_a_run_is_data(tmp_path):
    files = {
        "outputs/a.png": plain(),
        "b/config.yaml": b"",
        "b/1.png": plain(),
        "c/run.json": b"",
        "c/2.png": plain(),
    }
    found = search(str(write(tmp_path, files)), None)
    assert (len(found.files), found.runs, found.passed) == (3, 0, {".yaml": 1, ".json": 1})


def test_samples_of_a_run_are_read_where_they_are_named(tmp_path):
    run_folder(tmp_path / "outputs/one")
    assert len(search(str(tmp_path / "outputs/one/samples"), None).files) == 1
    assert len(search(str(tmp_path), "outputs/one").files) == 1


def test_a_folder_of_runs_alone_is_refused_with_their_number(tmp_path):
    run_folder(tmp_path / "outputs/one")
    with pytest.raises(DataError, match=r"holds no images .*; left out: 1 run of ganctl and its samples$"):
        search(str(tmp_path), None)


def test_a_set_beside_its_own_runs_is_the_same_set_when_training_goes_on(workspace: Path, cli: Cli) -> None:
    write(workspace, {f"{number}.png": plain((number, 0, 0)) for number in range(6)})
    words = ["data=folder", "data.path=.", "data.resolution=8", *SMALL, "sample.every=1"]
    assert cli("train", *words, "train.steps=2", "name=first").code == 0
    assert list(workspace.glob("outputs/first/samples/*.png"))
    again = cli("resume", "outputs/first", "train.steps=3")
    assert again.code == 0, again.err
    assert "data.path: left out 1 run of ganctl and its samples\n" in again.out
    assert "left out  1 run of ganctl" in cli("data", "info", "path=.").out


def test_check_info_and_prepare_tell_what_folders_are_taken_for(workspace: Path, cli: Cli) -> None:
    write(workspace / "set", {"train/1.png": plain(), "val/1.png": plain(), "a.heics.txt": b"", "b.TXT": b""})
    remark = "train/ and val/ are merged into one set; take one of them by subfolder=train\n"
    for action in ("check", "info", "prepare"):
        outcome = cli("data", action, "path=set")
        assert (outcome.code, outcome.err) == (0, "")
        assert remark in outcome.out
        assert "passed over" in outcome.out
        assert "2 .txt\n" in outcome.out
    trained = cli("train", "data=folder", "data.path=set", "data.resolution=8", *SMALL, "train.steps=1")
    assert f"data.path: {remark.replace('subfolder', 'data.subfolder')}" in trained.out
    assert trained.out.count("data.path: passed over 2 .txt\n") == 1
