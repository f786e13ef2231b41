"""Which logs a run has: chosen like penalties, changed when it goes on, and no part of what it is."""

import builtins
import json
import struct
from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ganctl.commands.resume import _chosen_logs
from ganctl.config import train_config
from ganctl.folders.run_folder import RunFolder
from ganctl.loggers.parts.tags import tag
from ganctl.loggers.tensorboard import EVENTS
from tests.composed import composed
from tests.conftest import TINY, Cli, contents
from tests.loggers.logged import RUN, logged_run

WORDS = ["train", *TINY, "name=run", "logging.every=1"]


def board(run: Path) -> Any:
    found = EventAccumulator(str(run), size_guidance={"scalars": 0, "images": 0})
    found.Reload()
    return found


def test_the_default_is_jsonl_and_tensorboard_and_no_part_of_the_identity() -> None:
    config = train_config(composed())
    other = train_config(composed("logs=[jsonl,csv]"))
    assert list(config.logs) == ["jsonl", "tensorboard"]
    assert (other.digest(), other.run_name()) == (config.digest(), config.run_name())
    assert other.may_change("logs.csv.name")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ["logs=[jsonl,wandp]"],
            "logs: there is no 'wandp' (did you mean 'wandb'?); there are csv, jsonl, mlflow, ",
        ),
        (
            ["logs=[]"],
            "logs: jsonl is missing, and resuming, list, show and compare read its file; take logs=[jsonl]",
        ),
        (["logs.csv.x=1"], "logs.csv.x: unknown key"),
        (["logs=[jsonl,wandb]", "logs.wandb.mode=shared"], "logs.wandb.mode: must be 'online' or 'offline'"),
        (["logs=[jsonl,wandb]", "logs.wandb.projekt=a"], "logs.wandb.projekt: unknown key (did you mean"),
    ],
)
def test_what_does_not_fit_is_one_line_and_leaves_nothing(
    words: list[str], told: str, workspace: Path, cli: Cli
) -> None:
    outcome = cli(*WORDS, *words)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert told in outcome.err
    assert contents(workspace) == {}


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [("wandb", "wandb", "wandb"), ("mlflow", "mlflow", "mlflow"), ("mlflow", "alembic", "mlflow")],
)
def test_a_missing_package_is_one_line_with_the_command(
    name: str, module: str, extra: str, workspace: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = builtins.__import__

    def missing(asked: str, *rest: Any) -> Any:
        if asked == module:
            raise ImportError(f"No module named '{module}'")
        return found(asked, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    outcome = cli(*WORDS, f"logs=[jsonl,{name}]")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert (
        f"(No module named '{module}'); pip install 'ganctl[{extra}]', or leave it out of logs=[…]" in outcome.err
    )
    assert contents(workspace) == {}


def test_a_run_goes_on_with_other_logs_and_those_get_what_was_logged_before(workspace: Path, cli: Cli) -> None:
    assert cli(*WORDS, "logs=[jsonl]", "train.steps=2", "sample.every=1", "sample.num=2").code == 0
    assert not (RUN / EVENTS).exists()
    outcome = cli("resume", "run", "logs=[jsonl,tensorboard,csv]", "train.steps=3")
    assert (outcome.code, outcome.err) == (0, "")
    assert [event.step for event in board(RUN).Scalars("loss/generator")] == [1, 2, 3]
    assert [event.step for event in board(RUN).Images("samples")] == [1, 2, 3]
    assert (RUN / "metrics.csv").read_text().count("\n") == 4
    assert list(RunFolder(RUN).own.logs) == ["jsonl", "tensorboard", "csv"]
    assert cli("resume", "run", "train.steps=4").code == 0
    assert [event.step for event in board(RUN).Scalars("loss/generator")] == [1, 2, 3, 4]


def test_an_option_that_a_run_has_stays_when_its_logs_are_chosen_anew() -> None:
    offline = ["logs=[jsonl,wandb]", "logs.wandb.mode=offline", "logs.wandb.project=faces"]
    values = train_config(composed(*TINY, "name=run", *offline)).saved()
    chosen = _chosen_logs(["jsonl", "csv", "wandb"], values["logs"])
    assert list(chosen) == ["jsonl", "csv", "wandb"]
    assert (chosen["wandb"]["mode"], chosen["wandb"]["project"]) == ("offline", "faces")


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("logs=[jsonl,csw]", "logs: there is no 'csw' (did you mean 'csv'?)"),
        ("logs=csv", "logs: must be a list such as [jsonl,tensorboard], not 'csv'"),
        ("logs=[csv]", "logs: jsonl is missing, and resuming"),
        ("logs={a: 1}", "logs: must be a list such as [jsonl,tensorboard]"),
        ("logs=[jsonl,[csv]]", "logs: must be a list such as [jsonl,tensorboard]"),
    ],
)
def test_what_a_run_cannot_go_on_with_changes_nothing(word: str, told: str, trained: Path, cli: Cli) -> None:
    before = contents(trained)
    outcome = cli("resume", "run", word, "train.steps=2")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert told in outcome.err
    assert contents(trained) == before


def test_what_people_look_for_comes_first_by_the_alphabet_and_the_machine_last(workspace: Path, cli: Cli) -> None:
    words = ["evaluate.every=1", "evaluate.num=8", "metric/features=raw", "sample.every=1", "sample.num=2"]
    assert cli(*WORDS, *words).code == 0
    tags = [each for kind in ("scalars", "images") for each in board(RUN).Tags()[kind]]
    groups = sorted({each.partition("/")[0] for each in tags})
    assert groups == ["evaluate", "health", "loss", "samples", "step", "system"]
    row = json.loads((RUN / "metrics.jsonl").read_text().splitlines()[0])
    assert {tag(key) for key in row if key != "step"} <= set(tags)
    assert {"images", "data_wait", "accuracy"} <= row.keys()
    assert [tag(key) for key in ("data_wait", "accuracy", "loss/generator")] == [
        "system/data_wait",
        "step/accuracy",
        "loss/generator",
    ]


def test_lines_and_images_of_a_stranger_are_left_out(tmp_path: Path) -> None:
    broken = ["{", "[1]", '{"a": 1}', '{"step": "x"}', "[" * 100_000]
    lines = ['{"step": 1, "a": 1}', *broken, '{"step": 2, "a": null}']
    text = "\n".join(lines) + "\n"
    (tmp_path / "metrics.jsonl").write_text(text + '{"step": 3, "a": 1}\n')
    png = b"\x89PNG\r\n\x1a\n" + bytes(8) + struct.pack(">II", 4, 3) + b"more"
    samples = {"step-00000001": png, "step-00000002": b"no image", "step-00000003": png, "step-x": png}
    (tmp_path / "samples").mkdir()
    for name, content in samples.items():
        (tmp_path / f"samples/{name}.png").write_bytes(content)
    run = logged_run(tmp_path, {"metrics.jsonl": len(text)}, step=2)
    found = list(run.history())
    assert [(step, type(logged)) for step, logged in found] == [(1, dict), (1, bytes), (2, dict)]
    assert list(logged_run(tmp_path).history()) == []
