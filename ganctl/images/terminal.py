"""Images in the terminal."""

import os
import sys

import numpy as np

from ganctl.images.png import to_image
from ganctl.runtime.console import watched


def show(pixels: np.ndarray) -> None:
    """Draw an image, uint8 [height, width, channels], in the terminal; nothing where none can be asked.

    By sixels or kitty's protocol if the terminal says that it knows one, else by characters of half a cell. It is
    as wide as the terminal, but no wider than a cell for each of its pixels. What is transparent is black.
    """
    if not watched() or not _answers():
        return
    from rich import get_console
    from textual_image.renderable import Image  # asks the terminal what it knows

    console = get_console()
    width = min(console.width, pixels.shape[1])
    console.print(Image(to_image(pixels).convert("RGB"), width=width, height="auto"))


def _answers() -> bool:
    """Return whether the terminal has a size, and whether this process may read its answers: in the foreground."""
    try:
        asked = sys.stdin.fileno()
        foreground = os.isatty(asked) and os.tcgetpgrp(asked) == os.getpgrp()
        return foreground and os.get_terminal_size(sys.stdout.fileno()).columns > 0
    except (OSError, ValueError):  # no terminal, or no input at all
        return False
