"""scripts/tables/few: runs on few images, each measured against held-out ones and those it saw."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl import rules
from ganctl.config import train_config
from scripts.tables import few, few_judge, few_page, judge, results
from scripts.tables.few import ROWS, SOURCE, Row, Work
from scripts.tables.report import page_of, with_section
from scripts.tables.runs import composed
from tests.scripts.here import Here, briefly

ROOT = Path(__file__).parents[2]
NARROW = ("model.generator.width=2", "model.discriminator.width=2")
TINY = ("model=dcgan", *NARROW, "train.batch_size=4", "device=cpu")


@pytest.fixture
def cifar(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a small folder of images laid out as CIFAR-10's; the page is empty, the classifier taught briefly."""
    random = np.random.default_rng(0)
    for split, count in (("train", 24), ("test", 40)):
        for label in ("horse", "ship"):
            (workspace / "cifar" / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(workspace / "cifar" / split / label / f"{number:04d}.png")
    (workspace / "docs/results").mkdir(parents=True)
    (workspace / page_of(few.NAME)).write_text("# Few\n\n<!-- table: few -->\n<!-- end -->\n")
    monkeypatch.setattr(judge, "composed", briefly)
    monkeypatch.setattr(few_judge, "composed", briefly)
    monkeypatch.setattr(few, "IMAGES", 20)
    few_judge.extractor.cache_clear()
    return workspace / "cifar"


def test_a_row_is_trained_on_the_first_images_and_measured(
    cifar: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--cifar", str(cifar), "--num", "40", "--seeds", "1", "--jobs", "1"]
    launcher = Here(train=("train.steps=2",))
    assert few.main(arguments, launcher, [Row("tiny", "tiny", TINY)]) == 0, capsys.readouterr().out
    assert sorted(path.name for path in few.PICTURES.iterdir()) == [f"{number:04d}.png" for number in range(20)]
    (run,) = results.read(few.NAME)
    assert set(run["numbers"]) == {"fid", "distance", "distance_real", "distance_ratio", "copies"}
    assert "| tiny |" in page_of(few.NAME).read_text()
    assert few_judge.extractor.cache_info().currsize == 1


def test_copies_of_the_training_images_are_found(cifar: Path) -> None:
    few.copy_pictures(cifar)
    seen, held_out = few_judge.folder(few.PICTURES).load(), few_judge.folder(cifar, "test/horse").load()
    by = few_judge.extractor(cifar)
    found = few_judge.compared(seen.samples[:], seen, held_out, by)["nearest_neighbour"]
    assert found["distance_ratio"] == 0
    assert found["copies"] == 1
    others = few_judge.compared(held_out.samples[:], seen, held_out, by)
    assert others["fid"]["fid"] == pytest.approx(0, abs=1e-6)
    assert others["nearest_neighbour"]["copies"] < 1


@pytest.mark.parametrize("row", [SOURCE, *ROWS], ids=lambda row: row.key)
def test_the_words_of_every_row_of_few_images_mean_a_config(row: Row) -> None:
    config = train_config(composed(Work(row, 0, 5, 10, "cifar10-jpg.zip").train()))
    rules.check(config)
    assert config.data.name == "folder"


def test_the_page_of_few_images_is_what_the_results_generate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = page_of(few.NAME).read_text()
    section = few_page.section(ROWS, results.read(few.NAME))
    assert with_section(page, few.NAME, section) == page, "scripts/tables/few --report"
