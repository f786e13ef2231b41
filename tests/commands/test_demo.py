"""ganctl demo: the page's answers are what the commands draw, mistakes are one line, and a signal ends it."""

import base64
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest

from ganctl.cli import main
from ganctl.images.png import encoded
from scripts.soaks.configs import small_words
from tests.conftest import TINY, Cli
from tests.page import asking

CPU = ["device=cpu", "device.precision=fp32"]
Answers = Callable[..., Any]


@pytest.fixture(scope="module")
def runs_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `outputs` with runs of a step: `labelled` and `styled` on digits, `coded` without classes."""
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        labelled = ["train.steps=1", "model.conditional=true"]
        assert main(["train", *small_words(*labelled, "name=labelled", model="dcgan")]) == 0
        assert main(["train", *small_words(*labelled, "name=styled", model="stylegan2")]) == 0
        uniform = ["train.steps=1", "model.prior=uniform", "name=coded"]
        assert main(["train", *small_words(*uniform, model="mlp")]) == 0
        assert main(["train", *TINY, "name=points"]) == 0
    return folder / "outputs"


@pytest.fixture
def runs(workspace: Path, runs_outputs: Path) -> Path:
    """Work beside these runs."""
    shutil.copytree(runs_outputs, workspace / "outputs")
    return workspace


@pytest.fixture
def served(runs: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Answers]:
    """Return a function that opens a run's demo, and returns one that asks it: JSON, bytes, or what is wrong."""

    def open_demo(run: str, *words: str) -> Answers:
        taken: list[Any] = []
        monkeypatch.setattr("ganctl.page.server.serve", lambda *given: taken.append(given))
        outcome = cli("demo", run, *CPU, *words)
        assert (outcome.code, outcome.err) == (0, "")
        line = r"page of step 1, until Ctrl-C: http://127\.0\.0\.1:\d+/\?token=([\w-]{32})\n"
        told = re.fullmatch(line, outcome.out)
        assert told is not None
        ((application, _, worker),) = taken
        Thread(target=worker.work, daemon=True).start()

        def ask(name: str, **keys: object) -> Any:
            words = {key.rstrip("_"): str(value) for key, value in keys.items()}
            found = asking.ask(application, f"/{name}", words | {"token": told[1]})
            assert found.status == (400 if b'"error"' in found.body else 200)
            return found.json() if found.headers["content-type"] == "application/json" else found.body

        return ask

    return open_demo


def pictures(found: dict[str, Any]) -> list[bytes]:
    """Return the PNG files of an answer."""
    heads, files = zip(*(address.split(",") for address in found["images"]), strict=True)
    assert set(heads) == {"data:image/png;base64"}
    return [base64.b64decode(file) for file in files]


@pytest.mark.parametrize(
    ("run", "keys"),
    [
        ("labelled", {"seed": 7, "num": 16}),
        ("labelled", {"seeds": "7-15"}),
        ("labelled", {"seeds": "3,5", "class_": 8, "truncation": 0.5}),
        ("labelled", {"seeds": "3,5", "class_": "all"}),
        ("labelled", {"seeds": "0-8", "direction": 2, "strength": -1.5}),
        ("labelled", {"seeds": "0-3", "direction": 1, "strength": 2, "method": "pca"}),
        ("styled", {"seeds": "0-3", "truncation": 0.7}),
        ("styled", {"seeds": "0-3", "direction": 1, "strength": 2, "method": "pca", "truncation": 0.7}),
        ("coded", {"seed": 3, "num": 5}),
        ("points", {"seed": 3, "num": 2000}),
    ],
)
def test_samples_are_those_of_the_command_line_that_is_told(
    run: str, keys: dict[str, Any], served: Callable[..., Answers], cli: Cli
) -> None:
    ask = served(run)
    if run == "styled":  # what was asked before leaves no trace
        ask("samples", seeds="0-3", truncation=0.1)
    found = ask("samples", **keys)
    words = shlex.split(found["command"])
    asked = [f"{key.rstrip('_')}={value}" for key, value in keys.items()]
    assert words == ["ganctl", "sample", run, *CPU, *asked]
    assert cli(*words[1:], "out=sheet.png").code == 0
    assert ask("samples.png", **keys) == Path("sheet.png").read_bytes()
    assert cli(*words[1:], "out=samples.npz").code == 0
    samples = np.load("samples.npz")
    if run == "points":
        assert pictures(found) == [Path("sheet.png").read_bytes()]
    else:
        assert pictures(found) == [encoded(each) for each in samples["samples"]]
    labels = [str(label) for label in samples.get("labels", [])]
    assert (found["classes"] or []) == labels


@pytest.mark.parametrize(
    ("run", "keys"),
    [
        ("labelled", {"seeds": "4,9", "steps": 3, "class_": 3}),
        ("labelled", {"seeds": "4,9,2", "steps": 1, "truncation": 0.5}),
        ("styled", {"seeds": "4,9", "steps": 2, "class_": "all", "truncation": 0.5}),
        ("coded", {"seeds": "0,1", "steps": 0}),
    ],
)
def test_a_path_is_that_of_the_command_line_that_is_told(
    run: str, keys: dict[str, Any], served: Callable[..., Answers], cli: Cli
) -> None:
    ask = served(run)
    found = ask("path", **keys)
    words = shlex.split(found["command"])
    asked = [f"{key.rstrip('_')}={value}" for key, value in keys.items()]
    assert words == ["ganctl", "interpolate", run, *CPU, *asked]
    assert cli(*words[1:], "out=strip.png").code == 0
    assert ask("path.png", **keys) == Path("strip.png").read_bytes()
    assert cli(*words[1:], "out=frames.npy").code == 0
    frames = np.load("frames.npy")
    assert len(found["images"]) == len(frames)
    if frames.shape[1] == 1:
        assert pictures(found) == [encoded(frame[0]) for frame in frames]
        key = keys["seeds"].partition(",")[0]
        one = {name: value for name, value in keys.items() if name in ("class_", "truncation")}
        assert pictures(found)[0] == pictures(ask("samples", seeds=key, **one))[0]


def test_the_page_is_told_what_the_model_can_do(served: Callable[..., Answers]) -> None:
    labelled = served("labelled")("model")
    assert labelled == {
        "run": "labelled",
        "step": 1,
        "samples": "8×8 pixels in 1 channel",
        "images": True,
        "most": 64,
        "classes": [str(digit) for digit in range(10)],
        "truncation": True,
        "directions": 8,
    }
    assert served("styled")("model")["truncation"] is True
    coded = served("coded")("model")
    assert (coded["truncation"], coded["classes"]) == (False, [])
    points = served("outputs/points/checkpoints/step-00000001.safetensors")("model")
    assert (points["run"], points["images"], points["most"]) == ("points", False, 2048)


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("samples", "num: how many samples? Give num, or seeds"),
        ("samples num=65", "num: 65 samples in all; the page draws 64 of this model at most"),
        ("samples seeds=0-9 class_=all", "num: 100 samples in all; the page draws 64"),
        ("samples num=0", "num: must be at least 1, not '0'"),
        ("samples num=four", "num: must be a whole number, not 'four'"),
        ("samples num=4 seed=-1", "seed: must be at least 0, not '-1'"),
        ("samples num=4 seed=99999999999999999999", "seed: must be below 9223372036854775808"),
        ("samples num=4 seeds=1", "num: 4 samples, but seeds has 1, one for each; leave num out"),
        ("samples seeds=3-1", "seeds: must rise in a range, such as 1-3"),
        ("samples seeds=1-999999999", "seeds: must be 100,000 numbers at most"),
        ("samples num=4 truncation=0", "truncation: must be above 0"),
        ("samples num=4 truncation=nan", "truncation: must be a finite number, not 'nan'"),
        ("samples num=4 class_=cat", "class: unknown class 'cat'; there are 0, 1, 2"),
        ("samples num=4 class_=10", "class: there is no class 10; 10 classes are numbered from 0 to 9"),
        ("samples num=4 direction=1", "strength: must be given with direction, such as strength=2"),
        ("samples num=4 direction=9 strength=1", "direction: there is no direction 9; this generator has 8"),
        ("samples num=4 direction=1 strength=-3..3", "strength: must be a number, not '-3..3'"),
        ("samples num=4 direction=1 strength=1 method=x", "method: must be 'sefa' or 'pca', not 'x'"),
        ("samples num=4 latents=/etc/passwd", "latents: unknown key"),
        ("samples num=4 out=x.png", "out: unknown key"),
        ("model num=4", "num: unknown key"),
        ("path seeds=1 steps=2", "seeds: must have at least 2 values"),
        ("path seeds=0-8 steps=2", "seeds: must have at most 8 values"),
        ("path seeds=1,2 steps=101", "steps: must be at most 100, not '101'"),
        ("path seeds=1,2", "steps: required, but not given"),
        ("path.png seeds=1,2 steps=2 class_=x", "class: unknown class 'x'"),
    ],
)
def test_what_cannot_be_asked_for_is_told_in_one_line(
    query: str, told: str, served: Callable[..., Answers], runs: Path
) -> None:
    name, *words = query.split()
    before = sorted(runs.rglob("*"))
    found = served("labelled")(name, **dict(word.split("=") for word in words))
    assert found["error"].startswith(told)
    assert "\n" not in found["error"]
    assert sorted(runs.rglob("*")) == before


def test_what_a_model_lacks_is_told(served: Callable[..., Answers]) -> None:
    coded, points = served("coded"), served("points")
    assert coded("samples", num=4, class_=1)["error"].startswith("class: the model of this run is not conditional")
    assert coded("samples", num=4, truncation=1)["error"].startswith(
        "truncation: bounds latents of the prior norm"
    )
    assert points("path", seeds="1,2", steps=2)["error"].startswith("path: shows images")


def test_large_images_are_fewer(served: Callable[..., Answers], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ganctl.commands.demo.MOST_PIXELS", 5 * 8 * 8)
    ask = served("labelled")
    assert ask("model")["most"] == 5
    assert len(ask("samples", num=5)["images"]) == 5
    assert ask("samples", num=6)["error"].startswith("num: 6 samples in all; the page draws 5")
    assert len(ask("path", seeds="1,2", steps=3, class_=0)["images"]) == 5
    for more in ({"steps": 4, "class_": 0}, {"steps": 0}):
        assert ask("path", seeds="1,2", **more)["error"].startswith("steps: the page draws fewer images")


def test_names_of_classes_are_quoted_for_the_shell_and_the_command_line(
    workspace: Path, cli: Cli, served: Callable[..., Answers]
) -> None:
    from tests.commands.labelled import train

    names = ["a b", "it's", "c,d", "$(e)", "[f]", "ü"]
    train(cli, names, "model.latent=2")
    ask = served("run")
    for name in names:
        words = shlex.split(ask("samples", num=3, class_=name)["command"])
        assert cli(*words[1:], "out=x.png").code == 0
        assert Path("x.png").read_bytes() == ask("samples.png", num=3, class_=name)


def test_a_port_that_is_taken_and_a_web_server_that_is_missing_are_one_line(
    runs: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = cli("demo", "labelled", "port=65536")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "port: must be at most 65535" in outcome.err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    outcome = cli("demo", "nowhere")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert "pip install 'ganctl[demo]'" in outcome.err


@pytest.fixture
def started(runs: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Serve `labelled` in a process of its own; return it and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "ganctl", "demo", "labelled", *CPU],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    with process:
        assert process.stdout is not None
        yield process, process.stdout.readline().rstrip().rpartition(" ")[2]
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it(number: signal.Signals, started: tuple[subprocess.Popen[str], str]) -> None:
    process, address = started
    parts = urlsplit(address)
    with closing(HTTPConnection(parts.netloc, timeout=20)) as connection:  # which stays open, as a browser's does
        connection.request("GET", f"/samples?seeds=0-3&{parts.query}")
        assert len(pictures(json.load(connection.getresponse()))) == 4
        process.send_signal(number)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out, err) == (128 + number, "", f"ganctl: stopped by {number.name}\n")
