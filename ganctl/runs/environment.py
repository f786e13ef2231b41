"""What the bits of a run depend on, apart from its config."""

import platform
from collections.abc import Mapping

import torch

from ganctl import __version__, plugins
from ganctl.checkpoints.file import Header, Inexact
from ganctl.config import TrainConfig
from ganctl.runtime.console import say
from ganctl.runtime.device import Device


def environment(config: TrainConfig, device: Device) -> dict[str, str]:
    """Return what the bits of a run depend on, apart from its config: versions, plugins, device and precision."""
    terms: dict[str, str] = {}
    compiled = " compiled" if config.device.compile else ""
    for auxiliary in config.auxiliary.values():
        terms |= auxiliary.versions()
    return {
        **terms,
        **plugins.sources(config.plugins),
        "ganctl": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "machine": f"{platform.machine()} {torch.backends.cpu.get_cpu_capability()}",
        "device": device.describe(),
        "precision": device.precision + (" strict" if device.strict else "") + compiled,
    }


def other_plugins(theirs: Mapping[str, str], config: TrainConfig) -> str:
    """Return the plugins whose source is not what it was in an environment, in words; empty if there are none."""
    ours = plugins.sources(config.plugins)
    there = {key: digest for key, digest in theirs.items() if key.startswith(plugins.KEY)}
    changed = [key for key in {**there, **ours} if there.get(key) != ours.get(key)]
    return ", ".join(key.removeprefix(plugins.KEY) for key in changed)


def changes(header: Header, ours: dict[str, str]) -> tuple[Inexact, ...]:
    """Report and return what keeps a run from going on from a checkpoint bit for bit, in an environment `ours`."""
    changed = [
        f"{key} {header.versions.get(key)} → {ours.get(key)}"
        for key in {**header.versions, **ours}
        if header.versions.get(key) != ours.get(key)
    ]
    if not changed:
        return ()
    say(f"not bit-exact from step {header.step:,} on: {', '.join(changed)}")
    return (Inexact(from_step=header.step, because=", ".join(changed)),)
