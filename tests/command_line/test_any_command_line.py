"""Whatever is typed: an exit code, one line for a mistake, nothing written by it, and never a traceback.

What a command does once its config is accepted is replaced. With HYPOTHESIS_PROFILE=long thousands of lines
are drawn, other ones each time.
"""

import contextlib
import io
import logging
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, event, example, given, settings
from hypothesis import strategies as st

import ganctl.commands.data
import ganctl.commands.sample
from ganctl import rules
from ganctl.cli import main
from ganctl.command_line.jobs import Job, Typed
from ganctl.config import TrainConfig
from ganctl.folders.naming import Naming
from ganctl.folders.run_folder import RunFolder
from ganctl.runs import generator, start
from ganctl.runtime.signals import Signals
from ganctl.validation import validate
from tests.command_line.command_lines import (
    A_WRONG_WORD,
    FLAGS,
    FOLDER,
    RESUMING,
    SAMPLING,
    SWEPT,
    VALUES,
    right_words,
)
from tests.conftest import Outcome, contents

SECONDS = 60.0
HYDRAS_OWN = re.compile(r"(?i)hydra|multirun|_sweep|omegaconf|listconfig|dictconfig|anynode|defaults list|primary")
"""Words that no user of ganctl need know, unless he typed them."""
"""No command line takes longer; nearly all take less than one."""

profile: dict[str, Any] = {
    "deadline": None,
    "database": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
}
settings.register_profile("suite", max_examples=9, derandomize=True, **profile)
settings.register_profile("long", max_examples=500, print_blob=True, **profile)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))
MANY = settings().max_examples


RUNS: list[Path] = []
"""The one trained run that lines of `sample` and `resume` may name."""

ACCEPTED: list[str] = []
"""Names of the runs whose configs were accepted."""


@pytest.fixture(scope="module", autouse=True)
def _work_is_left_out(trained_outputs: Path) -> Iterator[None]:
    """Let every command end where its config has been accepted."""

    def train(config: TrainConfig, place: RunFolder | Naming, signals: Signals, judge: object = None) -> None:
        rules.check(config)
        ACCEPTED.append(config.run_name())

    def sample(values: Typed, job: Job, signals: Signals) -> None:
        generator.open_generator(validate(ganctl.commands.sample.SampleCommand, values))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(start, "run", train)
        patch.setattr(ganctl.commands.sample, "run", sample)
        patch.setattr(generator, "_load", lambda checkpoint, command: None)
        for action in ("prepare", "check", "info"):
            patch.setattr(ganctl.commands.data, action, lambda folder: None)
        RUNS[:] = [trained_outputs / "run"]
        patch.setenv("HYDRA_FULL_ERROR", "0")
        logging.disable()  # pytest's own handler cannot write words that are no UTF-8
        yield
        logging.disable(logging.NOTSET)


def typed(*words: str) -> tuple[Outcome, dict[str, bytes | None]]:
    """Return the outcome of a command line in an empty folder, and what lies there afterwards."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", errors) for errors in ("strict", "backslashreplace"))
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        started = time.perf_counter()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(words)
        assert time.perf_counter() - started < SECONDS
        assert Path.cwd().samefile(folder)
        left = contents(Path(folder))
    for stream in (out, err):
        stream.flush()
    printed = [stream.buffer.getvalue().decode() for stream in (out, err)]  # type: ignore[attr-defined]
    return Outcome(code, *printed), left


def assert_answered(words: list[str], codes: set[int]) -> None:
    outcome, left = typed(*words)
    event(f"exit code {outcome.code}")
    assert outcome.code in codes
    assert left == {}
    if outcome.code:
        assert re.fullmatch(r"ganctl: [^\n]+\n", outcome.err), outcome.err
        if not HYDRAS_OWN.search(" ".join(words)):
            assert not HYDRAS_OWN.search(outcome.err), outcome.err
    else:
        assert outcome.err == ""


@settings(max_examples=MANY * 2 // 3)
@given(right_words())
def test_words_that_are_right_by_themselves_are_accepted_or_break_a_rule(words: list[str]) -> None:
    assert_answered(["train", *words], {0, 2})


@settings(max_examples=MANY * 3 // 2)
@given(st.lists(A_WRONG_WORD, min_size=1, max_size=3))
@example(["penalty=[null]"])
@example(["penalty=[[r1]]"])
@example(["auxiliary=" + "9" * 5000])
@example(["model.name=[1]"])
@example(["hydra.output_subdir=x"])
@example(["hydra.job.chdir=true", "hydra.run.dir=x"])
def test_wrong_words_are_refused_or_mean_something(words: list[str]) -> None:
    assert_answered(["train", *words], {0, 2})


@settings(max_examples=MANY // 2)
@given(right_words(), A_WRONG_WORD, st.integers(0, 20))
def test_one_wrong_word_among_right_ones(words: list[str], wrong: str, place: int) -> None:
    assert_answered(["train", *words[:place], wrong, *words[place:]], {0, 2})


@settings(max_examples=MANY)
@given(
    st.sampled_from(["train", "sample", "data", "data check"]),
    st.sampled_from(FLAGS),
    st.lists(A_WRONG_WORD, max_size=1),
)
@example("train", ["--cfg", "job", "--package", "nope"], [])
@example("train", ["--config-name", "data/digits"], [])
@example("train", ["-sc", "query=bash"], [])
@example("sample", ["--help"], [])
@example("train", ["--version"], [])
def test_options_of_the_command_line(command: str, flags: list[str], words: list[str]) -> None:
    assert_answered([*command.split(), *flags, *words], {0, 2, 4})


@settings(max_examples=MANY // 4)
@given(st.lists(SWEPT, min_size=1, max_size=2), st.lists(A_WRONG_WORD, max_size=1))
@example(["seed=-1,-2"], [])
@example(["name=\udcff"], [])
def test_a_sweep_says_one_line_a_refused_job_and_leaves_no_record_of_nothing(
    swept: list[str], words: list[str]
) -> None:
    ACCEPTED.clear()
    outcome, left = typed("train", "-m", *swept, *words)
    assert outcome.code in {0, 2}
    assert re.fullmatch(r"(ganctl: [^\n]+\n)*", outcome.err), outcome.err
    assert bool(outcome.code) == bool(outcome.err)
    files = [Path(name).name for name, content in left.items() if content is not None]
    assert files == (["sweep.csv"] if ACCEPTED else [])


@settings(max_examples=MANY // 4)
@given(st.sampled_from(["ckpt=nowhere", "RUN"]) | VALUES.map("ckpt={}".format), st.lists(SAMPLING, max_size=3))
@example("RUN", ["seeds=0-99999999999"])
def test_words_of_sample(checkpoint: str, words: list[str]) -> None:
    first = f"ckpt={RUNS[0]}" if checkpoint == "RUN" else checkpoint
    assert_answered(["sample", first, *words], {0, 2, 4})


@settings(max_examples=MANY // 3)
@given(st.sampled_from(["check", "info", "prepare", "path=x"]), st.lists(FOLDER, max_size=3))
def test_words_of_data(action: str, words: list[str]) -> None:
    assert_answered(["data", action, *words], {0, 2})


@settings(max_examples=MANY * 4)
@given(st.sampled_from(["RUN", "RUN", "RUN", "nowhere", "", "/", "x" * 300, "\udcff"]), RESUMING)
@example("RUN", ['device.name="\\0"'])
@example("RUN", ["train.steps=9223372036854775808"])
def test_words_of_resume(run: str, words: list[str]) -> None:
    assert_answered(["resume", str(RUNS[0]) if run == "RUN" else run, *words], {0, 2, 4})
