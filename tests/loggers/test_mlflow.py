"""MLflow's local store, an SQLite file, read back through its client."""

import json
from pathlib import Path
from typing import Any

import pytest

from ganctl.loggers.mlflow import make_store
from ganctl.loggers.parts.replica import run_id
from tests.conftest import TINY, Cli
from tests.loggers.logged import RUN, log_of, logged_run

pytest.importorskip("mlflow", reason="needs MLflow: pip install 'ganctl[mlflow]'")
pytest.importorskip("alembic", reason="needs alembic: pip install 'ganctl[mlflow]'")


def client(outputs: Path) -> Any:
    from mlflow.tracking import MlflowClient

    return MlflowClient(f"sqlite:///{outputs.absolute() / 'mlflow.db'}")


def runs(outputs: Path) -> list[Any]:
    store = client(outputs)
    return list(store.search_runs([store.get_experiment_by_name("tests").experiment_id]))


@pytest.fixture
def outputs(killed_run: Path) -> Path:
    return killed_run.parent


def test_after_a_kill_no_step_is_there_twice_and_none_is_missing(outputs: Path) -> None:
    (one,) = runs(outputs)
    lines = [json.loads(line) for line in (outputs / "run/metrics.jsonl").read_text().splitlines()]
    for key in ("loss/generator", "evaluate/fid/fid"):
        history = client(outputs).get_metric_history(one.info.run_id, key)
        assert [(each.step, each.value) for each in history] == [
            (line["step"], line[key]) for line in lines if line.get(key) is not None
        ]
    best = client(outputs).get_metric_history(one.info.run_id, "best/step")
    assert [each.step for each in best] in ([45], [45, 90])


def test_it_holds_config_tags_and_how_the_run_ended(outputs: Path) -> None:
    (one,) = runs(outputs)
    assert (one.info.run_name, one.info.status) == ("run", "FINISHED")
    assert one.data.tags["ganctl.run"] == run_id(outputs / "run")
    assert one.data.tags["status"] == "complete"
    assert (one.data.params["seed"], one.data.params["model.name"]) == ("3", "mlp")
    assert {"system/images_per_second", "step/accuracy", "health/diversity"} <= one.data.metrics.keys()
    assert one.data.metrics["best/fid/fid"] > 0
    kept = outputs / ".mlflow" / one.info.run_id / "artifacts"
    assert "seed: 3" in (kept / "config.yaml").read_text()
    drawn = {int(path.name.split("+")[2]) for path in kept.glob("images/samples+step+*.png")}
    assert {30, 90} <= drawn <= {30, 60, 90}


def test_a_store_that_is_there_is_left_alone_and_one_is_made_whole(tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("of someone")
    make_store(tmp_path / "mlflow.db", tmp_path / "unfinished")
    assert (tmp_path / "mlflow.db").read_text() == "of someone"


def test_what_cannot_be_reached_is_reported_and_the_run_completes(workspace: Path, cli: Cli) -> None:
    Path("outputs").mkdir()
    Path("outputs/mlflow.db").write_text("no database")
    outcome = cli("train", *TINY, "name=run", "logs=[jsonl,mlflow]", "train.steps=2")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("logs.mlflow: failed (") == 1
    assert (RUN / "checkpoints/step-00000002.safetensors").is_file()


def test_a_run_that_is_opened_again_goes_on_in_the_same_one(outputs: Path) -> None:
    before = runs(outputs)[0].info.run_id
    log = log_of("mlflow", uri=None, experiment="tests").open(logged_run(outputs / "run", step=90))
    assert runs(outputs)[0].info.status == "RUNNING"
    log.close("diverged")
    (one,) = runs(outputs)
    assert (one.info.run_id, one.info.status, one.data.tags["status"]) == (before, "FAILED", "diverged")
