"""Plays games as one of several ranks: python -m tests.processes.play <rank> <world> <folder>."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import distributed

from ganctl.checkpoints import state
from ganctl.game.scalars import measure
from ganctl.game.step import Game, train_step
from tests.game.games import small_game

STEPS = 10


def played(model: str, data: str, words: list[str]) -> tuple[Game, dict[str, float]]:
    """Return a small game after a few steps in fp64, and the numbers that would be logged."""
    game = small_game("device.precision=fp64", *words, model=model, data=data)
    for step in range(STEPS):
        train_step(game, step)
    game.check()
    game.share_values()
    return game, measure(game, STEPS - 1)


def main(rank: int, world: int, folder: Path) -> None:
    """Play every case of cases.json; leave the state and the numbers of this rank, or what went wrong."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=world)
    for number, (model, data, words) in enumerate(json.loads((folder / "cases.json").read_text())):
        game, numbers = played(model, data, words)
        save_file(
            {key: value.contiguous() for key, value in state.tensors(game).items()}, folder / f"{number}-{rank}"
        )
        (folder / f"{number}-{rank}.json").write_text(json.dumps(numbers))
    distributed.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
