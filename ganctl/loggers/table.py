"""Loggers of a run, one class each; a further one is a file here and a row in the table."""

from ganctl.loggers.jsonl import JsonLines
from ganctl.loggers.logger import Logger
from ganctl.loggers.tensorboard import TensorBoard

LOGGERS: tuple[type[Logger], ...] = (JsonLines, TensorBoard)
