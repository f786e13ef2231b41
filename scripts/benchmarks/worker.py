"""A process that times one side of a case whenever it is asked to.

Each side has a process of its own, since ganctl sets the allocator for a whole one; that only one is asked at a
time makes the turns. It reads lines with a number of steps and answers each with seconds, by JSON.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import torch

from scripts.benchmarks.cases import CASES


def prepared(options: dict[str, Any]) -> tuple[Any, torch.device]:
    """Return the side's step and its device."""
    if options["kind"] not in ("plain", "resident"):
        from scripts.benchmarks import ours

        opened = ours.opened(options["words"])
        make = {"bare": ours.bare, "whole": ours.whole, "sampling": ours.sampling}[options["kind"]]
        return make(*opened), opened[1].torch_device
    from ganctl.data.sources.mnist import load_idx
    from scripts.benchmarks import plain

    case, device = CASES[options["case"]], torch.device(options["device"])
    torch.backends.cudnn.benchmark = True  # as pytorch/examples has it
    if case.rgb is None:
        digits, _ = load_idx("MNIST", options["mnist"], train=True, fetch=False)
        images = torch.from_numpy(digits.copy())[..., None]
        padding = (case.side - images.shape[1]) // 2
        images = torch.nn.functional.pad(images, (0, 0, padding, padding, padding, padding))
    else:
        images = torch.from_numpy(np.load(options["rgb"]))
    channels = images.shape[3]
    if case.networks == "dcgan":
        networks = plain.dcgan(channels, case.side, case.width, case.norm)
    else:
        networks = plain.mlp(channels * case.side**2, (channels, case.side, case.side))
    batches = plain.resident if options["kind"] == "resident" else plain.loaded
    step = getattr(plain.Tutorial(networks, batches(images, case.batch_size, device), device), case.loop)()
    return plain.in_bf16(step, device) if options["kind"] == "resident" else step, device


def anonymous() -> int:
    """Return the anonymous memory of this process in MiB; 0 where the system does not tell."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous")) // 1024


def main() -> None:
    """Answer until the input ends."""
    options = json.loads(sys.argv[1])
    if options["threads"]:
        torch.set_num_threads(options["threads"])
    after_import = anonymous()
    answers = sys.stdout
    with Path(os.devnull).open("w") as sys.stdout:
        step, device = prepared(options)
        answer(step, device, after_import, answers)


def answer(step: Any, device: torch.device, after_import: int, answers: TextIO) -> None:
    """Take as many steps as each line of the input says, and tell how long that took."""
    for line in sys.stdin:
        started = time.perf_counter()
        for _ in range(int(line)):
            step()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds = time.perf_counter() - started
        memory = anonymous() - after_import
        if device.type == "cuda":
            memory = torch.cuda.max_memory_allocated(device) // 2**20
        print(json.dumps({"seconds": seconds, "memory": memory}), file=answers, flush=True)


if __name__ == "__main__":
    main()
