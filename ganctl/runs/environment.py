"""What the bits of a run depend on, apart from its config: versions, plugins, device and precision."""

import platform
from collections.abc import Mapping

import torch

from ganctl import plugins
from ganctl.config import TrainConfig
from ganctl.processes.ranks import Ranks
from ganctl.runtime.device import Device
from ganctl.runtime.version import __version__


def environment(config: TrainConfig, device: Device) -> dict[str, str]:
    """Return the terms of the environment by name."""
    terms: dict[str, str] = {}
    played = " compiled" if config.device.compile else ""
    if config.device.graphs and device.torch_device.type == "cuda":
        played = " graphs"
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
        "processes": str(Ranks.here().world),
        "precision": device.precision + (" strict" if device.strict else "") + played,
    }


def other_plugins(theirs: Mapping[str, str], config: TrainConfig) -> str:
    """Return the plugins whose source is not what it was in an environment, in words; empty if there are none."""
    ours = plugins.sources(config.plugins)
    names = [key for key in {**theirs, **ours} if key.startswith(plugins.KEY)]
    return ", ".join(key.removeprefix(plugins.KEY) for key in names if theirs.get(key) != ours.get(key))


def changes(theirs: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Return what differs between two environments, in words; a run then goes on, but not bit for bit."""
    theirs = {"processes": "1", **theirs}
    return ", ".join(
        f"{key} {theirs.get(key)} → {ours.get(key)}"
        for key in {**theirs, **ours}
        if theirs.get(key) != ours.get(key)
    )
