"""What a run logs to, one kind of log a file; importing the package fills the table `LOGGERS`."""

from ganctl.loggers.logger import LOGGERS, Log, LoggedRun, Logger
from ganctl.registry import import_members

__all__ = ["LOGGERS", "Log", "LoggedRun", "Logger"]

import_members(__name__)
