"""Run folders written by hand, as training would leave them, without training."""

import fcntl
import json
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

CONFIG = """\
data:
  name: digits
model:
  name: dcgan
  latent: {latent}
loss:
  name: hinge
name: {name}
seed: 0
train:
  steps: 100
"""

NOBODY = 2**22 + 1
"""A process that cannot be: Linux numbers them up to 2²²."""


def row(step: int, **more: Any) -> str:
    numbers = {"step": step, "images": 10.0 * step, "images_per_second": 50.0, "loss/generator": 1.5}
    return json.dumps(numbers | {"loss/discriminator": 0.5} | more) + "\n"


def evaluation(value: float, num: int = 60, fingerprint: str = "a" * 64) -> dict[str, Any]:
    return {
        "checkpoint": "step-00000100.safetensors",
        "step": 100,
        "asked": {"num": num, "seeds": [0, 1], "ema": True, "metric": {"fid": {"name": "fid"}}},
        "features": {"name": "raw", "identity": "raw"},
        "reference": {"fingerprint": fingerprint},
        "precision": "fp32",
        "numbers": {"fid": {"fid": {"mean": value, "half_width": 0.25, "values": [value], "floor": 0.1}}},
    }


def written(
    folder: Path,
    status: str | None = "complete",
    step: int = 100,
    *,
    process: int = NOBODY,
    host: str | None = None,
    data: str = "a" * 64,
    latent: int = 64,
    evaluations: list[dict[str, Any]] | None = None,
) -> Path:
    """Write the folder of a run of 100 steps, of which `step` are done."""
    folder.mkdir(parents=True, exist_ok=True)
    told = {"status": status, "step": step, "saved": step, "steps": 100, "data": data}
    told |= {"images_per_second": 50.0, "seconds": {"steps": 20.0}, "environment": {"torch": "2.11"}}
    told |= {"process": process, "host": host or platform.node()}
    (folder / "run.json").write_text(json.dumps({key: value for key, value in told.items() if value is not None}))
    (folder / "config.yaml").write_text(CONFIG.format(name=folder.name, latent=latent))
    (folder / "metrics.jsonl").write_text("".join(row(each) for each in range(10, step + 1, 10)))
    (folder / ".lock").touch()
    if evaluations is not None:
        (folder / "evaluation.json").write_text(json.dumps({"evaluations": evaluations}))
    return folder


def write_best(folder: Path, **score: Any) -> None:
    """Write a best checkpoint without tensors, of step 50 and with a score."""
    told = {"by": "fid.fid of 60 samples by raw: Fid()", "value": 4.5, "better": "lower"} | score
    header = json.dumps(
        {"__metadata__": {"ganctl": "digest\n" + json.dumps({"step": 50, "score": told})}}
    ).encode()
    (folder / "checkpoints").mkdir(exist_ok=True)
    (folder / "checkpoints/best.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)


@contextmanager
def trained_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, as the process that trains in it does."""
    lock = os.open(folder / ".lock", os.O_RDWR)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(lock)
