"""What torchrun tells the processes that it starts: how many there are, and which one this is."""

import os


def size_of_job() -> int:
    """Return how many processes are to do one thing together, 1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "MASTER_ADDR" in os.environ else 1


def rank_in_job() -> int:
    """Return the number of this process among them, from 0."""
    return int(os.environ.get("RANK", "0")) if size_of_job() > 1 else 0
