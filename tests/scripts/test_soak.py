"""The soak: kills at random moments, and what it makes of a run that does not come back as it was."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from scripts.soaks.__main__ import table
from scripts.soaks.configs import CONFIGS
from scripts.soaks.soak import Killer, Reference, jobs, reference, soak
from scripts.soaks.warm import Warm

RING, FOLDER = "ring fp64 wgan_gp rmsprop", "folder bf16 feature_matching"


@pytest.fixture(scope="module")
def whole(warm: Warm, tmp_path_factory: pytest.TempPathFactory) -> Reference:
    return reference(warm, tmp_path_factory.mktemp("whole") / "run", CONFIGS[RING], 0.0)


def test_four_kills_lose_no_run_and_change_no_bit(warm: Warm, tmp_path: Path) -> None:
    rows = soak({name: CONFIGS[name] for name in (RING, FOLDER)}, 4, 0, [warm], tmp_path)
    assert [row.kills for row in rows] == [2, 2]
    assert [(row.lost, row.differing, row.kept) for row in rows] == [(0, 0, [])] * 2
    assert all(sum(row.where.values()) == row.kills for row in rows)
    assert table(rows).splitlines()[-1].split()[:3] == ["total", str(sum(row.runs for row in rows)), "4"]


def test_a_run_that_ends_otherwise_is_counted_named_and_kept(warm: Warm, whole: Reference, tmp_path: Path) -> None:
    other = replace(whole, left=whole.left | {"metrics": []})
    row = Killer(warm, RING, other, random.Random(1)).play(tmp_path, 1, 1)
    assert (row.kills, row.lost, row.differing) == (1, 0, row.runs)
    assert row.kept[0].endswith("differs in metrics")
    assert (tmp_path / "run-0/outputs/run/metrics.jsonl").exists()


def test_a_run_that_does_not_go_on_is_lost(warm: Warm, whole: Reference, tmp_path: Path) -> None:
    other = replace(whole, words=[*whole.words, "seed=-1"], life=60.0)
    row = Killer(warm, RING, other, random.Random(1)).play(tmp_path, 1, 1)
    assert (row.runs, row.kills, row.lost, row.differing) == (1, 0, 1, 0)
    assert "exit code 2" in row.kept[0]
    assert "seed" in row.kept[0]


@pytest.mark.parametrize("kills", [1, 4, 5, 100, 103])
def test_jobs_hold_each_kill_once_over_the_configs_in_turn(kills: int) -> None:
    todo = jobs(CONFIGS, kills)
    assert sum(job.kills for job in todo) == kills
    assert [job.first for job in todo] == [1 + sum(job.kills for job in todo[:n]) for n in range(len(todo))]
    assert {job.config for job in todo} == set(list(CONFIGS)[:kills])


def test_a_hundred_kills_reach_each_case_of_a_matrix() -> None:
    configs: dict[str, list[str]] = {f"case {number}": [] for number in range(49)}
    assert {job.config for job in jobs(configs, 100)} == configs.keys()
