"""The browser of this machine, where it has one."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")


class Seen(NamedTuple):
    """What a page did: lines of its console, errors and dialogs, and the addresses that it asked for."""

    wrong: list[str]
    asked: list[str]


@contextmanager
def observed(browser: "sync_api.Browser") -> Iterator[tuple["sync_api.Page", Seen]]:
    """Open an empty page; it is closed with the block."""
    page, seen = browser.new_page(viewport={"width": 1200, "height": 860}), Seen([], [])
    page.on("console", lambda message: seen.wrong.append(message.text))
    page.on("pageerror", lambda error: seen.wrong.append(str(error)))
    page.on("dialog", lambda dialog: seen.wrong.append(dialog.message))
    page.on("request", lambda request: seen.asked.append(request.url))
    yield page, seen
    page.close()


@contextmanager
def launched() -> Iterator["sync_api.Browser"]:
    """Start the browser; it ends with the block."""
    with sync_api.sync_playwright() as play:
        chromium = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()
