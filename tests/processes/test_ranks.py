"""Ranks: one process is rank 0 of 1, and several average their gradients."""

import subprocess
import sys
from pathlib import Path

import torch

from ganctl.processes.ranks import Ranks

ONE_OF_TWO = """\
import sys

import torch
from torch import distributed

from ganctl.processes.ranks import Ranks

rank = int(sys.argv[1])
distributed.init_process_group("gloo", init_method=f"file://{sys.argv[2]}", rank=rank, world_size=2)
ranks = Ranks.here()
gradients = [torch.full((2,), float(rank)), torch.tensor(4.0 * rank)]
ranks.average(gradients)
print(ranks.rank, ranks.world, ranks.first, [gradient.tolist() for gradient in gradients])
distributed.destroy_process_group()
"""


def test_one_process_without_a_group_is_rank_0_of_1_and_averages_nothing() -> None:
    ranks = Ranks.here()
    assert (ranks.rank, ranks.world, ranks.first) == (0, 1, True)
    gradient = torch.tensor([1.0, float("nan")])
    before = gradient.clone()
    ranks.average([gradient])
    assert torch.equal(gradient[:1], before[:1])
    assert gradient[1].isnan()


def test_two_processes_end_with_the_means_of_their_gradients(tmp_path: Path) -> None:
    (tmp_path / "one.py").write_text(ONE_OF_TWO)
    started = [
        subprocess.Popen(
            [sys.executable, str(tmp_path / "one.py"), str(rank), str(tmp_path / "meeting")],
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    told = [process.communicate(timeout=60)[0] for process in started]
    assert told == ["0 2 True [[0.5, 0.5], 2.0]\n", "1 2 False [[0.5, 0.5], 2.0]\n"]
