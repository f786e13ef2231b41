"""Killed at any stage of a save, or of anything else that it writes, a run goes on exactly."""

from pathlib import Path

import pytest

from scripts.soaks.kills import RUN, SAVES, STAGES
from scripts.soaks.parts import DATA, prepare
from scripts.soaks.traces import files, traces, whole_steps
from scripts.soaks.warm import Warm
from tests.behaviours.runs import TINY

EVERY, KEEP = 3, 2
WORDS = [
    "train",
    *TINY,
    *DATA["folder"].split(),
    "device.precision=bf16",
    "model.discriminator.dropout=0.2",
    f"train.steps={SAVES * EVERY}",
    "logging.every=1",
    "sample.every=4",
    f"checkpoint.every={EVERY}",
    f"checkpoint.keep={KEEP}",
]
pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc, as Linux has it")


@pytest.fixture(scope="module")
def uninterrupted(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("uninterrupted")
    prepare(folder)
    ended = warm.run(folder, *WORDS)
    assert ended.code == 0, ended.err
    return folder / RUN


def assert_killed_where_it_should(warm: Warm, folder: Path, stage: str) -> None:
    ended = warm.run(folder, *WORDS, stage=stage)
    assert ended.code == -9, f"{stage} was never reached: {ended.out} {ended.err}"


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at_a_stage_a_run_goes_on_exactly(
    stage: str, warm: Warm, uninterrupted: Path, tmp_path: Path
) -> None:
    prepare(tmp_path)
    done = 0
    for killed_at in [stage] if STAGES[stage].once is None else [STAGES[stage].once, stage]:
        assert killed_at is not None
        assert_killed_where_it_should(warm, tmp_path, killed_at)
        done += STAGES[killed_at].save
    steps = whole_steps(tmp_path / RUN)
    assert len(steps) >= min(KEEP, max(0, done - 1)), "a good checkpoint is gone"
    assert max(steps, default=0) >= EVERY * (done - 1)
    ended = warm.run(tmp_path, *WORDS)
    assert ended.code == 0, ended.err
    if max(steps, default=0) < SAVES * EVERY:
        assert (f"resumed at step {steps[0]}," if steps else "(new,") in ended.out
    assert traces(tmp_path / RUN) == traces(uninterrupted)
    assert files(tmp_path / "outputs") == files(uninterrupted.parent)
