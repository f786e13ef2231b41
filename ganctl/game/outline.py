"""What a config's game holds, by names, shapes and types, found out without any memory for it."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import normalize
from torch.nn.modules.module import register_module_module_registration_hook as on_module
from torch.nn.modules.module import register_module_parameter_registration_hook as on_parameter
from torch.overrides import TorchFunctionMode

from ganctl.config import TrainConfig
from ganctl.errors import ConfigError
from ganctl.game.assemble import assemble_player, make_network
from ganctl.game.members import Member, members
from ganctl.game.round import PlayerName
from ganctl.runtime.device import Device
from ganctl.runtime.memory import memory_limit
from ganctl.samples import SampleSpace

PLAYERS: tuple[PlayerName, ...] = ("generator", "discriminator")

MOST_TENSORS = 2048
"""Weights and buffers of one network that are named apart; no published GAN has half of it."""

MOST_MODULES = 2 * MOST_TENSORS


def outline(config: TrainConfig, space: SampleSpace, dtype: torch.dtype = torch.float32) -> dict[str, Member]:
    """Return the members of a config's game on torch's device "meta": nothing is drawn, and nothing is filled.

    Raises `ConfigError` for networks of more tensors than `MOST_TENSORS`, and for sizes beyond 64 bits, besides
    what `make_network` raises.
    """
    device = Device(torch.device("meta"), "fp64" if dtype == torch.float64 else "fp32", False)
    players = []
    for name in PLAYERS:
        try:
            with _counted(name), device.torch_device, _WithoutValues():
                network = make_network(config, name, space).to(dtype)
                players.append(assemble_player(config, name, network, space, device))
        except (RuntimeError, TypeError, OverflowError) as error:
            if "overflow" not in str(error).lower():
                raise
            raise ConfigError(f"model: the {name}'s sizes are beyond 64 bits; lower the model's widths") from error
    return members(players, players[0].network if config.ema.half_life > 0 else None)


def check_memory(config: TrainConfig, space: SampleSpace, device: Device) -> None:
    """Check that what training must hold at the very least fits into the memory of the device.

    That is all members with gradients, and one update's latents and samples; activations come on top. Raises
    `ConfigError` with the numbers if it does not fit.
    """
    sizes = {
        name: sum(tensor.numel() for tensor in member.outline().values())
        for name, member in outline(config, space).items()
    }
    weights = sum(sizes[player] for player in PLAYERS)
    number = torch.finfo(device.dtype).bits // 8
    needed = (sum(sizes.values()) + weights) * number
    available, where = memory_of(device)
    what = f"{gigabytes(needed)} with gradients, optimizer and average, but {where} has {gigabytes(available)}"
    if needed > available:
        raise ConfigError(f"model: its {weights:,} weights need {what}; lower the model's widths")
    values = config.train.accumulate * config.model.latents.width + math.prod(space.shape)
    batch = config.train.batch_size * values * number
    if needed + batch > available:
        raise ConfigError(
            f"train.batch_size: batches of {config.train.batch_size:,} need {gigabytes(batch)}, but "
            f"{where} has {gigabytes(available)}; lower train.batch_size or train.accumulate"
        )


class _WithoutValues(TorchFunctionMode):
    """Skips what only gives a network its first values, and what spectral norm makes of them.

    Without memory to fill they change nothing, but torch would import 900 modules for a normal number.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in (Tensor.normal_, normalize) or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else kwargs["tensor"]
        if func is Tensor.div and isinstance(args[1], Tensor) and args[1].dim() == 0:
            return args[0]
        if func in (torch.mv, torch.vdot):
            return args[0].new_empty(args[0].shape[:-1])
        return func(*args, **kwargs)


@contextmanager
def _counted(player: PlayerName) -> Iterator[None]:
    """Raise `ConfigError` within the block once a network has more parts than any that can be trained."""
    counts = {"tensors": 0, "modules": 0}

    def count(kind: str, most: int) -> None:
        counts[kind] += 1
        if counts[kind] > most:
            raise ConfigError(f"model: the {player} has more than {most:,} {kind}; take fewer layers")

    handles = [
        on_parameter(lambda *_: count("tensors", MOST_TENSORS)),
        on_module(lambda *_: count("modules", MOST_MODULES)),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def memory_of(device: Device) -> tuple[int, str]:
    """Return the bytes there are to train in, and whose they are."""
    if device.torch_device.type == "cuda":
        return torch.cuda.get_device_properties(device.torch_device).total_memory, str(device.torch_device)
    return memory_limit(), "this machine"


def gigabytes(count: int) -> str:
    """Return a number of bytes for people."""
    return f"{count / 1e9:,.1f} GB"
