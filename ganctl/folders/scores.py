"""What was measured of a run: in evaluation.json, and in the header of its best checkpoint; read without torch."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ganctl.checkpoints.untrusted import check_length, parse_json
from ganctl.errors import CheckpointError
from ganctl.folders.untyped import mapping, number, text, whole
from ganctl.runtime.bounded import opened


@dataclass(frozen=True)
class Best:
    """Why checkpoints/best.safetensors was kept: a value, of which number, and at which step."""

    number: str
    value: float
    better: str
    step: int | None
    by: str


@dataclass(frozen=True)
class MeasuredNumber:
    """One number of evaluation.json: its mean over seeds, half the width of its interval, and that of real data.

    Numbers of the same `question` answer the same: metric, its settings, samples, features, weights, precision,
    and real images, which `against` names where they are not what the run was trained on.
    """

    metric: str
    number: str
    value: float
    half_width: float | None
    floor: float | None
    step: int | None
    checkpoint: str
    num: int | None
    seeds: int
    features: str
    ema: bool
    data: str | None
    against: str | None
    question: str

    @property
    def way(self) -> str:
        """How it was measured: the samples, their features, and what is unusual of weights and real images."""
        samples = "?" if self.num is None else f"{self.num:,}"
        unusual = ("" if self.ema else ", ema=false") + ("" if self.against is None else f", {self.against}")
        return f"{samples}, {self.features}{unusual}"


def best_of(path: Path) -> Best:
    """Return the score in the header of a best checkpoint, of which nothing else is verified.

    Raises `CheckpointError` if there is none, or it cannot be read.
    """
    check_length(path)
    try:
        with opened(path) as file:
            content = file.read(int.from_bytes(file.read(8), "little"))
        _, _, own = parse_json(content.decode())["__metadata__"]["ganctl"].partition("\n")
        header = parse_json(own)
        by, value, better = (header["score"][key] for key in ("by", "value", "better"))
        if number(value) is None:
            raise ValueError("its score is no number")
        name = by.partition(" ")[0].rpartition(".")[2]
        return Best(name, float(value), str(better), whole(header.get("step")), by)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: its header cannot be read ({error})") from error


def measured(found: dict[str, Any]) -> Iterator[MeasuredNumber]:
    """Yield the numbers of one evaluation, but for those that are no numbers."""
    asked, features = mapping(found, "asked"), mapping(found, "features")
    seeds = asked.get("seeds")
    common: dict[str, Any] = {
        "step": whole(found.get("step")),
        "checkpoint": text(found.get("checkpoint")) or "",
        "num": whole(asked.get("num")),
        "seeds": len(seeds) if isinstance(seeds, list) else 1,
        "features": text(features.get("name")) or "",
        "ema": asked.get("ema") is not False,
        "data": text(mapping(found, "reference").get("fingerprint")),
        "against": _against(asked),
    }
    terms = [asked.get(key) for key in ("num", "ema", "standing", "reference")]
    terms += [features.get("identity"), found.get("precision")]
    for metric, named in mapping(found, "numbers").items():
        settings = mapping(asked, "metric").get(metric)
        question = json.dumps([metric, settings, *terms], sort_keys=True, default=str)
        for name, entry in named.items() if isinstance(named, dict) else ():
            value = number(entry.get("mean")) if isinstance(entry, dict) else None
            if value is not None:
                half_width, floor = number(entry.get("half_width")), number(entry.get("floor"))
                yield MeasuredNumber(metric, name, value, half_width, floor, question=question, **common)


def _against(asked: dict[str, Any]) -> str | None:
    """Return the name of the real images that a run was not trained on; None where it was."""
    other = mapping(asked, "reference")
    name, split = text(other.get("path")) or text(other.get("name")), text(other.get("split"))
    return None if name is None else f"against {name}" + (f" ({split})" if split else "")
