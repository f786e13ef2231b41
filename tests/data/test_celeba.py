import os
from pathlib import Path

import pytest
import torchvision.datasets
from PIL import Image

from ganctl.data.sources import SOURCES
from ganctl.data.sources.celeba import SPLITS
from ganctl.data.store import Store
from ganctl.errors import DataError
from tests.conftest import Cli
from tests.data.drawn import encoded, pack, plain, write

NUMBERS = (1, 2, 162_770, 162_771, 182_637, 182_638, 202_599)


def face(number: int) -> bytes:
    return plain((number % 256, 0, 0), (178, 218))


def faces(prefix: str = "", numbers: tuple[int, ...] = NUMBERS) -> dict[str, bytes]:
    return {f"{prefix}{number:06d}.jpg": face(number) for number in numbers}


def celeba(
    root: Path, split: str = "all", *, download: bool = False, fit: str = "crop", bad: float = 0.0
) -> Store:
    values = {"root": str(root), "split": split, "download": download, "resolution": 16, "fit": fit}
    return SOURCES["celeba"](
        name="celeba", **values, max_bad_fraction=bad, workers=1, cache=f"{root}-cache"
    ).load()


def reds(store: Store) -> list[int]:
    return store.samples[:, 8, 8, 0].tolist()


def test_the_splits_are_the_authors():
    assert [len(SPLITS[name]) for name in ("train", "valid", "test", "all")] == [162_770, 19_867, 19_962, 202_599]
    parts = [number for name in ("train", "valid", "test") for number in SPLITS[name]]
    assert parts == list(SPLITS["all"])
    assert parts[0] == 1


@pytest.mark.parametrize(
    "place",
    [
        *(
            "celeba/img_align_celeba",
            "img_align_celeba",
            "",
            "celeba/img_align_celeba.zip",
            "img_align_celeba.zip",
        ),
        *("CelebA/Img/img_align_celeba", "CelebA/Img/img_align_celeba.zip", "Img/img_align_celeba.zip"),
        *("celeba/Img/img_align_celeba.zip", "CelebA/img_align_celeba", "img_align_celeba/img_align_celeba"),
    ],
)
def test_images_are_found_wherever_they_are_usually_put(tmp_path, place):
    if place.endswith(".zip"):
        (tmp_path / place).parent.mkdir(exist_ok=True, parents=True)
        pack(tmp_path / place, faces("img_align_celeba/"))
    else:
        write(tmp_path / place, faces())
    store = celeba(tmp_path)
    assert (store.space.shape, store.labels) == ((3, 16, 16), None)
    assert reds(store) == [number % 256 for number in NUMBERS]


@pytest.mark.parametrize("name", ["img_align_celeba.zip", "celeba/img_align_celeba"])
def test_what_would_block_a_reader_is_refused_in_one_line(tmp_path, name):
    (tmp_path / name).parent.mkdir(exist_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(DataError, match=r"^data\.root: .* is neither a folder nor a zip file$"):
        celeba(tmp_path)


@pytest.mark.parametrize("name", ["img_align_celeba.zip", "faces.zip"])
def test_the_zip_file_itself_may_be_named(tmp_path, name):
    assert len(celeba(pack(tmp_path / name, faces("img_align_celeba/")))) == 7


@pytest.mark.parametrize(
    ("split", "numbers"),
    [("train", NUMBERS[:3]), ("valid", NUMBERS[3:5]), ("test", NUMBERS[5:]), ("all", NUMBERS)],
)
def test_a_split_is_the_files_of_its_numbers(tmp_path, split, numbers, capsys):
    write(tmp_path, faces() | {"notes.jpg": face(9), "7.jpg": face(9), "202600.jpg": face(9)})
    assert reds(celeba(tmp_path, split)) == [number % 256 for number in numbers]
    told = f"{tmp_path} holds only {len(numbers)} of the {len(SPLITS[split]):,} images of data.split={split}\n"
    assert capsys.readouterr().out == told


def test_a_face_is_cropped_or_squashed(tmp_path):
    image = Image.new("RGB", (178, 218), "black")
    image.paste("white", (0, 20, 178, 198))
    write(tmp_path, {"000001.jpg": encoded(image, "JPEG", quality=95)})
    cropped, squashed = celeba(tmp_path), celeba(tmp_path, fit="squash")
    padded = celeba(tmp_path, fit="pad")
    assert (padded.samples[0, :, 0] == 0).all()
    assert (cropped.samples > 230).all()
    assert (squashed.samples[0, 0] < 128).all()
    assert (squashed.samples[0, 8] > 230).all()


def test_a_part_that_is_not_there_is_refused_with_the_names_of_its_files(tmp_path):
    write(tmp_path, faces(numbers=(1, 2)))
    with pytest.raises(DataError) as refused:
        celeba(tmp_path, "test")
    told = f"data.root: {tmp_path} holds no image of data.split=test, which are 182638.jpg to 202599.jpg"
    assert str(refused.value) == told


def test_a_face_that_does_not_decode_is_refused_or_counted(tmp_path):
    write(tmp_path, faces() | {"000002.jpg": b"no image"})
    with pytest.raises(DataError, match=r"^data\.root: 1 of 7 images .* do not decode, more than data.max_bad"):
        celeba(tmp_path)
    store = celeba(tmp_path, bad=0.2)
    assert (len(store), store.skipped) == (6, 1)


def test_a_zip_that_is_none_is_one_line(tmp_path):
    (tmp_path / "img_align_celeba.zip").write_bytes(b"<html>quota exceeded</html>")
    with pytest.raises(DataError, match=r"^data\.root: .*img_align_celeba.zip is neither a folder nor a zip file"):
        celeba(tmp_path)


def test_a_download_fetches_the_zip_alone_and_reads_it_unpacked_nowhere(tmp_path, monkeypatch):
    asked = []

    def fetch(number, root, name, md5):
        asked.append((number, name, md5))
        Path(root).mkdir()
        pack(Path(root) / name, faces("img_align_celeba/"))

    monkeypatch.setattr(torchvision.datasets.utils, "download_file_from_google_drive", fetch)
    assert len(celeba(tmp_path, download=True)) == 7
    assert asked == [("0B7EVK8r0v71pZjFTYXZWM3FlRnM", "img_align_celeba.zip", "00d2c5bc6d35e252742224ab0c1e8fcb")]
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == [
        "celeba",
        "celeba/img_align_celeba.zip",
    ]
    assert len(celeba(tmp_path, download=True)) == 7
    assert len(asked) == 1


class FileURLRetrievalError(Exception):
    """What gdown raises, of no class that it shares with others."""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (FileURLRetrievalError("Too many users have viewed\nthis file"), "Too many users have viewed this file"),
        (RuntimeError("'gdown' is required. You can install it with 'pip install gdown'."), "pip install gdown"),
    ],
)
def test_a_refused_download_is_one_line_that_says_what_to_put_where(tmp_path, monkeypatch, error, reason):
    def refuse(number, root, name, md5):
        raise error

    monkeypatch.setattr(torchvision.datasets.utils, "download_file_from_google_drive", refuse)
    with pytest.raises(DataError) as refused:
        celeba(tmp_path, download=True)
    line = str(refused.value)
    assert line.startswith("data.root: CelebA could not be downloaded (")
    assert reason in line
    assert "put img_align_celeba.zip" in line
    assert line.endswith(f"into {tmp_path / 'celeba'}")
    assert "\n" not in line


def test_the_command_line_answers_with_one_line_and_3(workspace: Path, cli: Cli):
    outcome = cli("train", "data=celeba", "data.root=nowhere", "data.download=false")
    assert (outcome.code, outcome.err.count("\n")) == (3, 1)
    assert outcome.err.startswith("ganctl: data.root: no CelebA in nowhere; put img_align_celeba.zip")
