"""Weights & Biases."""

import io
import os
import struct
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from PIL import Image

from ganctl.loggers.logger import LOGGERS, Log, LoggedRun, Logger
from ganctl.loggers.parts.guarded import LONGEST_CLOSE
from ganctl.loggers.parts.replica import SAMPLES, STEP, Replica, run_id
from ganctl.runtime.bounded import opened

FILE_HEAD, BLOCK, RECORD_HEAD = 7, 1 << 15, struct.Struct("<IHB")
"""Of a .wandb file: bytes before its first block, bytes of a block, and a record's checksum, size and kind."""

LONGEST_START = 15.0
"""Seconds in which the server must answer; a run that ends before waits for the rest of them."""

ENDS_RECORD = (1, 4)
"""Kinds of parts with which a record is whole: all of it, or its last part."""


class WandbRun(Replica):
    """Logs to a run of W&B, whose own step is the row; its page shows numbers over the key `step`."""

    def __init__(self, run: LoggedRun, options: "Wandb") -> None:
        import wandb

        id = run_id(run.folder)
        before = rows_written(run.folder, id) if options.mode == "offline" else 0
        quiet = wandb.Settings(
            silent=True,
            console="off",
            disable_git=True,
            disable_code=True,
            save_code=False,
            symlink=False,
            init_timeout=LONGEST_START,
            finish_timeout=LONGEST_CLOSE,
            host="",
            x_disable_meta=True,
            x_disable_machine_info=True,
            x_disable_stats=not options.machine,
            x_save_requirements=False,
            x_transaction_log_flush_interval=1.0,
        )
        self._run = wandb.init(
            dir=str(run.folder),
            mode=options.mode,
            project=options.project,
            entity=options.entity,
            name=run.folder.name,
            id=id,
            resume="allow",
            reinit="create_new",
            config=dict(run.config),
            settings=quiet,
        )
        self._run.define_metric("*", step_metric=STEP)
        super().__init__(max(before, self._run.starting_step - 1))

    def send(self, row: int, step: int, values: Mapping[str, float]) -> None:
        """Log a row as the step of its number."""
        self._run.log({STEP: step, **values}, step=row)

    def send_image(self, row: int, step: int, png: bytes) -> None:
        """Log an image with the row that came before it."""
        import wandb

        shown = wandb.Image(Image.open(io.BytesIO(png)), caption=f"step {step:,}")
        self._run.log({SAMPLES: shown}, step=row)

    def best(self, step: int, name: str, value: float) -> None:
        """Write the best score and its step into the run's summary."""
        self._run.summary.update({f"best/{name}": value, "best/step": step})

    def close(self, status: str) -> None:
        """Finish the run, as a failed one if it is."""
        self._run.summary["status"] = status
        self._run.finish(exit_code=0 if status in ("complete", "stopped") else 1)


@LOGGERS.register
class Wandb(Log):
    """A run on wandb.ai or a server of your own, or in files of the run's folder that `wandb sync` sends later."""

    name: Literal["wandb"]
    mode: Literal["online", "offline"]
    project: str
    entity: str | None
    machine: bool

    distant = True

    def problem(self) -> str | None:
        """Return that wandb is missing, if it is."""
        if "wandb" not in sys.modules:  # which reads these when it is imported
            os.environ.pop(
                "WANDB_SERVICE", None
            )  # of a parent: it would keep the run open if this process is killed
            os.environ |= {"WANDB_ERROR_REPORTING": "false", "WANDB_SILENT": "true"}
        try:
            import wandb  # noqa: F401
        except ImportError as error:
            return f"logs.wandb: needs wandb ({error}); pip install 'ganctl[wandb]', or leave it out of logs=[…]"
        return None

    def open(self, run: LoggedRun) -> Logger:
        """Return W&B's run of the folder's own id, which goes on."""
        return WandbRun(run, self)


def rows_written(folder: Path, id: str) -> int:
    """Return the number of the last row in the .wandb files that earlier processes of a run left in its folder."""
    files = folder.glob(f"wandb/*run-*-{id}/run-{id}.wandb")
    return max((record.history.step.num for path in files for record in records(path)), default=0)


def records(path: Path) -> Iterator[Any]:
    """Yield what a .wandb file holds: W&B's messages in the format of LevelDB's log, up to where it is cut off."""
    from google.protobuf.message import DecodeError
    from wandb.proto import wandb_internal_pb2 as messages

    with opened(path) as file:
        file.seek(FILE_HEAD)
        whole = b""
        while True:
            left = BLOCK - file.tell() % BLOCK
            if left < RECORD_HEAD.size:
                file.seek(left, os.SEEK_CUR)
            head = file.read(RECORD_HEAD.size)
            if len(head) < RECORD_HEAD.size:
                return
            _, size, kind = RECORD_HEAD.unpack(head)
            whole += file.read(size)
            if kind in ENDS_RECORD:
                record = messages.Record()  # type: ignore[attr-defined]
                try:
                    record.ParseFromString(whole)
                except DecodeError:
                    return
                yield record
                whole = b""
