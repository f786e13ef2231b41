"""What can go wrong for a user: one class an exit code, and the words of its one line."""

import difflib
import errno
import os
import signal
from collections.abc import Iterable
from pathlib import Path


class GanctlError(Exception):
    """A mistake or mishap that one line explains to the user."""

    exit_code = 2


class ConfigError(GanctlError):
    """A wrong command, key, option or value, or a place that cannot be written."""


class UnknownNameError(ConfigError):
    """A name that no table has."""

    def __init__(self, message: str, key: str, name: str) -> None:
        super().__init__(message)
        self.key = key
        self.name = name


class SizeError(ConfigError):
    """A size of images that a model cannot make; `sides` are the nearest that it can, in pixels."""

    def __init__(self, message: str, sides: tuple[int, ...]) -> None:
        super().__init__(message)
        self.sides = sides


class WriteError(ConfigError):
    """A place that cannot be written: the disk is full, failing or read-only, or its owner forbids it."""

    @classmethod
    def of(cls, path: Path, number: int | None) -> "WriteError":
        """Return the error of a path and the system's number for what went wrong."""
        reason = os.strerror(number) if number else "the system does not say why"
        return cls(f"{path}: cannot be written ({reason}); {REMEDIES.get(number or 0, 'look at the disk')}")


class BusyError(ConfigError):
    """A run folder that another process trains in."""


class MovedError(ConfigError):
    """A run folder whose name no longer leads to the folder that this process trains in."""


REMEDIES = {
    errno.ENOTDIR: "a file stands where a folder is to be; name another place",
    errno.ENOSPC: "make room on the disk",
    errno.EDQUOT: "make room within your quota",
    errno.EFBIG: "raise the limit on the size of files",
    errno.EROFS: "mount it so that it can be written",
    errno.EACCES: "check its permissions",
    errno.EPERM: "check its permissions",
    errno.EIO: "the disk fails: look at the system's log",
}


class DataError(GanctlError):
    """Data that is missing or cannot be used."""

    exit_code = 3


class CheckpointError(GanctlError):
    """A checkpoint or run folder that is missing, damaged or foreign."""

    exit_code = 4


class DamageError(CheckpointError):
    """A checkpoint whose bytes are not those that were written."""


class PluginError(CheckpointError):
    """A run that is made of something which a plugin that was not named on the command line adds."""


class DivergenceError(GanctlError):
    """Training that produced a number which is not finite."""

    exit_code = 5


class TimeUpError(GanctlError):
    """Training that reached its time limit; the state is saved, and the same command goes on."""

    exit_code = 6


class PeerError(GanctlError):
    """Another process of the job has ended, or does not answer; `silent` if it says why."""

    exit_code = 7

    def __init__(self, message: str, *, code: int = 7, silent: bool = False) -> None:
        super().__init__(message)
        self.exit_code = code
        self.silent = silent


class Stopped(BaseException):
    """A signal asked the process to end; whatever could be saved has been saved.

    Not an `Exception`, so that it also ends a sweep instead of failing one job of it.
    """

    def __init__(self, number: int, message: str = "") -> None:
        super().__init__(message or f"stopped by {signal.Signals(number).name}")
        self.number = number
        self.exit_code = 128 + number


def explained(error: Exception) -> GanctlError:
    """Return the mistake or mishap of a user's that an error tells of; raise one that tells of a programmer's."""
    if isinstance(error, GanctlError):
        return error
    if isinstance(error, OSError) and (error.filename is not None or error.errno is not None):
        return ConfigError(f"{error.filename or 'the system'}: {error.strerror}")
    if isinstance(error, MemoryError | RuntimeError) and tells_of_memory(error):
        return ConfigError(
            "out of memory; lower train.batch_size, the model's widths or the images' size (of a trained "
            "generator batch_size or num); where a run was evaluating, evaluate.num or evaluate.every=0"
        )
    raise error


OUT_OF_MEMORY = (
    "OutOfMemoryError",
    "MemoryError",
    "can't allocate memory",
    "Storage size calculation overflowed",
    "cannot be represented as a SymInt",
)
"""Of which an error has one in its class or its text when memory ran out, or could never have held a tensor."""


def tells_of_memory(error: Exception) -> bool:
    """Return whether an error of any class says that memory ran out."""
    return any(word in f"{type(error).__name__} {error}" for word in OUT_OF_MEMORY)


LONGEST_LINE = 1000
"""Characters of one line to a user; of longer ones the middle is left out."""


def one_line(text: str) -> str:
    """Return a text as one line that a terminal only shows, whoever wrote the names in it.

    A break, with what indents the next line, becomes a space; other unprintable characters are spelt out as
    Python would.
    """
    if len(text) > LONGEST_LINE:
        half = LONGEST_LINE // 2
        text = f"{text[:half]} … {text[-half:]}"
    first, *more = text.splitlines() or [""]
    line = " ".join([first, *(part.strip() for part in more)]).rstrip()
    return "".join(each if each.isprintable() else each.encode("unicode_escape").decode() for each in line)


def counted(number: int, noun: str) -> str:
    """Return a number and what it counts, such as "1 image" or "1,797 images"."""
    plural = f"{noun}es" if noun.endswith(("s", "x", "ch")) else f"{noun}s"
    return f"{number:,} {noun if number == 1 else plural}"


def nearest(name: str, names: Iterable[str]) -> str:
    """Return " (did you mean 'x'?)" for the closest of `names`, or an empty string."""
    alike = {_folded(each): each for each in names}
    close = difflib.get_close_matches(_folded(name), list(alike), n=1, cutoff=0.6)
    return f" (did you mean '{alike[close[0]]}'?)" if close else ""


def _folded(name: str) -> str:
    return name.casefold().replace("-", "_")
