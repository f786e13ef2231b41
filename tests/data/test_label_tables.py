"""Classes from `labels.csv`: what is understood, what is told, what is refused."""

import json
from pathlib import Path

import pytest

from ganctl.data.decoding import files as finding
from ganctl.data.decoding.decode import Decoding
from ganctl.data.decoding.files import search
from ganctl.data.sources import image_folder as folder
from ganctl.data.store import MappedStore, Store
from ganctl.errors import DataError
from tests.conftest import Cli
from tests.data.drawn import pack, plain, write

NAMES = ["a.png", "b.png", "in/c.png", "in/d.png"]
IMAGES = {name: plain((40 * number, 0, 0)) for number, name in enumerate(NAMES)}


def load(path: Path, cache: Path | None = None) -> Store:
    return folder.load(str(path), None, Decoding(8, 3, "crop"), 0.0, 1, cache and str(cache))


def labelled(root: Path, table: str | bytes, name: str = "labels.csv", inner: str = "") -> Path:
    content = table if isinstance(table, bytes) else table.encode()
    return write(root, {inner + each: image for each, image in (IMAGES | {name: content}).items()})


def csv(*labels: str, head: str = "", end: str = "\n") -> str:
    return head + "".join(f"{name},{label}{end}" for name, label in zip(NAMES, labels, strict=True))


def refusal(root: Path) -> str:
    with pytest.raises(DataError) as refused:
        load(root)
    assert "\n" not in str(refused.value)
    return str(refused.value).replace(str(root), "set")


PLAIN = csv("dog", "cat", "cat", "dog")
ALIKE = {
    "plain": PLAIN,
    "header": csv("dog", "cat", "cat", "dog", head="file,label\n"),
    "another header": csv("dog", "cat", "cat", "dog", head="filename, class\n"),
    "windows": csv("dog", "cat", "cat", "dog", head="file,label\r\n", end="\r\n"),
    "mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "quoted": csv('"dog"', '"cat"', '"cat"', '"dog"').replace("a.png", '"a.png"'),
    "backslashes": PLAIN.replace("/", "\\"),
    "dots and blanks": "".join(f" ./{line}  \n\n,\n" for line in PLAIN.split()),
    "twice the same": PLAIN + PLAIN,
    "without a last line end": PLAIN.rstrip("\n"),
}


@pytest.mark.parametrize("kind", ALIKE)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("inner", ["", "set/"])
def test_labels_of_a_table_are_the_classes(tmp_path, kind, packed, inner, capsys):
    root = labelled(tmp_path / "set", ALIKE[kind], inner=inner)
    whole = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    place = pack(tmp_path / "set.zip", whole) if packed else root
    store = load(place)
    assert (store.classes, store.labels.tolist(), store.without_labels) == (("cat", "dog"), [1, 0, 0, 1], "")
    assert store.samples[:, 0, 0, 0].tolist() == [0, 40, 80, 120]
    assert capsys.readouterr().out.startswith("data.path: classes are the labels of labels.csv\n")
    assert search(str(place), None).passed == {}


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (("10", "9", "2", "10"), ("2", "9", "10")),
        (("10", "9", "2", "x"), ("10", "2", "9", "x")),
        (("007", "7", "7", "1"), ("1", "007", "7")),
        (("9" * 5000, "1", "1", "1"), ("1", "9" * 5000)),
        (("-1", "1", "0", "0"), ("-1", "0", "1")),
        (("Äpfel", "猫", "zebra", "🐈"), ("zebra", "Äpfel", "猫", "🐈")),
        (('"a, b"', '"a ""b"" c"', "c", "c"), ('a "b" c', "a, b", "c")),
    ],
)
def test_numbers_are_sorted_as_numbers_and_all_else_as_text(tmp_path, labels, classes):
    store = load(labelled(tmp_path / "set", csv(*labels)))
    assert store.classes == classes
    names = [label.strip('"').replace('""', '"') for label in labels]
    assert [store.classes[label] for label in store.labels.tolist()] == names


def test_a_thousand_classes_of_one_image_each_keep_the_order_of_their_numbers(tmp_path):
    names = [f"{number:04d}.png" for number in range(1000)]
    table = "".join(f"{name},{999 - number}\n" for number, name in enumerate(names))
    root = write(tmp_path, dict.fromkeys(names, plain()) | {"labels.csv": table.encode()})
    store = load(root)
    assert store.classes == tuple(map(str, range(1000)))
    assert store.labels.tolist() == list(range(999, -1, -1))


def test_a_table_takes_precedence_over_subfolders_and_stylegans_over_it(tmp_path):
    root = labelled(tmp_path / "set", csv("x", "x", "y", "x"))
    assert load(root).classes == ("x", "y")
    write(root, {"dataset.json": json.dumps({"labels": [[name, NAMES.index(name)] for name in NAMES]}).encode()})
    assert load(root).classes == ("0", "1", "2", "3")
    write(root, {"dataset.json": b"{}"})
    assert load(root).classes == ("x", "y")


def test_labels_of_files_that_are_not_there_are_told(tmp_path, capsys):
    root = labelled(tmp_path / "set", PLAIN + "z.png,cat\ny.png,eel\n")
    assert load(root).classes == ("cat", "dog")
    told = f"data.path: {root}/labels.csv labels 2 files not found there, the first y.png\n"
    assert told in capsys.readouterr().out


@pytest.mark.parametrize(
    ("table", "told"),
    [
        (csv("a", "a", "b", "b")[:-11], " has no label for 1 of 4 images, the first is in/d.png; add them, or"),
        ("id,breed\na,cat\nb,dog\n", " has no label for 4 of 4 images, the first is a.png, while it names a; add"),
        ("", " has no label for 4 of 4 images, the first is a.png; add them, or move it elsewhere"),
        (PLAIN + "a.png,cat\n", " gives a.png two labels, dog and cat; leave one of them"),
        (PLAIN + "./a.png,cat\n", " gives a.png two labels, dog and cat; leave one of them"),
        (PLAIN + "a.png,dog,cat\n", ", line 5: must be a file and its one label, parted by a comma"),
        (PLAIN + "a.png,\n", ", line 5: must be a file and its one label"),
        (PLAIN.replace(",", ";"), ", line 1: must be a file and its one label, parted by a comma"),
        (PLAIN.encode("utf-16"), " is not CSV in UTF-8 ("),
        ("a.png,Äpfel".encode("latin-1"), " is not CSV in UTF-8 ("),
        ('a.png,"cat', " is not CSV in UTF-8 (unexpected end of data); mend it, or move it elsewhere"),
        ('a.png,"c"at', " is not CSV in UTF-8 ("),
        ("a.png," + "x" * 200_000, " is not CSV in UTF-8 (field larger than field limit"),
    ],
)
def test_a_table_that_cannot_be_used_is_one_line(tmp_path, table, told):
    assert refusal(labelled(tmp_path / "set", table)).startswith(f"data.path: set/labels.csv{told}")


def test_a_dataset_json_with_two_labels_for_an_image_is_refused_too(tmp_path):
    table = {"labels": [[name, 1] for name in NAMES] + [["b.png", 2]]}
    root = labelled(tmp_path / "set", json.dumps(table), "dataset.json")
    assert refusal(root) == "data.path: set/dataset.json gives b.png two labels, 1 and 2; leave one of them"


def test_a_table_of_any_size_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(finding, "MAX_LABELS_BYTES", 10)
    assert refusal(labelled(tmp_path / "set", PLAIN)).startswith("data.path: set/labels.csv cannot be read (")


LISTS = json.dumps({"labels": [[name, [0, 1]] for name in NAMES]})
NULL = json.dumps({"labels": None})
COLUMNS = "file,male,smiling\n" + "".join(f"{name},1,-1\n" for name in NAMES)
WITHOUT = {
    "several columns": (
        "labels.csv",
        COLUMNS,
        "labels.csv has 3 columns: several labels an image are no cla",
    ),
    "lists": ("dataset.json", LISTS, "dataset.json labels by lists of numbers, which are no classes and left out"),
    "null": ("dataset.json", NULL, "dataset.json says that there are no classes"),
    "one label": ("labels.csv", csv(*["x"] * 4), "labels.csv gives all images one label"),
}


@pytest.mark.parametrize("kind", WITHOUT)
def test_a_set_without_classes_says_why_also_where_it_is_cached(tmp_path, kind):
    name, table, reason = WITHOUT[kind]
    root = labelled(tmp_path / "set", table, name)
    for cache in (None, tmp_path / "cache", tmp_path / "cache"):
        store = load(root, cache)
        assert (store.labels, store.classes, isinstance(store, MappedStore)) == (None, (), cache is not None)
        assert store.without_labels.startswith(reason)


def test_a_folder_of_images_alone_says_what_could_name_classes(tmp_path):
    assert load(write(tmp_path, {"a.png": plain()})).without_labels == "no subfolders and no labels.csv name any"


def test_a_changed_table_is_seen_where_images_are_cached(tmp_path, settled_files):
    root = labelled(tmp_path / "set", PLAIN)
    assert load(root, tmp_path / "cache").labels.tolist() == [1, 0, 0, 1]
    labelled(root, csv("dog", "dog", "cat", "dog"))
    assert load(root, tmp_path / "cache").labels.tolist() == [1, 1, 0, 1]
    (root / "labels.csv").unlink()
    assert load(root, tmp_path / "cache").classes == ("", "in")


def test_training_on_balanced_classes_and_what_it_is_refused(workspace: Path, cli: Cli) -> None:
    words = [
        *("train", "data=folder", "data.path=set", "data.resolution=8", "data.balance=true", "train.steps=1"),
        *("model.generator.width=2", "model.discriminator.width=2", "train.batch_size=2", "sample.num=4"),
        *("device=cpu", "device.precision=fp32"),
    ]
    root = labelled(workspace / "set", COLUMNS)
    refused = cli(*words)
    assert refused.code == 2
    assert refused.err == (
        "ganctl: data.balance: the data has no classes (labels.csv has 3 columns: several labels an image are no "
        "classes, and left out); set it to false\n"
    )
    labelled(root, csv("dog", "cat", "cat", "cat"))
    trained = cli(*words)
    assert (trained.code, trained.err) == (0, "")
