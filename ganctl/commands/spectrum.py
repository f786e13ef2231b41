"""ganctl spectrum: the power of real and generated images over spatial frequency."""

import io
import math

import numpy as np
import torch

from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.words.output import file_named, writing
from ganctl.commands.words.real_data import data_of
from ganctl.commands.words.sides import ComparingCommand, fake_side, place, real_side
from ganctl.errors import ConfigError, counted
from ganctl.images import figure
from ganctl.images.plot import FAKE_COLOUR, REAL_COLOUR
from ganctl.images.png import encoded
from ganctl.metrics import Samples
from ganctl.metrics.sample_sets import CHUNK
from ganctl.runs.generator import TrainedGenerator, open_generator
from ganctl.runtime.console import say, track
from ganctl.runtime.disk import write_whole
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.uses.spectra import SMALLEST, Spectrum, frequencies, grey, largest_ratio, radial_power
from ganctl.validation import validate

ENDINGS = frozenset({"png", "csv", "npz"})
"""Of files that spectra can be written to: a plot, or its numbers."""

PIXELS = 1 << 22
"""Of images that are transformed at once; each takes about 60 bytes."""


class SpectrumCommand(ComparingCommand):
    """Everything that `ganctl spectrum` is told."""


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Measure the spectra of real and generated images, and draw them or write their numbers.

    Raises `CheckpointError` if there is no intact checkpoint, `DataError` if the run's data is not there,
    `ConfigError` for what has no spectrum, and for a place that cannot be written.
    """
    command = validate(SpectrumCommand, values)
    file = file_named(command.out, ENDINGS)
    if file is None or file.suffix.lower() == ".png":
        figure.require("take out=spectrum.csv for the numbers")
    keep_freed_memory()
    trained = open_generator(command)
    trained.space.require_images("spectrum: compares images", "take `ganctl evaluate` instead")
    _, *sides = trained.space.shape
    if min(sides) < SMALLEST:
        raise ConfigError(f"spectrum: the images are {sides[0]}×{sides[1]} pixels; it takes {SMALLEST} a side")
    _, store = data_of(trained, command.data, values.typed)
    real = real_side(command, trained, store, 2 * command.num)
    fake, _ = fake_side(command, trained, real)
    if command.standing:
        trained.measure_norms(command.standing)
    spectra = {"real": _spectra(real, "real images"), "fake": _spectra(fake, "generated images")}
    path = place(command, trained, file, "spectra", "spectrum")
    with writing(path):
        write_whole(path, _content(spectra, trained, path.suffix.lower()))
    for line in _told(spectra["real"], spectra["fake"], frequencies(*sides)):
        say(line)
    say(f"spectra of {counted(fake.count, 'sample')} of step {trained.checkpoint.header.step:,}: {path}")


def _spectra(samples: Samples, what: str) -> np.ndarray:
    """Return the spectrum of each sample, float64 [count, frequencies]."""
    at_once = max(1, PIXELS // math.prod(samples.space.shape[1:]))
    chunks = track(samples.chunks(), math.ceil(samples.count / CHUNK), what)
    found = [radial_power(grey(part)) for chunk in chunks for part in chunk.split(at_once)]
    return torch.cat(found).numpy()


def _told(real: np.ndarray, fake: np.ndarray, cycles: np.ndarray) -> list[str]:
    """Return in words where power differs most, beside how much it does between halves of the real images."""
    ratio, most = largest_ratio(fake.mean(0), real.mean(0))
    half = len(real) // 2
    usual, where = largest_ratio(real[:half].mean(0), real[half:].mean(0))
    return [
        f"power fake / real: {ratio:.3g} at {cycles[most]:g} cycles per image, where it differs most",
        f"real / real: {usual:.3g} at {cycles[where]:g}, of {half:,} and the other {len(real) - half:,}",
    ]


def _content(spectra: dict[str, np.ndarray], trained: TrainedGenerator, ending: str) -> bytes:
    """Return a file of both sides' spectra [count, frequencies]: a plot, a table or arrays."""
    cycles = frequencies(*trained.space.shape[1:])
    found = {side: Spectrum.of(each) for side, each in spectra.items()}
    if ending == ".png":
        return encoded(_plot(found, {side: len(each) for side, each in spectra.items()}, cycles, trained))
    columns = {"frequency": cycles} | {side: each.mean for side, each in found.items()}
    for side, each in found.items():
        columns |= {f"{side}_lower": each.lower, f"{side}_upper": each.upper}
    content = io.BytesIO()
    if ending == ".npz":
        np.savez(content, **columns)  # type: ignore[arg-type]
    else:
        np.savetxt(content, np.stack([*columns.values()], 1), "%.9g", ",", header=",".join(columns), comments="")
    return content.getvalue()


def _plot(
    found: dict[str, Spectrum], counts: dict[str, int], cycles: np.ndarray, trained: TrainedGenerator
) -> np.ndarray:
    colours = {"real": REAL_COLOUR, "fake": FAKE_COLOUR}
    lines = [
        figure.Line(
            f"{side} ({counts[side]:,} images)", cycles, each.mean, colours[side], (each.lower, each.upper)
        )
        for side, each in found.items()
    ]
    return figure.plot_lines(
        lines,
        "spatial frequency (cycles per image)",
        "power (variance of grey values in [0, 1] per coefficient)",
        title=f"{trained.config.data.title}, step {trained.checkpoint.header.step:,}",
        note="mean, and the quartiles over images",
        logarithmic=True,
    )
