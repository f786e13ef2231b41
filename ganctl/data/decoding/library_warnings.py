"""Warnings of Pillow and libtiff while an image decodes: reported on request, never printed."""

import ctypes
import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_heard = threading.local()
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)

logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python prints what it logs, where nobody listens


def _note(text: str) -> None:
    if not getattr(_heard, "text", ""):
        _heard.text = text


_libtiff = _HANDLER(lambda module, *_: _note(f"libtiff: {(module or b'').decode(errors='replace')}"))


def silence_libtiff() -> bool:
    """Take libtiff's messages, which go to C's standard error, from now on; return whether it is reached."""
    from PIL import _imaging

    try:
        libtiff = ctypes.CDLL(_imaging.__file__)
        for name in ("TIFFSetWarningHandler", "TIFFSetErrorHandler"):
            function = getattr(libtiff, name)
            function.restype = ctypes.c_void_p
            function(_libtiff)
    except (AttributeError, OSError):
        return False  # a Pillow without libtiff, or one that hides it
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Keep Python's warnings and libtiff's messages off the terminal within the block, in all threads."""
    silence_libtiff()
    complaint()  # forget what earlier images caused
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.showwarning = lambda message, *_, **__: _note(str(message))
        yield


def complaint() -> str:
    """Return the first complaint in this thread since the last call, or nothing."""
    text: str = getattr(_heard, "text", "")
    _heard.text = ""
    return text
