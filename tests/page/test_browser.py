"""The page in a browser: what is chosen is drawn, by mouse and by keyboard, wide and narrow, light and dark."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ganctl.cli import main
from scripts.soaks.configs import small_words
from tests.page.chromium import needs_chromium, observed, sync_api

pytestmark = needs_chromium

CPU = ["device=cpu", "device.precision=fp32"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a conditional run of a step, `labelled`."""
    folder = tmp_path_factory.mktemp("browser")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        words = small_words("train.steps=1", "model.conditional=true", "name=labelled", model="dcgan")
        assert main(["train", *words]) == 0
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Serve that run; return the page's address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ganctl", "demo", "labelled", *CPU],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with process:
        assert process.stdout is not None
        yield process.stdout.readline().rstrip().rpartition(" ")[2]
        process.kill()


@pytest.fixture
def page(browser: "sync_api.Browser", address: str) -> Iterator["sync_api.Page"]:
    """Open the page; nothing may go wrong in it, and nothing be asked of another place."""
    with observed(browser) as (page, seen):
        page.goto(address)
        expect(page, "seeds=0-15")
        yield page
        assert [text for text in seen.wrong if "400 (Bad Request)" not in text] == []
        origin = address.partition("/?")[0]
        assert all(url.startswith((f"{origin}/", "data:")) for url in seen.asked)


def expect(page: "sync_api.Page", *words: str) -> None:
    """Wait until the page tells a command line that ends with these words."""
    sync_api.expect(page.locator("#command")).to_have_text(re.compile(re.escape(" ".join(words)) + "$"))


def test_what_is_chosen_is_drawn(page: "sync_api.Page") -> None:
    assert page.locator("#run").inner_text() == "labelled"
    images = page.locator("#samples img")
    assert images.count() == 16
    assert images.nth(11).get_attribute("alt") == "seed 11, class 1"
    before = images.nth(0).get_attribute("src")
    page.get_by_label("Seed", exact=True).fill("40")
    expect(page, "seeds=40-55")
    assert images.nth(0).get_attribute("src") != before
    page.get_by_label("Samples", exact=True).last.fill("4")
    expect(page, "seeds=40-43")
    assert images.count() == 4
    page.get_by_label("Class").select_option("3")
    page.locator("#truncate").check()
    page.get_by_label("Truncation").last.fill("0.5")
    page.get_by_label("Direction").select_option("2")
    page.get_by_label("Strength").fill("-1.5")
    expect(page, "seeds=40-43 class=3 truncation=0.5 direction=2 strength=-1.5")
    page.get_by_label("Method").select_option("pca")
    expect(page, "strength=-1.5 method=pca")
    page.get_by_label("Class").select_option("all")
    expect(page, "seeds=40-43 class=all truncation=0.5 direction=2 strength=-1.5 method=pca")
    assert images.count() == 40
    page.get_by_role("button", name="Another seed").click()
    sync_api.expect(page.locator("#command")).not_to_have_text(re.compile("seeds=40-43"))


def test_what_is_downloaded_is_what_the_command_line_writes(
    page: "sync_api.Page", folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with page.expect_download() as download:
        page.get_by_role("link", name="Download PNG").click()
    monkeypatch.chdir(folder)
    download.value.save_as("page.png")
    assert download.value.suggested_filename == "labelled-samples-seeds-0-15.png"
    words = shlex.split(page.locator("#command").inner_text())
    assert main([*words[1:], "out=command.png"]) == 0
    assert Path("page.png").read_bytes() == Path("command.png").read_bytes()


def test_a_mistake_is_shown_and_what_was_drawn_stays(page: "sync_api.Page") -> None:
    page.route("**/samples?*", lambda route: route.fulfill(status=400, json={"error": "seed: wrong"}))
    page.get_by_role("button", name="Another seed").click()
    sync_api.expect(page.get_by_role("alert")).to_have_text("seed: wrong")
    assert page.locator("#samples img").count() == 16
    page.unroute("**/samples?*")
    page.get_by_role("button", name="Another seed").click()
    sync_api.expect(page.get_by_role("alert")).to_have_count(0)


def test_a_path_begins_where_a_sample_is_enlarged(page: "sync_api.Page") -> None:
    page.locator("#samples button").nth(12).focus()
    page.keyboard.press("Enter")
    sync_api.expect(page.get_by_role("dialog")).to_contain_text("seed 12, class 2")
    page.get_by_role("button", name="Path from here").click()
    expect(page, "ganctl interpolate labelled device=cpu device.precision=fp32 seeds=12,1 steps=24 class=2")
    assert not page.locator("#samples").is_visible()
    frame, position = page.locator("#frame"), page.get_by_label("Position on the path")
    sync_api.expect(frame).to_have_attribute("alt", "frame 1 of 26, from seed 12 to seed 1")
    first = frame.get_attribute("src")
    position.focus()
    page.keyboard.press("End")
    sync_api.expect(frame).to_have_attribute("alt", "frame 26 of 26, from seed 12 to seed 1")
    assert frame.get_attribute("src") != first
    page.get_by_role("button", name="Play").click()
    sync_api.expect(position).to_have_value(re.compile("^1?[0-9]$"))
    page.get_by_role("button", name="Pause").click()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_the_colours_that_are_preferred(page: "sync_api.Page", scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
    assert light == (scheme == "light")


def test_every_field_has_a_name_and_is_reached_by_the_keyboard(page: "sync_api.Page") -> None:
    fields = page.locator("input:visible, select:visible, button:visible, a:visible")
    names = fields.evaluate_all(
        "all => all.map(each => each.labels?.[0]?.innerText || each.ariaLabel || each.innerText || "
        "each.querySelector('img')?.alt)"
    )
    assert len(names) > 20
    assert all(names)
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id"))
    assert {"seed", "another", "num", "class", "truncate", "direction", "download", "copy"} <= reached


def test_without_the_token_there_is_no_page(browser: "sync_api.Browser", address: str) -> None:
    page = browser.new_page()
    answer = page.goto(address.partition("?")[0])
    assert answer is not None
    assert answer.status == 403
    page.close()
