"""What the command line composes, without running it."""

from typing import Any

from ganctl.command_line import compose


def composed(*words: str, command: str = "train") -> dict[str, Any]:
    """Return the config that the command's arguments compose to, as plain data."""
    (job,) = compose.jobs(command, words)
    return job.values()


EARLIER_TRAINING = ("optimizer.betas=[0.5,0.99]", "penalty.r1.weight=1")
EARLIER_DEFAULTS = ("model.generator.width=64", "model.discriminator.width=64", *EARLIER_TRAINING)
"""The first defaults of every model's training, and of DCGAN: the names of older folders follow from them."""
