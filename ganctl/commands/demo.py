"""ganctl demo: a page on this machine, on which a trained generator draws what is chosen."""

import base64
import re
import secrets
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, Field
from torch import Tensor

from ganctl.command_line import compose
from ganctl.command_line.jobs import Job, Typed
from ganctl.commands.interpolate import CLASSES, InterpolateCommand, film_of
from ganctl.commands.sample import SampleCommand, Sheet, drawing, samples_of, sheets_of
from ganctl.commands.words.classes import ALL
from ganctl.commands.words.seeds import MOST as MOST_SEEDS
from ganctl.commands.words.seeds import Seeds, refuse_two_counts
from ganctl.errors import ConfigError
from ganctl.images.film import Film
from ganctl.images.png import encoded
from ganctl.page import server
from ganctl.registry import Spec
from ganctl.runs.generator import GeneratorChoice, TrainedGenerator, open_generator
from ganctl.runtime.console import say, shell_word, silenced
from ganctl.runtime.memory import keep_freed_memory
from ganctl.runtime.signals import Signals
from ganctl.samples import IMAGES
from ganctl.uses.paths import frames_of
from ganctl.uses.principal import Directions, Method, directions_of
from ganctl.validation import validate, validate_texts

MOST = 64
"""Images on the page at once; of points, as many more as a plot of them shows."""

MOST_PIXELS = 1 << 24
"""Of all images of one answer together."""

MOST_KEYS = 8
"""Seeds of a path."""

NAMED = r"[A-Za-z_]\w*|\d+"
"""Names of classes that the command line reads without quotes."""


class DemoCommand(GeneratorChoice):
    """Everything that `ganctl demo` is told."""

    port: Annotated[int, Field(ge=0, le=65_535)]
    batch_size: Annotated[int, Field(ge=1)]


class Asked(BaseModel):
    """What the address of every picture may say, by the keys of the commands; what it leaves out is None."""

    model_config = Spec.model_config

    classes: Annotated[str | None, Field(alias="class")] = None
    truncation: Annotated[float, Field(gt=0, le=1000)] | None = None


class SamplesAsked(Asked):
    """What the address of samples may say."""

    num: Annotated[int, Field(ge=1, le=MOST_SEEDS)] | None = None
    seed: Annotated[int, Field(ge=0, lt=1 << 63)] | None = None
    seeds: Seeds | None = None
    direction: Annotated[int, Field(ge=1, le=1 << 20)] | None = None
    strength: Annotated[float, Field(ge=-1000, le=1000)] | None = None
    method: Method | None = None


class PathAsked(Asked):
    """What the address of a path may say."""

    seeds: Annotated[Seeds, Field(min_length=2, max_length=MOST_KEYS)]
    steps: Annotated[int, Field(ge=0, le=100)]


@dataclass(frozen=True)
class Demo:
    """What the page asks of a generator.

    `sample` and `interpolate` are the values of these commands, `words` what else was typed that they understand.
    """

    trained: TrainedGenerator
    sample: dict[str, Any]
    interpolate: dict[str, Any]
    words: Sequence[str]
    _found: dict[Method, Directions] = field(default_factory=dict, init=False)

    def answers(self) -> dict[str, Callable[[Mapping[str, str]], dict[str, Any] | bytes]]:
        """Return each name of an address with what answers it."""
        return {
            "model": self.model,
            "samples": self.samples,
            "samples.png": self.sheet,
            "path": self.path,
            "path.png": self.strip,
        }

    def model(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return what the page must know of the generator."""
        validate_texts(Spec, texts)
        trained = self.trained
        path, space = trained.checkpoint.path, trained.space
        try:
            directions = len(self._directions("sefa").vectors)
        except ConfigError:  # a model of the user's own, whose first layer is not known
            directions = 0
        return {
            "run": trained.folder().resolve().name if path.parent.name == "checkpoints" else path.name,
            "step": trained.checkpoint.header.step,
            "samples": space.describe(),
            "images": space.kind is IMAGES,
            "most": self._most(),
            "classes": space.classes,
            "truncation": trained.config.model.has_styles or trained.latents.prior == "normal",
            "directions": directions,
        }

    def samples(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return images one by one, or a plot of points; their classes, and in how many columns they belong."""
        sheet, rows = self._drawn(texts)
        space = self.trained.space
        pictures = rows.numpy() if space.kind is IMAGES else [drawing(rows, sheet, space)]
        return {
            "command": self._command("sample", texts),
            "images": [_address(picture) for picture in pictures],
            "classes": None if sheet.labels is None else [space.classes[label] for label in sheet.labels],
            "columns": sheet.columns,
        }

    def sheet(self, texts: Mapping[str, str]) -> bytes:
        """Return the file that `ganctl sample` writes."""
        sheet, rows = self._drawn(texts)
        return encoded(drawing(rows, sheet, self.trained.space))

    def path(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return the frames of a path."""
        frames = [_address(frame) for frame in self._film(texts).frames(1)]
        return {"command": self._command("interpolate", texts), "images": frames}

    def strip(self, texts: Mapping[str, str]) -> bytes:
        """Return the file that `ganctl interpolate` writes."""
        return encoded(self._film(texts).strip(None))

    def _drawn(self, texts: Mapping[str, str]) -> tuple[Sheet, Tensor]:
        """Return samples as a store has them, and how they lie; raise `ConfigError` for what cannot be drawn."""
        asked = validate_texts(SamplesAsked, texts)
        refuse_two_counts(asked.num, asked.seed, asked.seeds)
        lines = len(self.trained.space.classes) if asked.classes == ALL else 1
        count = asked.num if asked.seeds is None else lines * len(asked.seeds)
        if count is None:
            raise ConfigError("num: how many samples? Give num, or seeds")
        if count > (most := self._most()):
            raise ConfigError(f"num: {count:,} samples in all; the page draws {most:,} of this model at most")
        if asked.direction is not None and asked.strength is None:
            raise ConfigError("strength: must be given with direction, such as strength=2")
        command = validate(SampleCommand, self.sample | asked.model_dump(by_alias=True, exclude_none=True))
        direction = None
        if command.direction is not None:
            direction = self._directions(command.method).numbered(command.direction)
        (sheet,) = sheets_of(command, self.trained, direction)
        space, samples = self.trained.space, samples_of(sheet, self.trained, command.batch_size)
        return sheet, space.kind.store(samples, space.value_range)

    def _film(self, texts: Mapping[str, str]) -> Film:
        asked = validate_texts(PathAsked, texts)
        trained, space = self.trained, self.trained.space
        space.require_images("path: shows images", "take `ganctl interpolate` for points")
        given = asked.model_dump(by_alias=True, exclude_none=True)
        command, classes = validate(InterpolateCommand, self.interpolate | given), len(space.classes)
        rows = {None: min(CLASSES, classes), ALL: classes}.get(asked.classes, 1) or 1
        _, height, width = space.shape
        frames = frames_of(len(asked.seeds), asked.steps, command.loop)
        if frames * rows * height * width > MOST_PIXELS:
            raise ConfigError("steps: the page draws fewer images of this size; lower steps, or choose a class")
        with silenced():
            return film_of(command, trained, trained.truncate(command.truncation), asked.steps)

    def _directions(self, method: Method) -> Directions:
        if method not in self._found:
            self.trained.truncate(None)
            self._found[method] = directions_of(self.trained, method)
        return self._found[method]

    def _most(self) -> int:
        """Return how many samples are drawn at once."""
        space = self.trained.space
        if space.kind is not IMAGES:
            return space.kind.shown(MOST)
        _, height, width = space.shape
        return max(1, min(MOST, MOST_PIXELS // (height * width)))

    def _command(self, name: str, texts: Mapping[str, str]) -> str:
        """Return the command line that draws the same."""
        words = [f"{key}={_quoted(text) if key == 'class' else text}" for key, text in texts.items()]
        run = shell_word(Path(self.sample["ckpt"]))
        return " ".join(["ganctl", name, run, *map(shlex.quote, [*self.words, *words])])


def run(values: Typed, job: Job, signals: Signals) -> None:
    """Serve the page until a signal ends it.

    Raises `CheckpointError` if there is no intact checkpoint, `ConfigError` for a port that cannot be had and
    where the web server is not installed.
    """
    command = validate(DemoCommand, values)
    server.require()
    from ganctl.page.application import Application

    keep_freed_memory()
    shared = {key: values[key] for key in (*GeneratorChoice.model_fields, "batch_size")}
    ((sample,), (interpolate,)) = (compose.jobs(name, ["ckpt=run"]) for name in ("sample", "interpolate"))
    words = [f"{key}={text}" for key, text in values.typed.items() if key not in ("ckpt", "port")]
    demo = Demo(open_generator(command), sample.values() | shared, interpolate.values() | shared, words)
    token, worker = secrets.token_urlsafe(24), server.Worker()
    with server.listen(command.port) as listening:
        step, port = demo.trained.checkpoint.header.step, listening.getsockname()[1]
        say(f"page of step {step:,}, until Ctrl-C: http://{server.ADDRESS}:{port}/?token={token}")
        server.serve(Application(demo.answers(), token, worker), listening, worker)


def _address(image: np.ndarray) -> str:
    """Return an image, uint8 [height, width, channels], as a PNG file within an address."""
    return f"data:image/png;base64,{base64.b64encode(encoded(image)).decode()}"


def _quoted(text: str) -> str:
    """Return a text as the command line reads it as that text."""
    if re.fullmatch(NAMED, text, re.ASCII):
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
