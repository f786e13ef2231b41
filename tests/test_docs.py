"""Every example in README and docs runs, and says what the page shows.

Blocks of `sh` are run line by line in one workspace a page, with small networks and a hundredth of the steps;
blocks of `console` must answer exactly what is printed below each `$ ganctl …`; blocks of `python` are executed,
those of a page as one program.
"""

import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.cli import main

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
SMALL = {
    "conv1d": ["model.generator.width=2", "model.discriminator.width=2"],
    "dcgan": ["model.generator.width=2", "model.discriminator.width=2"],
    "mlp": ["model.generator.hidden=[4]", "model.discriminator.hidden=[4]"],
    "resnet": ["model.generator.width=2", "model.discriminator.width=2"],
    "stylegan2": ["model.generator.width=2", "model.discriminator.width=2"],
    "r3gan": ["model.generator.widths=[8]", "model.discriminator.widths=[8]"],
    "biggan": ["model.generator.width=2", "model.discriminator.width=2"],
    "unet": ["model.generator.width=2", "model.discriminator.width=2"],
}

TORCHRUN = "torchrun --nproc-per-node=2 -m "
"""What starts two processes that train one run."""

EXECUTED = {"README.md", "export.md", "python.md", "runs.md"}
"""Pages whose blocks of Python are one program."""

JUDGE = ("features.steps=2", "features.width=2", "features.colour=null")
"""Words by which a classifier is taught in no time."""

QUICK = ", ".join(f'"{word}"' for word in ("train.steps=3", "train.batch_size=4", *SMALL["dcgan"]))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^ *```{language}\n(.*?)^ *```$", page.read_text(), re.DOTALL | re.MULTILINE)


def shrunk(line: str) -> list[str]:
    line = re.sub(r"train\.steps=(\d+)", lambda match: f"train.steps={max(1, int(match[1]) // 100)}", line)
    line = re.sub(r"step-(\d{8})", lambda match: f"step-{int(match[1]) // 100:08d}", line)
    words = shlex.split(line, comments=True)[1:]
    if words[:1] in (["evaluate"], ["map"]):
        few = [] if "metric/features=raw" in words else [*JUDGE]
        few += ["metric.cas.steps=2"] if "metric=[cas]" in words else []
        return [*words, "num=60", *few]
    if words[:1] == ["neighbours"]:
        return [*words, *JUDGE]
    if words[:1] == ["project"]:
        return [*words, "steps=2", "candidates=8"]
    if words[:1] == ["anomaly"]:
        return [*words, "encoder.steps=2", "search.candidates=8"]
    if words[:1] != ["train"] or "--help" in words or "--cfg" in words:
        return words
    model = next((word.removeprefix("model=") for word in words if word.startswith("model=")), None)
    model = model or model_of_experiment(words) or "dcgan"
    steps = [] if any(word.startswith("train.steps=") for word in words) else ["train.steps=2"]
    evaluating = any(word.startswith("evaluate.every=") for word in words)
    few = [*JUDGE, "evaluate.num=60"] if evaluating else []
    return [*words, *SMALL[model], "train.batch_size=4", "device.precision=fp32", *steps, *few]


def model_of_experiment(words: list[str]) -> str | None:
    for word in words:
        if word.startswith("experiment="):
            recipe = (ROOT / f"configs/experiment/{word.removeprefix('experiment=')}.yaml").read_text()
            return next(iter(re.findall(r"override /model: (\w+)", recipe)), None)
    return None


def write_idx(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    head = bytes([0, 0, 8, values.ndim]) + b"".join(size.to_bytes(4, "big") for size in values.shape)
    path.write_bytes(head + values.astype(np.uint8).tobytes())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a workspace with what the examples read: a folder and a zip of pictures, and MNIST's files."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("ganctl.page.server.serve", lambda *_: None)  # which would go on until Ctrl-C
    numbers = np.random.default_rng(0)
    (tmp_path / "pictures/cats").mkdir(parents=True)
    for number in range(8):
        pixels = numbers.integers(0, 256, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"pictures/cats/{number}.png")
    (tmp_path / "flowers").mkdir()
    for number in range(10):
        pixels = numbers.integers(0, 256, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"flowers/{number}.png")
    labels = "".join(f"{number}.png,{'rose' if number < 8 else 'tulip'}\n" for number in range(10))
    (tmp_path / "flowers/labels.csv").write_text("file,label\n" + labels)
    with zipfile.ZipFile(tmp_path / "pictures.zip", "w") as archive:
        for path in (tmp_path / "pictures").rglob("*.png"):
            archive.write(path, path.relative_to(tmp_path / "pictures"))
    with zipfile.ZipFile(tmp_path / "cifar10-jpg.zip", "w") as archive:
        for path in (tmp_path / "pictures").rglob("*.png"):
            archive.write(path, f"train/cat/{path.name}")
    pixels = numbers.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    np.save(tmp_path / "pictures.npy", pixels)
    np.save(tmp_path / "labels.npy", np.arange(20) % 4)
    np.savetxt(tmp_path / "walks.csv", numbers.standard_normal((20, 16)).cumsum(1) / 3, delimiter=",")
    np.savez(tmp_path / "numbers.npz", x_train=numbers.standard_normal((20, 8, 8)), y_train=np.arange(20) % 4)
    for root in ("data", "datasets"):
        raw = tmp_path / root / "MNIST/raw"
        for part in ("train", "t10k"):
            write_idx(raw / f"{part}-images-idx3-ubyte", numbers.integers(0, 256, (16, 28, 28)))
            write_idx(raw / f"{part}-labels-idx1-ubyte", numbers.integers(0, 10, 16))
    return tmp_path


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "sh|python")], ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = [line for block in blocks(page, "sh") for line in block.splitlines()]
    for line in (line for line in lines if line.startswith(TORCHRUN)):
        words = shrunk(line.removeprefix(TORCHRUN))
        launched = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "-m", "ganctl", *words]
        done = subprocess.run(launched, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (line, done.stderr)
        assert "\ndone: " in done.stdout
    for line in (line for line in lines if line.startswith("ganctl ")):
        code = main(shrunk(line))
        assert code == 0, (line, capsys.readouterr().err)
    names: dict[str, object] = {}
    for block in blocks(page, "python") if page.name in EXECUTED else ():
        quick = re.sub(r'"train\.steps=\d+"', QUICK, block.replace("step-00000400", "step-00000004"))
        exec(compile(quick, str(page), "exec"), names)


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")], ids=lambda page: page.name)
def test_the_answers_on_a_page_are_the_answers(
    page: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks(page, "console"):
        for command, expected in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            if command.startswith("ganctl "):
                main(shlex.split(command)[1:])
                captured = capsys.readouterr()
                assert captured.out + captured.err == expected


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_pictures_exist(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert target.startswith("https://") or (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_scripts_and_tests_that_a_page_names_exist(page: Path) -> None:
    for path in re.findall(r"\b(?:scripts|tests)/[\w./]*\w", page.read_text()):
        assert (ROOT / path).exists(), path


def test_the_page_on_performance_is_short() -> None:
    assert len((ROOT / "docs/performance.md").read_text().split()) <= 1000
