"""What the command line composes, without running it."""

import copy
from functools import cache
from typing import Any

from ganctl.command_line import compose


def composed(*words: str, command: str = "train") -> dict[str, Any]:
    """Return the config that the command's arguments compose to, as plain data.

    Equal arguments are composed once; a folder of --config-dir may have changed.
    """
    once = _composed.__wrapped__ if any(word.startswith("--") for word in words) else _composed
    return copy.deepcopy(once(command, words))


@cache
def _composed(command: str, words: tuple[str, ...]) -> dict[str, Any]:
    (job,) = compose.jobs(command, words)
    return job.values()


EARLIER_TRAINING = ("optimizer.betas=[0.5,0.99]", "penalty.r1.weight=1")
EARLIER_DEFAULTS = ("model.generator.width=64", "model.discriminator.width=64", *EARLIER_TRAINING)
"""The first defaults of every model's training, and of DCGAN: the names of older folders follow from them."""
