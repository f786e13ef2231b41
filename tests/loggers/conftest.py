"""One run with every log that is installed, killed and gone on with."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from ganctl.loggers.mlflow import make_store
from scripts.soaks.warm import Warm
from tests.conftest import TINY
from tests.loggers.logged import RUN, killed_after

NEEDED = {"jsonl": "json", "tensorboard": "tensorboard", "csv": "csv", "wandb": "wandb", "mlflow": "mlflow"}
LOGS = [name for name, module in NEEDED.items() if find_spec(module)]
WORDS = [
    *("train", *TINY, "name=run", "seed=3", "logging.every=1", "checkpoint.every=40", "train.steps=90"),
    *("sample.every=30", "sample.num=2", "evaluate.every=45", "evaluate.num=8", "metric/features=raw"),
    f"logs=[{','.join(LOGS)}]",
    *(["logs.wandb.mode=offline", "logs.wandb.project=tests"] if "wandb" in LOGS else []),
    *(["logs.mlflow.experiment=tests"] if "mlflow" in LOGS else []),
]


@pytest.fixture(scope="session")
def killed_run(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was killed once it had logged step 60, and went on from step 45."""
    folder = tmp_path_factory.mktemp("killed")
    if "mlflow" in LOGS:
        make_store(folder / "outputs/mlflow.db", folder / "unfinished")
        assert not (folder / "unfinished").exists()
    killed_after(warm, folder, 60, *WORDS)
    code, out, err = warm.finish(folder, *WORDS)
    assert (code, err) == (0, "")
    assert "resumed at step 45" in out
    assert "logs." not in out
    return folder / RUN
