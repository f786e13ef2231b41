"""Signals at moments that no clock could hit: a plugin by which a run signals itself."""

import signal
from pathlib import Path

MOMENTS = {
    "load": "ganctl.data.sources.digits.Digits.load",
    "update": "ganctl.game.step.learn",
    "step": "ganctl.runs.runner.train_step",
    "picture": "ganctl.runs.drawing.generate",
    "write": "ganctl.checkpoints.file.write",
    "save": "ganctl.checkpoints.file.save_file",
    "synced": "ganctl.checkpoints.file.sync",
    "compare": "ganctl.runs.evaluation.Comparison.numbers",
}
"""Functions of a run, by what they do."""

PLUGIN = """\
import os, pkgutil, signal

place, _, name = "{function}".rpartition(".")
owner = pkgutil.resolve_name(place)
whole = getattr(owner, name)
left = {calls}

def signalled(*arguments, **more):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.{signal})
    return whole(*arguments, **more)

setattr(owner, name, signalled)
"""


def signal_itself(folder: Path, moment: str, calls: int, number: signal.Signals) -> str:
    """Let runs in a folder signal themselves at a call of one of `MOMENTS`, by the word that is returned."""
    text = PLUGIN.format(function=MOMENTS[moment], calls=calls, signal=number.name)
    (folder / "moment.py").write_text(text)
    return "plugins=[moment]"
