"""Under which names people find the numbers of metrics.jsonl on the pages of other tools."""

FIRST = ("evaluate", "health", "loss", "samples")
"""Groups that keep their names: what people look for."""

SYSTEM = ("images", "images_per_second", "data_wait")
"""Numbers of the machine."""


def tag(key: str) -> str:
    """Return a number's name where pages sort groups by the alphabet.

    Scores, health, losses and samples come first, then the other numbers of the step, at last the machine's.
    """
    if key in SYSTEM:
        return f"system/{key}"
    return key if key.partition("/")[0] in FIRST else f"step/{key}"
