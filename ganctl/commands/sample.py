"""ganctl sample: pictures from a checkpoint."""

import hashlib
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ganctl import pictures
from ganctl.config import DeviceConfig, SampleCommand, TrainConfig, Which
from ganctl.errors import CheckpointError, ConfigError, counted
from ganctl.runtime.console import say
from ganctl.runtime.device import Device
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.randomness import generator
from ganctl.training.assemble import build_network, open_configured
from ganctl.training.checkpoint import Checkpoint
from ganctl.training.generate import generate
from ganctl.training.opening import config_of, open_checkpoint
from ganctl.training.run_folder import RunFolder, find_run


def sample(command: SampleCommand) -> None:
    """Draw one grid (or scatter plot), and on request single pictures, from a run or a checkpoint file.

    Raises `CheckpointError` if there is no whole checkpoint, `ConfigError` if the folder cannot be written.
    """
    seeds = command.seed_list()
    keep_freed_memory()
    checkpoint, config, device, network = open_generator(
        command.ckpt, command.device, average=command.ema, which=command.which
    )
    if command.images and len(checkpoint.header.shape) == 1:
        raise ConfigError("images: this model draws points, which have no single pictures; leave images=false")
    latents = _latents(config.model.latent, command, seeds)
    samples = generate(network, latents.to(device.torch_device, device.dtype), device, command.batch_size)
    stem = "-".join([checkpoint.path.stem, _title(command, seeds), *([] if command.ema else ["raw"])])
    out = _out_folder(command, checkpoint.path)
    if samples.dim() == 2:
        _write_points(samples, out, stem)
        return
    pixels = pictures.to_bytes(samples, config.model.picture_range)
    pictures.save(pictures.grid(pixels), out / f"{stem}.png")
    say(f"{counted(len(pixels), 'sample')} of step {checkpoint.header.step:,}: {out / f'{stem}.png'}")
    if command.images:
        _write_images(pixels, out / stem, seeds)


def open_generator(
    ckpt: str, wanted: DeviceConfig, *, average: bool, which: Which
) -> tuple[Checkpoint, TrainConfig, Device, torch.nn.Module]:
    """Open `ckpt`: a file, or a run folder's best checkpoint, or the newest whose generator can be read whole.

    Raises `CheckpointError` if there is none, `ConfigError` where there is nothing to choose from.
    """
    path = find_run(ckpt)
    if not path.is_dir():
        if which == "best":
            raise ConfigError(f"which: chooses within a run folder, but ckpt={path} is none; leave it out")
        return _open_one(wanted, average, open_checkpoint(path))
    folder = RunFolder(path)
    if which == "best":
        if not folder.best.exists():
            folder.saved_config()
            raise CheckpointError(
                f"{path}: keeps no best checkpoint; train with evaluate.every=500, or leave which=best out"
            )
        return _open_one(wanted, average, open_checkpoint(folder.best))
    for checkpoint in folder.checkpoints_whole_in_header():
        try:
            return _open_one(wanted, average, checkpoint)
        except CheckpointError as error:
            say(f"passed over a damaged checkpoint: {error}")
    for newest in folder.checkpoint_files():
        return _open_one(wanted, average, open_checkpoint(newest))  # raises what is wrong with it
    folder.saved_config()
    raise CheckpointError(f"{path}: a run without a whole checkpoint; train it further first")


def _open_one(
    wanted: DeviceConfig, average: bool, checkpoint: Checkpoint
) -> tuple[Checkpoint, TrainConfig, Device, torch.nn.Module]:
    config = config_of(checkpoint)
    device = open_configured(wanted, points=len(checkpoint.header.shape) == 1)
    return checkpoint, config, device, load_generator(checkpoint, config, device, average=average)


def load_generator(
    checkpoint: Checkpoint, config: TrainConfig, device: Device, *, average: bool
) -> torch.nn.Module:
    """Return the generator of a checkpoint, its average if there is one and it is wanted.

    Only that network's tensors are read and verified. Raises `CheckpointError` if they are damaged.
    """
    averaged = average and any(name.startswith("ema.") for name in checkpoint.tensors)
    prefix = "ema." if averaged else "generator."
    tensors = checkpoint.read(lambda name: name.startswith(prefix))
    network = build_network(config, "generator", checkpoint.header.shape, device)
    try:
        network.load_state_dict({name.removeprefix(prefix): tensor for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise CheckpointError(f"{checkpoint.path}: its tensors do not fit its config ({error})") from error
    return network.requires_grad_(False)


def _latents(dimensions: int, command: SampleCommand, seeds: list[int] | None) -> Tensor:
    """Return latents [count, dimensions] drawn on the CPU, so that every device samples the same ones."""
    cpu = torch.device("cpu")
    if seeds is None:
        return torch.randn(command.num, dimensions, generator=generator(cpu, "sample", command.seed))
    return torch.stack([torch.randn(dimensions, generator=generator(cpu, "sample", seed)) for seed in seeds])


def _out_folder(command: SampleCommand, checkpoint: Path) -> Path:
    if command.out is not None:
        out = Path(command.out)
    else:
        inside = checkpoint.parent.name == "checkpoints"
        out = checkpoint.parent.parent / "samples" if inside else checkpoint.parent
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"out: {out} cannot be made ({error.strerror})") from error
    return out


def _write_images(pixels: np.ndarray, folder: Path, seeds: list[int] | None) -> None:
    folder.mkdir(exist_ok=True)
    for number, picture in enumerate(pixels):
        pictures.save(picture, folder / (f"seed-{seeds[number]}.png" if seeds else f"{number:05d}.png"))
    say(f"{counted(len(pixels), 'single picture')}: {folder}")


def _title(command: SampleCommand, seeds: list[int] | None) -> str:
    """Return words for file names that tell apart what was asked for."""
    if seeds is None:
        return f"seed-{command.seed}-{command.num}"
    if seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"seeds-{seeds[0]}-{seeds[-1]}"
    return f"seeds-{len(seeds)}-{hashlib.sha256(repr(seeds).encode()).hexdigest()[:6]}"


def _write_points(samples: Tensor, out: Path, stem: str) -> None:
    points = samples.float().cpu().numpy()
    pictures.save(pictures.plot(points[:0], points), out / f"{stem}.png")
    say(f"{counted(len(points), 'point')}: {out / f'{stem}.png'}")
