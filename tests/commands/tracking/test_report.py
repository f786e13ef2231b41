"""ganctl report: one file that tells what run folders hold, whatever that is; nothing of theirs runs in it."""

import base64
import csv
import gzip
import json
import re
import shutil
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.conftest import Cli
from tests.written_runs import CONFIG, evaluation, row, write_best, written

RUNS = Path("outputs")
REPORT = RUNS / "report.html"
SWEEP = RUNS / "sweep-1"


class Page(HTMLParser):
    """A report as a browser without scripts has it: its elements, its visible text, and what its script reads."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.scripts: list[str] = []
        self._texts: list[str] = []
        self._cell = False
        self.source = path.read_text()
        self.feed(self.source)
        self.text = " ".join(self._texts)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
            self._cell = True

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("th", "td")

    def handle_data(self, text: str) -> None:
        tag = self.elements[-1][0] if self.elements else ""
        if tag in ("script", "style"):
            self.scripts += [text] if tag == "script" and text.strip() else []
            return
        self._texts.append(text)
        if self._cell:
            self.rows[-1][-1] = (self.rows[-1][-1] + text).strip()

    def row_of(self, name: str) -> dict[str, str]:
        """Return the cells of a run by their columns."""
        (cells,) = (row for row in self.rows if row and row[0] == name and len(row) == len(self.rows[0]))
        return dict(zip(self.rows[0], cells, strict=True))

    def data(self) -> Any:
        content = re.search(r'id="data">([\w+/=]*)<', self.source)
        assert content is not None
        return json.loads(gzip.decompress(base64.b64decode(content[1])), parse_constant=pytest.fail)


def draw(run: Path, *steps: int) -> None:
    """Write small samples of steps."""
    (run / "samples").mkdir(exist_ok=True)
    for step in steps:
        pixels = np.random.default_rng(step).integers(0, 256, (24, 24), dtype=np.uint8)
        Image.fromarray(pixels).save(run / f"samples/step-{step:08}.png")


def of_seed(run: Path, seed: int) -> Path:
    config = (run / "config.yaml").read_text()
    (run / "config.yaml").write_text(config.replace("seed: 0", f"seed: {seed}"))
    return run


def write_sweep(*rows: list[str]) -> None:
    SWEEP.mkdir(parents=True, exist_ok=True)
    with (SWEEP / "sweep.csv").open("w") as file:
        csv.writer(file).writerows([["job", "words", "folder", "status", "step", "score"], *rows])


def test_runs_are_told_with_what_differs_curves_samples_and_scores(workspace: Path, cli: Cli) -> None:
    written(RUNS / "a", evaluations=[evaluation(5.0)])
    run = written(RUNS / "b", "failed", 50, latent=32, evaluations=[evaluation(4.0)])
    (run / "run.log").write_text("2026-01-01 10:00:00  health  the generator draws one image\n")
    write_best(run)
    draw(run, 10, 20)
    outcome = cli("report")
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(rf"report of 2 runs, \d\.\d MB: {REPORT}\n", outcome.out)
    page = Page(REPORT)
    assert page.row_of("a") == {
        "run": "a",
        "status": "complete",
        "step": "100/100",
        "images/s": "50",
        "best": "",
        "fid (60, raw)": "5 ± 0.25",
        "model.latent": "64",
    }
    assert page.row_of("b")["best"] == "fid 4.5"
    assert "ganctl resume outputs/a train.steps=…" in page.text
    assert "ganctl resume outputs/b" in page.text
    assert "health  the generator draws one image" in page.text
    assert "latent: 32" in page.text
    assert "torch 2.11" in re.sub(r"\s+", " ", page.text)
    data = page.data()
    assert data["runs"][1]["tables"][0]["step"] == [10, 20, 30, 40, 50]
    assert data["runs"][1]["tables"][0]["loss/generator"] == [1.5] * 5
    assert [step for step, _ in data["runs"][1]["pictures"]] == [10, 20]
    assert data["scores"] == {"best": [None, 4.5], "fid (60, raw)": [5.0, 4.0]}
    assert data["settings"] == {"model.latent": [64, 32]}


@pytest.mark.parametrize(
    ("words", "place"),
    [
        ([], REPORT),
        (["outputs"], REPORT),
        (["outputs/a", "b"], REPORT),
        (["ckpt=a"], RUNS / "a/report.html"),
        (["out=new/page.html"], Path("new/page.html")),
        (["a", "b", "out=new"], Path("new/report.html")),
        (["a", "a", "out=outputs"], REPORT),
    ],
)
def test_it_lies_where_it_is_asked_for(words: list[str], place: Path, workspace: Path, cli: Cli) -> None:
    written(RUNS / "a")
    written(RUNS / "b")
    outcome = cli("report", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.endswith(f": {place}\n")
    names = {"a"} if "b" not in words and {"a", "ckpt=a"} & set(words) else {"a", "b"}
    assert {run["name"] for run in Page(place).data()["runs"]} == names
    assert [path.name for path in place.parent.glob(".*.tmp")] == []


def test_an_earlier_report_is_replaced_and_no_other_file(workspace: Path, cli: Cli) -> None:
    written(RUNS / "a")
    assert cli("report").code == 0
    written(RUNS / "b")
    assert cli("report").code == 0
    assert "report of 2 runs" in cli("report").out
    for content in (b"<!doctype html>\n<p>mine</p>", b""):
        REPORT.write_bytes(content)
        outcome = cli("report")
        assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
        assert f"out: {REPORT} is there and is no report of ganctl" in outcome.err
        assert REPORT.read_bytes() == content


def test_runs_that_differ_in_their_seed_alone_are_averaged(workspace: Path, cli: Cli) -> None:
    for seed, value in ((1, 1.0), (2, 2.0), (3, 3.0)):
        of_seed(written(RUNS / f"a{seed}", evaluations=[evaluation(value)]), seed)
    shutil.copytree(RUNS / "a3", RUNS / "copy")
    of_seed(written(RUNS / "other", latent=32), 4)
    of_seed(written(RUNS / "data", data="b" * 64, evaluations=[evaluation(9.0)]), 5)
    assert cli("report").code == 0
    page = Page(REPORT)
    assert ["data=digits model=dcgan loss=hinge", "1, 2, 3", "100", "fid (60, raw): 2 ± 2.5 (n = 3)"] in page.rows
    data = page.data()
    assert [[data["runs"][place]["name"] for place in group["runs"]] for group in data["groups"]] == [
        ["a1", "a2", "a3"]
    ]
    assert data["quantiles"]["3"] == pytest.approx(4.302653)


def test_a_sweep_is_told_with_its_failed_jobs(workspace: Path, cli: Cli) -> None:
    written(RUNS / "a", latent=32)
    written(RUNS / "b")
    write_sweep(
        ["1", "model.latent=32", "outputs/a", "complete", "100", "fid 3.2"],
        ["2", "model.latent=64", "/elsewhere/outputs/b", "complete", "100", ""],
        ["3", "model.latent=-1", "", "failed (exit 2)", "", ""],
        ["4", "x", "outputs/gone", "stopped"],
    )
    outcome = cli("report", str(SWEEP))
    assert (outcome.code, outcome.err) == (0, "")
    page = Page(SWEEP / "report.html")
    assert [run["name"] for run in page.data()["runs"]] == ["a", "b"]
    assert ["model.latent=32", "complete", "100", "fid 3.2", "a"] in page.rows
    assert ["model.latent=-1", "failed (exit 2)", "", "", ""] in page.rows
    assert ["x", "stopped", "", "", ""] in page.rows


def test_a_table_of_jobs_that_cannot_be_read_is_told(workspace: Path, cli: Cli) -> None:
    written(SWEEP / "a")
    (SWEEP / "sweep.csv").write_bytes(b"\xff")
    assert cli("report", str(SWEEP)).code == 0
    assert "sweep-1/sweep.csv: cannot be read" in Page(SWEEP / "report.html").text


def test_other_data_is_flagged(workspace: Path, cli: Cli) -> None:
    for name, data in (("a", "a"), ("b", "b"), ("c", "a")):
        written(RUNS / name, data=data * 64)
    told = "numbers of different data, which do not compare: a and c — b"
    assert f"note    {told}\n" in cli("report").out
    page = Page(REPORT)
    assert told in page.text
    assert [page.row_of(name)["data #"] for name in "abc"] == ["1", "2", "1"]


EVIL = "</script><script>document.title=1</script><img src=x onerror=alert(1)>"
EVIL += "\"' onmouseover=alert(1) {{ 7*7 }}\x1b[2J\u202e"


def test_what_strangers_wrote_is_text(workspace: Path, cli: Cli) -> None:
    name = EVIL.replace("/", "∕")
    run = written(RUNS / name, latent=32)
    written(RUNS / "b", latent=64)
    quoted = json.dumps(EVIL)
    (run / "config.yaml").write_text(f"data:\n  name: {quoted}\nmodel:\n  name: {quoted}\nseed: 1\n")
    numbers = {EVIL: {EVIL: {"mean": 1.0}}}
    evaluated = evaluation(1.0) | {"numbers": numbers, "features": {"name": EVIL}}
    (run / "evaluation.json").write_text(json.dumps({"evaluations": [evaluated]}))
    (run / "metrics.jsonl").write_text(json.dumps({"step": 1, "images": 1, EVIL: 1.0}) + "\n")
    (run / "run.log").write_text(f"a b  health  {EVIL}\n")
    told = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(told | {"environment": {EVIL: EVIL}, "data": EVIL}))
    write_best(run, by=EVIL)
    write_sweep(["1", EVIL, str(RUNS / name), "complete", "1", "1"])
    assert cli("report", "outputs", str(SWEEP), "out=page.html").code == 0
    page = Page(Path("page.html"))
    assert [tag for tag, _ in page.elements].count("script") == 3
    assert len(page.scripts) == 3
    assert "img" not in {tag for tag, attributes in page.elements if attributes.get("src")}
    assert not {key for _, attributes in page.elements for key in attributes if key.startswith("on")}
    assert "{{ 7*7 }}" in page.text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", page.source)
    assert not re.search("[\x00-\x1f\u202a-\u202e]", page.data()["runs"][0]["name"])


def test_its_policy_allows_its_two_scripts_and_no_request(workspace: Path, cli: Cli) -> None:
    written(RUNS / "a")
    assert cli("report").code == 0
    page = Page(REPORT)
    (policy,) = (each["content"] for _, each in page.elements if each.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy.replace("style-src 'unsafe-inline'", "")
    assert "http" not in policy
    sources = [value for _, each in page.elements for key, value in each.items() if key in ("src", "href")]
    assert all(value is not None and value.startswith("#") for value in sources)


def test_damaged_runs_are_shown_for_what_is_left_of_them(workspace: Path, cli: Cli) -> None:
    whole = written(RUNS / "a")
    with (whole / "metrics.jsonl").open("a") as log:
        log.write('{broken\n{"step": 110, "loss')
    run = written(RUNS / "b")
    (run / "run.json").write_text("{")
    (run / "config.yaml").write_bytes(b"\xff")
    (run / "evaluation.json").write_text("[]")
    (run / "samples").mkdir()
    (run / "samples/step-00000010.png").write_bytes(b"\x89PNG")
    shutil.rmtree(written(RUNS / "empty"))
    (RUNS / "empty/checkpoints").mkdir(parents=True)
    outcome = cli("report")
    assert (outcome.code, outcome.err) == (0, "")
    page = Page(REPORT)
    assert page.row_of("b")["status"] == page.row_of("empty")["status"] == "damaged"
    for told in (
        "a: metrics.jsonl: 1 of",
        "b: run.json: cannot be read",
        "b: samples/step-00000010.png: cannot be",
    ):
        assert told in page.text
    (left,) = (run for run in page.data()["runs"] if run["name"] == "a")
    assert left["tables"][0]["step"][-1] == 100


def test_numbers_at_the_edge_of_what_floats_hold_are_shown(workspace: Path, cli: Cli) -> None:
    for seed in (1, 2):
        run = of_seed(written(RUNS / f"a{seed}", evaluations=[evaluation(1.7e308)]), seed)
        (run / "metrics.jsonl").write_text(row(100, **{"loss/generator": 1.7e308, "images": 10**400}))
    outcome = cli("report")
    assert (outcome.code, outcome.err) == (0, "")
    assert "1.7e+308" in Page(REPORT).text


def test_without_runs_it_says_how_to_begin_one(workspace: Path, cli: Cli) -> None:
    told = "no runs; `ganctl train` begins one in outputs"
    (workspace / "empty").mkdir()
    for words, folder in ((["report"], "outputs"), (["report", "empty"], "empty")):
        outcome = cli(*words)
        assert (outcome.code, outcome.out, outcome.err) == (4, "", f"ganctl: {folder}: {told}\n")
        assert not RUNS.exists()
    assert list((workspace / "empty").iterdir()) == []
    write_sweep(["1", "model.latent=-1", "", "failed (exit 2)"])
    assert "none of its jobs has a run" in cli("report", str(SWEEP)).err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["nowhere"], 4, "nowhere: no run folder"),
        (["outputs/a/config.yaml"], 4, "outputs/a/config.yaml: a file, and not the folder of a run"),
        (["a", "out=x.html", "out=y.html"], 2, "out: given twice"),
        (["a", "out=x.pdf"], 2, "out: x.pdf would be a file of another kind than .htm, .html"),
        (["a", "out=outputs/a/config.yaml/x.html"], 2, "a file stands where a folder is to be"),
        (["--json"], 2, "--json: unknown option; there are --help"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], code: int, told: str, workspace: Path, cli: Cli) -> None:
    written(RUNS / "a")
    outcome = cli("report", *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1)
    assert told in outcome.err


@pytest.mark.parametrize("package", ["plotly", "jinja2"])
def test_a_missing_extra_is_one_line(
    package: str, workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(RUNS / "a")
    monkeypatch.setitem(sys.modules, package, None)
    outcome = cli("report")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.endswith("pip install 'ganctl[report]'\n")
    assert not REPORT.exists()


def test_twenty_runs_of_long_logs_and_noisy_samples_stay_below_six_megabytes(workspace: Path, cli: Cli) -> None:
    numbers = np.random.default_rng(0)
    names = [f"term/{number}" for number in range(18)]
    for number in range(20):
        run = of_seed(written(RUNS / f"run-{number}", latent=number // 4, evaluations=[evaluation(5.0)]), number)
        values = numbers.standard_normal((600, 18))
        lines = (row(step, **dict(zip(names, each, strict=True))) for step, each in enumerate(values.tolist()))
        (run / "metrics.jsonl").write_text("".join(lines))
        (run / "samples").mkdir()
        pixels = Image.fromarray(numbers.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize((136, 136))
        pixels.save(run / "samples/step-00000000.png", compress_level=0)
        for step in range(1, 12):
            shutil.copy(run / "samples/step-00000000.png", run / f"samples/step-{step:08}.png")
    assert cli("report").code == 0
    assert 2_500_000 < REPORT.stat().st_size < 6_000_000
    data = Page(REPORT).data()
    assert all(run["pictures"] for run in data["runs"])
    assert all(len(run["tables"][0]["step"]) >= 250 for run in data["runs"])


def test_a_config_of_a_run_is_folded_in_whole(workspace: Path, cli: Cli) -> None:
    written(RUNS / "a")
    assert cli("report", "a").code == 0
    assert CONFIG.format(name="a", latent=64).rstrip() in Page(RUNS / "a/report.html").text
