"""scripts/tables/time_to_quality: FID over CPU seconds of ganctl's defaults and of loops beside it."""

import json
import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from ganctl import rules
from ganctl.config import train_config
from scripts.tables import few, plain_rows, quality, quality_judge, quality_page, results
from scripts.tables.launch import Ended
from scripts.tables.quality import Work
from scripts.tables.quality_rows import CIFAR, DIGITS, HORSES, ROWS, SETS, Places, Row
from scripts.tables.report import page_of, with_section
from scripts.tables.runs import composed
from tests.scripts.here import Here, briefly

ROOT = Path(__file__).parents[2]
NARROW = ("model.generator.width=2", "model.discriminator.width=2")
WORDS = ("model=dcgan", *NARROW, "train.batch_size=4", "device=cpu")
TINY = Row("tiny", "tiny", WORDS, "Narrow networks.", marks=(1, 2))


@pytest.fixture
def brief(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder with the page, and teach classifiers for two steps."""
    (workspace / "docs/results").mkdir(parents=True)
    (workspace / page_of(quality.NAME)).write_text("<!-- table: time_to_quality -->\n<!-- end -->\n")
    monkeypatch.setattr(quality_judge, "composed", briefly)
    quality_judge.comparison.cache_clear()
    quality_judge.baseline.cache_clear()
    return workspace


class InThisProcess:
    """Runs a plain loop in this process."""

    def __init__(self, code: int = 0) -> None:
        self.code = code

    def run(self, words: list[str]) -> Ended:
        if self.code == 0:
            asked = json.loads(words[0])
            found = plain_rows.points(asked, plain_rows.Clock(time.process_time()))
            Path(asked["out"]).write_text(json.dumps(found))
        return Ended(self.code, "it broke", 1.0)


def test_a_row_of_ganctl_and_a_loop_are_measured_and_entered(
    brief: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_rows, "WIDTH", 2)
    rows = [TINY, next(row for row in ROWS if row.key == "tutorial")]
    here = Here(train=("train.steps=2", "checkpoint.every=1", "checkpoint.keep_every=1"))
    words = ["--data", "digits", "--seeds", "1", "--seconds", "1", "--num", "200", "--jobs", "1"]
    assert quality.main(words, here, InThisProcess(), rows) == 0, capsys.readouterr().out
    ours, loop = sorted(results.read(quality.NAME), key=lambda run: run["row"])
    assert ours["row"] == "tiny"
    assert ours["points"][-1][1] == 2
    assert [mark for mark, _, _ in loop["points"]] == [pytest.approx(1, abs=0.9)]
    assert loop["points"][0][1] > 0
    assert all(run["points"][-1][2] > run["floor"] > 0 for run in (ours, loop))
    assert "| tiny |" in page_of(quality.NAME).read_text()
    here.ran.clear()
    assert quality.main(words, here, InThisProcess(1), rows) == 0, "what is in is not trained again"
    assert here.ran == []


def test_a_loop_that_breaks_is_told_and_the_table_is_not_complete(
    brief: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--data", "digits", "--rows", "tutorial", "--seeds", "1"]
    assert quality.main(words, Here(), InThisProcess(1)) == 1
    assert "FAILED, exit code 1: it broke" in capsys.readouterr().out


def test_the_clock_of_a_loop_leaves_out_what_is_measured() -> None:
    clock = plain_rows.Clock(time.process_time())
    with clock.stopped():
        before = time.process_time()
        while time.process_time() - before < 0.2:
            pass
    assert clock.seconds < 0.1


def test_samples_of_64_pixels_are_halved_and_images_enlarged() -> None:
    class Halves(nn.Module):
        def forward(self, latents: torch.Tensor) -> torch.Tensor:
            columns = torch.ones(64)
            columns[::2] = -1
            return columns.expand(len(latents), 1, 64, 64)

    samples = plain_rows.drawn(Halves(), 3)
    assert samples.shape == (3, 32, 32, 1)
    assert samples.eq(128).all()
    image = torch.arange(32, dtype=torch.uint8).view(1, 1, 32, 1).expand(1, 32, 32, 1)
    larger = plain_rows.enlarged(image, 64)
    assert larger.shape == (1, 64, 64, 1)
    assert larger.float().mean() == pytest.approx(image.float().mean(), abs=0.5)


def test_real_horses_are_nearer_to_held_out_ones_than_noise(brief: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    for split, count in (("train", 170), ("test", 170)):
        for label, low in (("horse", 150), ("ship", 0)):
            (brief / "cifar" / split / label).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(low, low + 100, (32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(brief / "cifar" / split / label / f"{number:04d}.png")
    monkeypatch.setattr(few, "IMAGES", 165)
    few.copy_pictures(brief / "cifar")
    places = Places(None, str(brief / "cifar"), str(few.PICTURES))
    floor = quality_judge.baseline(HORSES, places, 165)
    noise = torch.randint(0, 256, (170, 32, 32, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert 0 < floor < quality_judge.fid(HORSES, places, noise)


@pytest.mark.parametrize("images", SETS, ids=lambda images: images.key)
@pytest.mark.parametrize("row", [row for row in ROWS if row.words is not None], ids=lambda row: row.key)
def test_the_words_of_every_row_mean_a_config_of_32_pixels(row: Row, images: quality.Images) -> None:
    config = train_config(composed(Work(row, images, 0, 60, 100, Places()).train()))
    rules.check(config)
    assert config.data.name == {"digits": "digits", "mnist": "mnist"}.get(images.key, "folder")
    assert getattr(config.data, "resolution", None) == 32


def test_the_defaults_are_measured_without_a_word_that_changes_them() -> None:
    ours = next(row for row in ROWS if row.key == "ganctl")
    assert ours.words == ()
    words = Work(ours, DIGITS, 0, 60, 100, Places()).train()
    assert {word.partition("=")[0] for word in words[1:]} == {
        *("name", "data", "train.steps", "checkpoint.every", "checkpoint.keep_every", "device.threads", "seed")
    }


def test_settings_do_not_depend_on_seed_or_place() -> None:
    for row in ROWS[:2]:
        first = Work(row, CIFAR, 0, 60, 100, Places())
        assert first.settings == Work(row, CIFAR, 1, 60, 100, Places("a", "b", "c")).settings
        assert first.settings in first.name
        others = Work(row, CIFAR, 0, 61, 100, Places()), Work(row, CIFAR, 0, 60, 99, Places())
        assert first.settings not in {other.settings for other in others}


def test_settings_depend_on_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    def settings(row: Row) -> str:
        return Work(row, DIGITS, 0, 60, 100, Places()).settings

    ours, loop = (next(row for row in ROWS if row.key == key) for key in ("ganctl", "tutorial"))
    assert settings(ours) == settings(replace(ours, words=("optimizer.lr=4e-4",)))
    assert settings(ours) != settings(replace(ours, words=("optimizer.lr=1e-3",)))
    before = settings(loop)
    monkeypatch.setattr(plain_rows, "WIDTH", 2)
    assert settings(loop) != before


def test_a_mark_has_the_number_of_the_last_measurement_before_it() -> None:
    run = {"seconds": 90, "points": [[10.2, 100, 9.0], [31.5, 300, 4.0], [58.0, 600, 5.0], [180.0, 700, 6.0]]}
    assert [quality_page.at(run, mark) for mark in (5, 10, 30, 40, 60, 90)] == [None, 9.0, 4.0, 4.0, 5.0, 6.0]
    assert quality_page.reached(run, 4.5) == 31.5
    assert math.isinf(quality_page.reached(run, 3))


def test_a_span_of_times_is_told_in_whole_seconds_and_once_if_they_are_equal() -> None:
    runs = [{"points": [[seconds, 1, 3.0]]} for seconds in (9.2, 9.4)]
    late, never = {"points": [[12.0, 1, 3.0]]}, {"points": [[12.0, 1, 5.0]]}
    assert quality_page.soonest(runs, 4.0) == "9 s"
    assert quality_page.soonest([*runs, late], 4.0) == "9 s to 12 s"
    assert quality_page.soonest([*runs, never], 4.0) == "9 s to never"
    assert quality_page.soonest(runs, None) == "–"


def test_the_page_of_time_to_quality_is_what_the_results_generate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = page_of(quality.NAME).read_text()
    runs = results.read(quality.NAME)
    assert page == with_section(page, quality.NAME, quality_page.section(ROWS, runs))


def test_the_program_of_loops_is_that_of_the_module() -> None:
    assert (sys.executable, "-m", plain_rows.__name__) == quality.PLAIN
