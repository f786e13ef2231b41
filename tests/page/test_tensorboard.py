"""TensorBoard in a browser, started on run folders: it shows their numbers, their samples and their settings."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from ganctl.cli import main
from scripts.soaks.configs import small_words
from tests.page.chromium import launched, needs_chromium, sync_api

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve two runs of two steps; return TensorBoard's address."""
    folder = tmp_path_factory.mktemp("tensorboard")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for name in ("first", "second"):
            words = small_words(
                "train.steps=2", "logging.every=1", "sample.every=1", f"name={name}", model="dcgan"
            )
            assert main(["train", *words]) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "tensorboard.main", "--logdir", "outputs", "--port", "0", "--load_fast", "false"],
        cwd=folder,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    with process:
        assert process.stderr is not None
        found = (re.search(r"at (http://\S+)", line) for line in process.stderr)
        yield next(match[1] for match in found if match is not None)
        process.kill()


@pytest.fixture
def page(address: str) -> Iterator["sync_api.Page"]:
    with launched() as browser:
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.set_default_timeout(60_000)
        yield page


def seen(page: "sync_api.Page", text: str) -> None:
    """Wait until a text can be seen; TensorBoard keeps those of its other pages hidden."""
    page.get_by_text(text, exact=True).filter(visible=True).first.wait_for()


def test_numbers_samples_and_settings_of_runs_are_shown(page: "sync_api.Page", address: str) -> None:
    page.goto(f"{address}#timeseries")
    page.get_by_role("combobox", name="Filter tags (regex)").fill("loss")
    sync_api.expect(page.locator("scalar-card").first).to_contain_text("loss", timeout=60_000)
    for name in ("first", "second"):
        seen(page, name)
    page.goto(f"{address}#images")
    image = page.locator("tf-image-loader img").first
    image.wait_for()
    assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.goto(f"{address}#hparams")
    seen(page, "loss.name")
    for text in ("first", "second", "nonsaturating"):
        seen(page, text)
