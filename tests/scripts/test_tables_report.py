"""scripts/tables: what the results of runs become on the page."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scripts.tables import figure, report, results
from scripts.tables.__main__ import TABLES
from scripts.tables.runs import plan
from scripts.tables.table import Column, Job, Part, Row, Table, jobs

ROOT = Path(__file__).parents[2]


def recorded(row: str, seed: int, settings: str = "a", **other: Any) -> dict[str, Any]:
    numbers = {"fid": {"fid": {"value": 10.0 + seed, "floor": 0.5}}}
    return {
        "name": f"t-{row}-{seed}",
        "part": "",
        "row": row,
        "seed": seed,
        "status": "complete",
        "settings": settings,
        "seconds": {"training": 60.0 * (seed + 1), "evaluation": 1.0},
        "on_the_way": [[20.0, 30.0], [60.0 * (seed + 1), 9.0]],
        "numbers": numbers,
        "accuracy": 0.99,
        "hardware": "a processor",
        "environment": {"device": "cpu", "precision": "fp32", "torch": "2"},
        "commands": [f"ganctl train name={row} seed={seed}", f"ganctl evaluate ckpt={row}"],
    } | other


FIDS = Table(
    name="fids",
    protocol="What was done.",
    deviations=("One thing.",),
    tried=("Another thing.",),
    seeds=3,
    columns=(Column("fid", "fid", "FID", 1),),
    parts=(Part("", "", (Row("a", "A", ("x",)), Row("b", "B", ("x",)), Row("c", "C", ("x",), {"fid": "9.9"}))),),
    evaluate=(),
    figure="Over time.",
)


def test_results_keep_one_recipe_a_row_and_one_record_a_seed(workspace: Path) -> None:
    (workspace / "outputs").mkdir()
    for one in (recorded("a", 0), recorded("a", 1), recorded("b", 0)):
        assert results.add("fids", one) == []
    assert results.add("fids", recorded("a", 1, step=2)) == []
    assert [run.get("step") for run in results.read("fids")] == [None, 2, None]
    assert results.add("fids", recorded("a", 2, settings="b")) == ["t-a-0", "t-a-1"]
    assert [run["name"] for run in results.read("fids")] == ["t-a-2", "t-b-0"]


def test_the_course_of_a_run_is_told_by_its_steps_and_its_median_speed(workspace: Path) -> None:
    rows = [
        {"step": step, "images": 10 * step, "images_per_second": speed}
        for step, speed in ((2, 5), (4, 20), (6, 25))
    ]
    rows[1]["evaluate/fid/fid"] = 3.5
    rows.append({"step": 6, "evaluate/fid/fid": 2.5})
    path = workspace / "metrics.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    job = Job(FIDS, FIDS.parts[0], FIDS.parts[0].rows[0], 0)
    assert results.course(job, path) == (60, 20, [[2.0, 3.5], [3.0, 2.5]])
    assert results.course(job, workspace / "none.jsonl") == (0, None, [])


def test_a_section_says_how_much_is_in_and_gives_means_with_standard_errors(workspace: Path) -> None:
    runs = [recorded("a", 0), recorded("a", 1), recorded("b", 0, status="diverged", numbers={})]
    text = report.section(FIDS, runs)
    assert "Runs: 3 of 9 are in" in text
    assert "|  | FID, paper | FID | runs | minutes a run |" in text
    assert "| A |  | 10.5 ± 0.5 | 2 of 3 | 1.5 |" in text
    assert "| B |  | – | 0 of 3, 1 diverged | – |" in text
    assert "| real data |  | 0.5 |  |  |" in text
    assert "Not run yet: C." in text
    assert "\nWhat was tried:\n\n- Another thing.\n" in text
    assert "tells 99.00% of held-out digits right" in text
    assert "\nganctl train name=a seed=0\nganctl train name=b seed=0\nganctl evaluate ckpt=a\n" in text
    assert "Over time." not in text


def test_a_section_without_runs_says_so(workspace: Path) -> None:
    text = report.section(FIDS, [])
    assert "Runs: none of 9 yet." in text
    assert "Not run yet: A; B; C." in text
    assert "|" not in text


def test_a_figure_has_each_run_from_what_it_measured_on_the_way_to_its_end(workspace: Path) -> None:
    curves = report.curves(
        FIDS, FIDS.parts[0], [recorded("a", 0), recorded("b", 1), recorded("b", 2, status="diverged")]
    )
    assert curves == {"A": [[(20.0, 30.0), (60.0, 10.0)]], "B": [[(20.0, 30.0), (120.0, 11.0)]]}
    path = workspace / "figure.png"
    figure.draw(curves, "FID", path)
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    inside = pixels[figure.TOP : figure.BOTTOM, figure.LEFT : figure.RIGHT]
    for number, drawn in ((0, True), (1, True), (2, False)):
        colour = [int(figure.COLOURS[number][start : start + 2], 16) for start in (1, 3, 5)]
        assert (np.abs(inside - colour).max(-1) < 40).any() == drawn
    figure.draw({"A": [[(0.0, 5.0)]]}, "FID", path)
    assert not path.exists()


def test_each_part_has_a_figure_of_its_own_runs(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results, "FOLDER", workspace)
    monkeypatch.setattr(results, "PICTURES", workspace)
    parts = (Part("", "First", (Row("a", "A", ("x",)),)), Part("own", "Second", (Row("a", "A", ("x",)),)))
    table = replace(FIDS, parts=parts)
    runs = [recorded("a", 0), recorded("a", 1, part="own")]
    (workspace / "fids.json").write_text(json.dumps({"runs": runs}))
    (workspace / "fids.md").write_text("<!-- table: fids -->\n<!-- end -->")
    report.rewrite(table)
    assert report.curves(table, parts[1], runs) == {"A": [[(20.0, 30.0), (120.0, 11.0)]]}
    assert (workspace / "fids.png").read_bytes() != (workspace / "fids-own.png").read_bytes()
    first, second = (workspace / "fids.md").read_text().split("### Second")
    assert "(fids.png)" in first
    assert "(fids-own.png)" in second


@pytest.mark.parametrize(("after", "value"), [(20, 30.0), (40, 16.432), (60, 9.0), (10, None), (61, None)])
def test_a_number_after_some_seconds_lies_between_two_measurements(after: float, value: float | None) -> None:
    column = Column("fid", "fid", "after a while", 1, after=after)
    assert column.value(recorded("a", 0)) == (None if value is None else pytest.approx(value, abs=1e-3))
    table = replace(FIDS, columns=(*FIDS.columns, column))
    line = next(line for line in report.section(table, [recorded("a", 0)]).splitlines() if "| A |" in line)
    assert line == f"| A |  | 10.0 |  | {'–' if value is None else f'{value:.1f}'} | 1 of 3 | 1.0 |"


def test_the_classifier_of_colour_images_is_no_part_of_a_rows_settings() -> None:
    (run,) = plan(list(jobs(TABLES["stacked"], [0]))[:1])
    asked = run.question.asked()
    told = results.settings(run.config, asked)
    without = asked | {"features": {key: each for key, each in asked["features"].items() if key != "colour"}}
    assert results.settings(run.config, without) == told
    wider = asked | {"features": asked["features"] | {"width": 17}}
    assert results.settings(run.config, wider) != told


def test_an_axis_puts_equal_ratios_at_equal_distances() -> None:
    axis = figure.Axis(1.0, 100.0, 0.0, 200.0)
    assert [axis.at(value) for value in (1, 10, 100)] == pytest.approx([0, 100, 200])
    assert list(axis.ticks()) == [1, 2, 5, 10, 20, 50, 100]


@pytest.mark.parametrize("name", TABLES)
def test_the_page_is_what_the_results_generate(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    page = report.page_of(name).read_text()
    section = report.section(TABLES[name], results.read(name))
    assert report.with_section(page, name, section) == page, f"scripts/tables/{name} --report"
