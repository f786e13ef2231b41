"""TensorBoard's event file."""

from typing import Literal

from ganctl.loggers.logger import LOGGERS, Log, LoggedRun, Logger

EVENTS = "events.out.tfevents.0.ganctl"


@LOGGERS.register
class TensorBoard(Log):
    """What `tensorboard --logdir outputs` shows: numbers, images, the config and its hyperparameters."""

    name: Literal["tensorboard"]

    file, kept_as = EVENTS, "events.earlier-{}"

    def open(self, run: LoggedRun) -> Logger:
        """Return the event file; TensorBoard's modules are imported here, where they are needed."""
        from ganctl.loggers.parts.event_file import EventFile

        return EventFile(run.folder / self.file, run.marks)
