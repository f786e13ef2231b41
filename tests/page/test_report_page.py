"""The page of `ganctl report`, opened as a file: sorted, hidden, moved through steps, without a request."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ganctl.cli import main
from tests.page.chromium import needs_chromium, observed, sync_api
from tests.written_runs import evaluation, row, written

pytestmark = needs_chromium

EVIL = "<img src=x onerror=alert(1)><a href='https:∕∕example.org'>x<b>"
"""A run's name that would load, run or lead to something, were it taken for HTML."""

NAMES = ["first", "second", "third", EVIL]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the report of four runs, of which two differ in their seed alone; scores fall as latents grow."""
    folder = tmp_path_factory.mktemp("report")
    numbers = np.random.default_rng(0)
    for place, (name, latent) in enumerate(zip(NAMES, (8, 64, 64, 16), strict=True)):
        run = written(folder / "outputs" / name, latent=latent, evaluations=[evaluation(10.0 - place)])
        config = (run / "config.yaml").read_text().replace(f"name: {name}", f"name: run-{place}")
        (run / "config.yaml").write_text(config.replace("seed: 0", f"seed: {place}"))
        lines = [row(step, **{"probability/real": 0.5, name: 1.0}) for step in range(1, 101)]
        lines.append(json.dumps({"step": 100, "evaluate/fid/fid": 3.0}) + "\n")
        (run / "metrics.jsonl").write_text("".join(lines))
        (run / "samples").mkdir()
        for step in (10, 20 + place):
            pixels = numbers.integers(0, 256, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(run / f"samples/step-{step:08}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert main(["report"]) == 0
    return folder / "outputs/report.html"


@pytest.fixture
def page(browser: "sync_api.Browser", report: Path) -> Iterator["sync_api.Page"]:
    """Open the report from the disk; nothing may go wrong in it, and nothing be asked for but itself."""
    with observed(browser) as (page, seen):
        page.goto(report.as_uri())
        page.wait_for_selector("body[data-ready]")
        yield page
        assert seen.wrong == []
        assert [url for url in seen.asked if not url.startswith("data:image/webp")] == [report.as_uri()]


def names(page: "sync_api.Page") -> list[str]:
    return page.locator("#runs tbody th").all_inner_texts()


def lines(page: "sync_api.Page", scalar: str) -> list[str]:
    """Return the runs whose curves a chart shows."""
    chart = page.locator(".chart").filter(has=page.get_by_role("heading", name=scalar, exact=True))
    chart.scroll_into_view_if_needed()
    sync_api.expect(chart.locator(".js-plotly-plot")).to_have_count(1)
    return list(chart.locator(".plot").evaluate("plot => plot.data.map(trace => trace.name)"))


def test_a_heading_sorts_its_column_up_and_down(page: "sync_api.Page") -> None:
    assert sorted(names(page)) == sorted(NAMES)
    scores = page.locator("#runs thead th").filter(has_text="fid (60, raw)")
    scores.get_by_role("button").click()
    assert names(page) == NAMES[::-1]
    assert scores.get_attribute("aria-sort") == "ascending"
    scores.get_by_role("button").press("Enter")
    assert names(page) == NAMES
    page.get_by_role("button", name="model.latent").click()
    assert [names(page)[0], names(page)[1]] == ["first", EVIL]
    assert page.locator("[aria-sort]").count() == 1


def test_a_run_that_is_hidden_is_hidden_everywhere(page: "sync_api.Page") -> None:
    legend = page.locator("#legend").get_by_role("button", name="second")
    assert "second" in lines(page, "loss/generator")
    assert page.locator("figure:visible").count() == 4
    legend.click()
    assert sorted(lines(page, "loss/generator")) == sorted(
        each.replace("<", "&lt;").replace(">", "&gt;") for each in NAMES if each != "second"
    )
    assert legend.get_attribute("aria-pressed") == "false"
    assert page.locator("figure:visible").count() == 3
    page.get_by_role("button", name="second is hidden").click()
    assert len(lines(page, "loss/generator")) == 4
    legend.dblclick()
    assert lines(page, "loss/generator") == ["second"]
    legend.dblclick()
    assert len(lines(page, "loss/generator")) == 4


def test_the_slider_moves_all_samples_to_a_step(page: "sync_api.Page") -> None:
    slider, told = page.get_by_role("slider", name="Step"), page.locator("#of-step")
    figures = page.locator("figure")
    figures.first.scroll_into_view_if_needed()
    sync_api.expect(told).to_have_text("23")
    before = figures.locator("img").evaluate_all("all => all.map(each => each.src)")
    slider.focus()
    page.keyboard.press("Home")
    sync_api.expect(told).to_have_text("10")
    assert all(text.endswith(", step 10") for text in figures.all_inner_texts())
    after = figures.locator("img").evaluate_all("all => all.map(each => each.src)")
    assert not set(before) & set(after)
    page.keyboard.press("ArrowRight")
    steps = {text.rpartition(" ")[2] for text in figures.all_inner_texts()}
    assert steps == {"10", "20"}
    figures.get_by_role("button").first.click()
    sync_api.expect(page.get_by_role("dialog")).to_contain_text("at step")
    page.get_by_role("button", name="Close").click()


def test_curves_are_found_zoomed_smoothed_and_averaged(page: "sync_api.Page") -> None:
    sections = page.locator("#charts summary").all_inner_texts()
    assert sections == ["Losses", "Probabilities and logits", "Scores while training", "Others", "System"]
    assert not page.get_by_role("heading", name="images_per_second").is_visible()
    page.get_by_label("mean of seeds").check()
    assert "model.latent=64" not in str(lines(page, "loss/generator"))
    assert any("(mean of 2)" in str(name) for name in lines(page, "loss/generator"))
    page.get_by_label("mean of seeds").uncheck()
    page.get_by_label("Smoothing").fill("0.5")
    assert len(lines(page, "loss/generator")) == 8
    page.get_by_label("Over").select_option("images")
    plot = page.locator(".plot.js-plotly-plot").first
    assert plot.evaluate("plot => plot.layout.xaxis.title.text") == "images"
    whole = plot.evaluate("plot => plot.layout.xaxis.range")
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.7, steps=4)
    page.mouse.up()
    page.wait_for_function("whole => document.querySelector('.plot').layout.xaxis.range[0] > whole[0]", arg=whole)
    page.get_by_label("Find").fill("IMAGES_PER")
    sync_api.expect(page.get_by_role("heading", name="images_per_second")).to_be_visible()
    assert page.locator("#charts .chart:visible").count() == 1


def test_runs_are_kept_by_a_box_on_an_axis(page: "sync_api.Page") -> None:
    parallel = page.locator("#parallel")
    parallel.scroll_into_view_if_needed()
    assert parallel.evaluate("plot => plot.layout.annotations.map(each => each.text)")[0] == "<b>model.latent</b>"
    box = parallel.locator(".nsewdrag").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] - 60, box["y"] + box["height"] * 0.5)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 1, box["y"] + box["height"] - 1, steps=6)
    page.mouse.up()
    kept = page.locator("#legend [aria-pressed=true]")
    sync_api.expect(kept).to_have_count(2)
    assert sorted(kept.all_inner_texts()) == sorted(["third", EVIL])
    page.mouse.dblclick(box["x"] + box["width"] * 0.3, box["y"] + 4)
    sync_api.expect(kept).to_have_count(4)


def test_no_button_leads_to_another_place(page: "sync_api.Page") -> None:
    lines(page, "loss/generator")
    titles = page.locator(".modebar-btn").evaluate_all("all => all.map(each => each.dataset.title)")
    assert titles
    assert not [title for title in titles if title not in {"Zoom", "Pan", "Reset axes", "Download plot as a PNG"}]
    assert page.locator("a:not([href^='#'])").evaluate_all("all => all.filter(each => each.href).length") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_the_colours_that_are_preferred(page: "sync_api.Page", scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 360, "height": 740})
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    light = page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(246, 247, 249)"
    assert light == (scheme == "light")


def test_without_scripts_the_tables_are_there(browser: "sync_api.Browser", report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("#runs tbody tr").count() == 4
    assert page.locator("#details details").count() == 8
    assert not page.locator("#curves").is_visible()
    assert page.get_by_text("need JavaScript").is_visible()
    context.close()
