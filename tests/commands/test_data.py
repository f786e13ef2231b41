"""ganctl data: what it prints, what it leaves, and its one line for a mistake."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.data.decoding import parallel
from tests.conftest import Cli, contents
from tests.data.drawn import BLUE, GREEN, RED, encoded, pack, plain, write

WRONG = {
    "": (
        2,
        "data: needs an action first; there are `ganctl data prepare`, `ganctl data check`, `ganctl data info`",
    ),
    "path=set": (2, "data: needs an action first"),
    "chekc path=set": (2, "data: 'chekc': unknown action (did you mean 'check'?)"),
    "check": (2, "path: required, but not given; add path=…"),
    "check set": (2, "'set' is not of the form key=value"),
    "check pth=set": (2, "pth: unknown key (did you mean 'path'?); `ganctl data --cfg job` shows all"),
    "check path=set resolutoin=8": (2, "resolutoin: unknown key (did you mean 'resolution'?)"),
    "check path=set data.path=set": (2, "data.path: unknown key"),
    "check path=set train.steps=3": (2, "train.steps: unknown key here; it belongs to `ganctl train`"),
    "check path=set resolution=7": (2, "resolution: must be at least 8, not 7"),
    "check path=set fit=corp": (2, "fit: must be 'crop', 'squash' or 'pad', not 'corp'"),
    "check path=est": (3, "ganctl: path: est does not exist (did you mean 'set'?)"),
    "info path=est": (3, "ganctl: path: est does not exist"),
    "prepare path=est": (3, "ganctl: path: est does not exist"),
    "prepare path=set subfolder=dgo": (
        3,
        "ganctl: subfolder: there is no folder dgo in set (did you mean 'dog'?)",
    ),
    "prepare path=set cache=null": (2, "ganctl: cache: null keeps nothing"),
    "prepare path=set cache=file": (2, "ganctl: cache: file cannot be used (Not a directory)"),
    "check path=bad": (3, "ganctl: path: 1 of 3 images in bad do not decode, more than max_bad_fraction=0.05;"),
    "prepare path=bad": (
        3,
        "ganctl: path: 1 of 3 images in bad do not decode, more than max_bad_fraction=0.05;",
    ),
}


@pytest.fixture
def pictures(workspace: Path) -> Path:
    """A workspace with a good set, a bad one and a file."""
    write(workspace / "set", {"cat/1.png": plain(RED), "cat/2.png": plain(GREEN), "dog/3.png": plain(BLUE)})
    write(workspace / "bad", {"1.png": plain(RED), "2.png": b"", "3.png": plain(BLUE)})
    (workspace / "file").write_text("no folder")
    return workspace


@pytest.mark.parametrize("line", WRONG)
def test_a_mistake_is_one_line_that_names_the_key_as_it_was_typed(line: str, pictures: Path, cli: Cli) -> None:
    code, told = WRONG[line]
    before = contents(pictures)
    outcome = cli("data", *shlex.split(line))
    assert outcome.code == code, outcome.err
    assert re.fullmatch(r"ganctl: [^\n]+\n", outcome.err), outcome.err
    assert told in outcome.err
    assert contents(pictures) == before


def test_prepare_says_where_and_how_much_and_the_second_time_that_it_is_there(pictures: Path, cli: Cli) -> None:
    first = cli("data", "prepare", "path=set", "resolution=8", "cache=kept")
    assert (first.code, first.err) == (0, "")
    (entry,) = (path for path in (pictures / "kept/pictures").iterdir() if path.name[0] != ".")
    where = f"in {entry.relative_to(pictures)}\n"
    assert first.out.startswith(f"prepared: 3 images of 8×8×3 in 2 classes, 576 bytes\n{where}decoded 3 files in ")
    assert re.search(r"\d s \([\d,]+/s\)\n$", first.out)
    again = cli("data", "prepare", "path=set", "resolution=8", "cache=kept")
    assert again.out == f"already prepared: 3 images of 8×8×3 in 2 classes, 576 bytes\n{where}"


def test_prepare_notices_a_byte_that_changed(pictures: Path, cli: Cli) -> None:
    words = ["data", "prepare", "path=set", "resolution=8", "cache=kept"]
    assert cli(*words).code == 0
    (samples,) = (pictures / "kept").rglob("samples.npy")
    whole = samples.read_bytes()
    samples.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    again = cli(*words)
    assert (again.code, again.err) == (0, "")
    assert "is damaged (its content does not match its sha256); the images are decoded again\n" in again.out
    assert "\nprepared: 3 images" in again.out
    assert samples.read_bytes() == whole
    assert cli(*words).out.startswith("already prepared: ")


def test_training_takes_what_was_prepared(pictures: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    root = pack(pictures / "set.zip", {f"{number}.png": plain((number, 0, 0)) for number in range(5)})
    assert cli("data", "prepare", f"path={root}", "resolution=8").code == 0

    def never(*arguments: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(parallel, "examine", never)
    small = ["model.generator.width=2", "model.discriminator.width=2", "train.steps=1", "train.batch_size=2"]
    outcome = cli("train", "data=folder", f"data.path={root}", "data.resolution=8", *small, "device=cpu")
    assert (outcome.code, outcome.err) == (0, "")
    assert "only 5 images: the generator will learn so few by heart" in outcome.out


def test_check_tells_modes_sizes_classes_duplicates_and_what_is_corrupt(
    workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    grey = encoded(Image.new("L", (4, 30), 7))
    files = {
        "cat/1.png": plain(RED, (10, 8)),
        "cat/2.jpg": plain(RED, (10, 8)),
        "cat/3.png": grey,
        "dog/4.png": plain(BLUE, (20, 8)),
        "dog/5.png": b"",
        "dog/6.png": b"text",
    }
    write(workspace / "set", files)
    before = contents(workspace)
    outcome = cli("data", "check", "path=set", "resolution=8", "max_bad_fraction=0.5")
    assert (outcome.code, outcome.err) == (0, "")
    found, advice = outcome.out.split("\n\n")
    assert advice.startswith(
        "train  ganctl train data=folder data.path=set data.resolution=8 data.max_bad_fraction=0.5 "
    )
    assert "\n       model=dcgan: " in advice
    assert f"{found}\n" == (
        "images        4 of 6 decode, to 8×8×3\n"
        "modes         RGB 3, L 1\n"
        "shorter side  4 to 8 pixels, median 8\n"
        "sizes         10×8 2, 4×30 1, 20×8 1\n"
        "enlarged      1 whose shorter side is below 8\n"
        "classes       2: cat 3, dog 1\n"
        "duplicates    1 (of pixels, as decoded), the first cat/1.png = cat/2.jpg\n"
        "blank         4 of one single colour, the first cat/1.png\n"
        "corrupt       2\n"
        "              dog/5.png: zero bytes\n"
        "              dog/6.png: plain text\n"
    )
    assert contents(workspace) == before


@pytest.mark.parametrize("action", ["check", "info"])
def test_images_of_each_class_are_counted_and_balance_is_hinted_at(workspace: Path, cli: Cli, action: str) -> None:
    files = {f"cat/{number}.png": plain((number, 0, 0)) for number in range(7)}
    write(workspace / "set", files | {"dog/1.png": plain(BLUE), "dog/2.png": plain(RED)})
    outcome = cli("data", action, "path=set", "resolution=8")
    assert re.search(r"^classes +2: cat 7, dog 2$", outcome.out, re.MULTILINE)
    told = (
        "the largest class has 3.5 times the images of dog; data.balance=true trains on every class equally often"
    )
    assert re.search(rf"^balance +{re.escape(told)}$", outcome.out, re.MULTILINE)
    (workspace / "set/cat/6.png").unlink()
    assert "balance" not in cli("data", action, "path=set", "resolution=8").out


def test_of_many_classes_the_twenty_largest_are_listed(workspace: Path, cli: Cli) -> None:
    table = "".join(f"{number}.png,{number}\n" for number in range(23)) + "23.png,5\n"
    files = {f"{number}.png": plain((number, 0, 0)) for number in range(24)}
    write(workspace / "set", files | {"labels.csv": table.encode()})
    out = cli("data", "check", "path=set", "resolution=8").out
    assert "classes       23: 5 2, 0 1, 1 1, " in out
    assert ", 3 more\n" in out
    assert "note          classes are the labels of labels.csv\n" in out


def test_check_lists_twenty_corrupt_files_and_counts_the_others(workspace: Path, cli: Cli) -> None:
    write(workspace / "set", {f"{number:02}.png": b"" for number in range(25)})
    outcome = cli("data", "check", "path=set", "max_bad_fraction=1")
    assert outcome.code == 3
    assert "none of 25 images in set decodes" in outcome.err
    assert outcome.out.count("zero bytes") == 20
    assert outcome.out.endswith("19.png: zero bytes\n         and 5 more\n")


def test_a_corrupt_set_is_reported_in_full_before_it_is_refused(pictures: Path, cli: Cli) -> None:
    outcome = cli("data", "check", "path=bad", "resolution=8")
    assert outcome.code == 3
    assert "images        2 of 3 decode, to 8×8×3\n" in outcome.out
    assert "2.png: zero bytes\n" in outcome.out


def test_info_decodes_nothing_and_tells_what_there_is(
    pictures: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = pack(pictures / "set.zip", {"cat/1.png": plain(RED), "dog/2.png": plain(BLUE)})
    first = cli("data", "info", f"path={root}", "cache=kept")
    size = len(plain(RED)) + len(plain(BLUE))
    assert first.out == (
        f"path      {root} (zip file)\n"
        f"images    2, {size} bytes undecoded\n"
        "classes   2: cat 1, dog 1\n"
        "prepared  no, or the files have changed; `ganctl data prepare` sees to it, as does training\n"
    )
    assert not (pictures / "kept").exists()
    assert cli("data", "prepare", f"path={root}", "cache=kept", "resolution=8").code == 0
    monkeypatch.setattr(parallel, "read", None)
    second = cli("data", "info", f"path={root}", "cache=kept", "resolution=8")
    assert "prepared  2 images of 8×8×3 in 2 classes, 384 bytes, in kept/pictures/" in second.out
    assert "prepared  no" in cli("data", "info", f"path={root}", "cache=kept", "resolution=16").out
    assert "prepared  no, because cache=null" in cli("data", "info", f"path={root}", "cache=null").out


def test_in_a_terminal_the_findings_are_a_table(pictures: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setattr("ganctl.data.decoding.parallel.track", lambda results, total, what: results)
    name = "[red]\udcff.png"
    (pictures / "set" / name).write_bytes(b"")
    outcome = cli("data", "check", "path=set", "max_bad_fraction=1")
    assert (outcome.code, outcome.err) == (0, "")
    assert "│" in outcome.out
    assert "3 of 4 decode, to 32×32×3" in outcome.out
    assert r"[red]\udcff.png: zero bytes" in outcome.out


def test_help_lists_the_actions_and_the_keys_of_a_folder(workspace: Path, cli: Cli) -> None:
    for words in (["data", "--help"], ["data", "check", "--help"]):
        outcome = cli(*words)
        assert (outcome.code, outcome.err) == (0, "")
        for told in (
            "ganctl data prepare path=…",
            "ganctl data info path=…",
            "path: ???",
            "max_bad_fraction: 0.05",
        ):
            assert told in outcome.out
    assert contents(workspace) == {}


def test_sizes_of_many_kinds_are_told_by_the_most_frequent(workspace: Path, cli: Cli) -> None:
    sizes = [(8 + number, 9) for number in range(7) for _ in range(7 - number)]
    noise = np.random.default_rng(0)
    files = {
        f"{number}.png": encoded(Image.fromarray(noise.integers(0, 256, (height, width, 3), np.uint8)))
        for number, (width, height) in enumerate(sizes)
    }
    write(workspace / "set", files)
    outcome = cli("data", "check", "path=set")
    assert "sizes         8×9 7, 9×9 6, 10×9 5, 11×9 4, 12×9 3, 2 more\n" in outcome.out
    assert "duplicates    none (of pixels, as decoded)\n" in outcome.out
