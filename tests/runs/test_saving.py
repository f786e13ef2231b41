"""What a start costs: each checkpoint is opened once, and its config validated once."""

from pathlib import Path

import pytest

from ganctl.checkpoints import saved_config, verify
from tests.conftest import TINY, Cli

RUN = Path("outputs/run")


@pytest.mark.parametrize("way", [["train", *TINY, "name=run"], ["resume", str(RUN)]])
def test_the_newest_checkpoint_is_opened_and_validated_once_a_start(
    way: list[str], trained: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[Path] = []
    validated: list[Path] = []
    read_header, saved_train_config = verify.read_header, saved_config.saved_train_config

    def reading(path: Path) -> object:
        opened.append(path)
        return read_header(path)

    def validating(values: object, place: Path, plugins: object = ()) -> object:
        validated.append(place)
        return saved_train_config(values, place, plugins)  # type: ignore[arg-type]

    for place in ("checkpoints.verify", "folders.checkpoint_folder"):
        monkeypatch.setattr(f"ganctl.{place}.read_header", reading)
    monkeypatch.setattr("ganctl.checkpoints.file.saved_train_config", validating)
    newest = RUN / "checkpoints/step-00000001.safetensors"
    assert newest.is_file()
    outcome = cli(*way, "train.steps=2")
    assert (outcome.code, outcome.err) == (0, "")
    assert opened.count(newest) == 1
    assert validated == [newest]


def test_a_checkpoint_that_was_written_anew_is_opened_anew(trained: Path) -> None:
    path = RUN / "checkpoints/step-00000001.safetensors"
    first = verify.open_checkpoint(path)
    assert verify.open_checkpoint(path) is first
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    assert verify.open_checkpoint(path) is not first
