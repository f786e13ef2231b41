"""MLflow."""

import io
import logging
import os
import re
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal

from PIL import Image

from ganctl.loggers.logger import LOGGERS, Log, LoggedRun, Logger
from ganctl.loggers.parts.replica import SAMPLES, Replica, run_id
from ganctl.runtime.disk import temporary

ROW = "system/row"
"""The number that tells which line of metrics.jsonl came last."""

TAG = "ganctl.run"
MOST_PARAMETERS = 100
"""Of one request."""

STATES = {"complete": "FINISHED", "stopped": "KILLED"}
"""MLflow's words for how a run ended; any other failed."""


class MlflowRun(Replica):
    """Logs to the run of an MLflow store that has the folder's id as a tag."""

    def __init__(self, run: LoggedRun, options: "Mlflow") -> None:
        from mlflow.entities import Metric, Param
        from mlflow.tracking import MlflowClient

        for name in ("mlflow", "alembic"):
            logging.getLogger(name).setLevel(logging.WARNING)
        self._metric, self._parameter = Metric, Param
        outputs = run.folder.absolute().parent
        uri = options.uri or os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{outputs / 'mlflow.db'}"
        if (file := re.fullmatch(r"sqlite:///([^?]+)", uri)) is not None:
            make_store(Path(file[1]), temporary(run.folder / "mlflow.db"))
        self._client = MlflowClient(tracking_uri=uri)
        place = (outputs / ".mlflow").as_uri() if uri.startswith("sqlite:") else None
        experiment, id = self._experiment(options.experiment, place), run_id(run.folder)
        found = self._client.search_runs([experiment], f"tags.`{TAG}` = '{id}'", max_results=1)
        known = (
            found[0] if found else self._client.create_run(experiment, run_name=run.folder.name, tags={TAG: id})
        )
        self._id = known.info.run_id
        self._best = int(known.data.metrics.get("best/step", -1))
        self._client.update_run(self._id, status="RUNNING")
        super().__init__(int(known.data.metrics.get(ROW, 0)))

    def _experiment(self, name: str, place: str | None) -> str:
        """Return the id of an experiment, which another process may make at the same time."""
        from mlflow.exceptions import MlflowException

        known = self._client.get_experiment_by_name(name)
        if known is None:
            try:
                return str(self._client.create_experiment(name, place))
            except MlflowException:
                known = self._client.get_experiment_by_name(name)
                if known is None:
                    raise
        return str(known.experiment_id)

    def config(self, run: LoggedRun) -> None:
        """Log the keys that determine numbers as parameters, and the whole config as a file."""
        if self._held:
            return
        given = [self._parameter(key, str(value)) for key, value in run.identity.items()]
        for start in range(0, len(given), MOST_PARAMETERS):
            self._client.log_batch(self._id, params=given[start : start + MOST_PARAMETERS])
        self._client.log_dict(self._id, dict(run.config), "config.yaml")

    def send(self, row: int, step: int, values: Mapping[str, float]) -> None:
        """Log a row in one request, which its store takes as a whole or not at all."""
        self._log(step, {**values, ROW: row})

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        now = int(time.time() * 1000)
        self._client.log_batch(self._id, [self._metric(key, each, now, step) for key, each in values.items()])

    def send_image(self, row: int, step: int, png: bytes) -> None:
        """Log an image, through which the run's page slides by step."""
        self._client.log_image(self._id, Image.open(io.BytesIO(png)), key=SAMPLES, step=step, synchronous=True)

    def best(self, step: int, name: str, value: float) -> None:
        """Log the best score so far, which has its own name, and its step."""
        if step > self._best:
            self._log(step, {f"best/{name}": value, "best/step": step})
            self._best = step

    def close(self, status: str) -> None:
        """Say how the run ended."""
        self._client.set_tag(self._id, "status", status)
        self._client.set_terminated(self._id, STATES.get(status, "FAILED"))


def make_store(path: Path, unfinished: Path) -> None:
    """Make an SQLite store that does not exist, first in a folder `unfinished`.

    MLflow needs seconds for its tables, and never opens a store again whose making was killed.
    """
    from mlflow.tracking import MlflowClient

    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished.mkdir()
    try:
        MlflowClient(tracking_uri=f"sqlite:///{(unfinished / path.name).absolute()}").search_experiments()
        with suppress(FileExistsError):  # another run was faster
            os.link(unfinished / path.name, path)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


@LOGGERS.register
class Mlflow(Log):
    """A run in an MLflow store: a local database, or a server."""

    name: Literal["mlflow"]
    uri: str | None
    experiment: str

    distant = True

    def problem(self) -> str | None:
        """Return that MLflow is missing, or that the address holds a password, which files would keep."""
        if self.uri is not None and re.match(r"[^/]+://[^/]*@", self.uri):
            return (
                "logs.mlflow.uri: holds a user's name or password, which config.yaml and checkpoints would keep; "
                "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the whole address as "
                "MLFLOW_TRACKING_URI"
            )
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # read when it is imported
        try:
            import alembic  # noqa: F401
            import mlflow  # noqa: F401
            import sqlalchemy  # noqa: F401
        except ImportError as error:
            return (
                f"logs.mlflow: needs MLflow ({error}); pip install 'ganctl[mlflow]', or leave it out of logs=[…]"
            )
        return None

    def open(self, run: LoggedRun) -> Logger:
        """Return the run of the folder's own id, which goes on."""
        return MlflowRun(run, self)
