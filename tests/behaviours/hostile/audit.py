"""A hook that stops what loading a file must never do."""

import os
import sys
from typing import Any

FORBIDDEN = frozenset(
    {
        "pickle.find_class",
        "exec",
        "compile",
        "import",
        "os.system",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.posix_spawn",
        "os.spawn",
        "subprocess.Popen",
        "ctypes.dlopen",
        "socket.connect",
    }
)
OWN_LIBRARY = "libc.so.6"
"""What ganctl itself opens, to tell the allocator how training uses memory."""


class Guard:
    """Context in which whatever would run other code, or write outside the working folder, is noted and stopped.

    It may be entered again and again; Python takes no hook away that was once added.
    """

    def __init__(self) -> None:
        self.noted: list[str] = []
        self._active = False
        self._here = os.getcwd() + os.sep
        sys.addaudithook(self._hook)

    def __enter__(self) -> "Guard":
        self._active = True
        return self

    def __exit__(self, *_: object) -> None:
        self._active = False

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self._active and _is_forbidden(event, arguments, self._here):
            self.noted.append(f"{event} {arguments!r:.200}")
            raise PermissionError(f"audit: {self.noted[-1]}")


def _is_forbidden(event: str, arguments: tuple[Any, ...], here: str) -> bool:
    if event == "open":
        path, _, flags = arguments
        writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
        if not writes or not isinstance(path, str | bytes | os.PathLike):
            return False
        return not os.path.realpath(os.fsdecode(path)).startswith((here, "/proc/", "/dev/null"))
    if event == "import" and arguments[0] in sys.modules:
        return False
    return event in FORBIDDEN and (event, arguments[:1]) != ("ctypes.dlopen", (OWN_LIBRARY,))
