"""A process that loads every hostile file and tells what came of it, as JSON on standard output.

    python -m tests.behaviours.hostile.load <run folder>

Everything that loading imports has been imported before the first of them, by loading good files and one bad file
of each class. From then on a hook notes, and stops, whatever would run other code.
"""

import contextlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ganctl.cli import _guarded, main
from ganctl.command_line.jobs import Job, Typed
from ganctl.commands import resume, sample
from ganctl.config import train_config
from ganctl.folders.run_folder import RunFolder
from ganctl.runtime.signals import Signals
from tests.behaviours.hostile.audit import Guard
from tests.behaviours.hostile.configs import HOSTILE_VALUES, HOSTILE_YAML
from tests.behaviours.hostile.corpus import CORPUS, ONE_OF_EACH, ONLY_RESUME
from tests.behaviours.hostile.parts import Parts, set_key, take_apart
from tests.composed import composed

GOOD, NEWEST = "step-00000001.safetensors", "step-00000009.safetensors"
LONG, PLACE = 100_000, "long_value"
SAMPLE = ("num=2", "device=cpu", "out=drawn")
SAMPLE_CONFIG = composed("ckpt=file", *SAMPLE, command="sample")


def resident(line: str) -> float:
    """Return a line of /proc/self/status in MB: VmRSS now, VmHWM at most since `forget_peak`."""
    for text in Path("/proc/self/status").read_text().splitlines():
        if text.startswith(line):
            return int(text.split()[1]) / 1e3
    raise LookupError(line)


def forget_peak() -> None:
    Path("/proc/self/clear_refs").write_text("5")


guards: list[Guard] = []
"""Of which every call is under the eyes."""


def sampled(path: Path, which: str = "newest") -> dict[str, Any]:
    """Sample from a place; return what came of it.

    Once guarded, the command is called as the command line calls it, which by then has composed its config: what
    Hydra does for that, at times with `compile`, has nothing to do with the file.
    """
    if not guards:
        return observed(lambda: main(["sample", f"ckpt={path}", f"which={which}", *SAMPLE]))
    values = Typed(SAMPLE_CONFIG | {"ckpt": str(path), "which": which}, {})
    return observed(lambda: _guarded(lambda: sample.run(values, Job(dict), Signals())))


def resumed(folder: Path) -> dict[str, Any]:
    """Go on with the run in a folder, likewise."""
    if not guards:
        return observed(lambda: main(["resume", str(folder), "train.steps=2"]))
    values = Typed({"train.steps": 2}, {})
    return observed(lambda: _guarded(lambda: resume.run(values, Job(dict, subject=str(folder)), Signals())))


def observed(work: Callable[[], int | None]) -> dict[str, Any]:
    """Return the work's exit code, what it printed, its seconds, those of the processor, and its peak in MB."""
    out, err = io.StringIO(), io.StringIO()
    forget_peak()
    started, used = time.perf_counter(), time.process_time()
    with contextlib.ExitStack() as around:
        for context in (contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), *guards):
            around.enter_context(context)
        code = work()
    return {
        "code": code,
        "out": out.getvalue(),
        "err": err.getvalue(),
        "seconds": time.perf_counter() - started,
        "cpu": time.process_time() - used,
        "peak": resident("VmHWM"),
    }


def run_folder(good: Path, name: str, *, keep: bool) -> Path:
    """Make a copy of the good run, with or without its checkpoint."""
    folder = Path("runs") / name
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(good, folder)
    if not keep:
        (folder / "checkpoints" / GOOD).unlink()
    return folder


def files(good: Path, parts: Parts, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Load files of the corpus, each by itself and as a run's only checkpoint."""
    for number, name in enumerate(names):
        path = Path(f"{number}.safetensors")
        CORPUS[name](path, parts)
        if name not in ONLY_RESUME:
            yield {"name": name, "way": "sample", **sampled(path)}
        remove(path)
        folder = run_folder(good, str(number), keep=False)
        CORPUS[name](folder / "checkpoints" / NEWEST, parts)
        yield {"name": name, "way": "resume", **resumed(folder)}
        remove(folder)


def files_beside_a_good_one(good: Path, parts: Parts) -> Iterator[dict[str, Any]]:
    """Load one file of each class as the newest checkpoint of two; tell whether both are still there."""
    whole = (good / "checkpoints" / GOOD).read_bytes()
    for number, name in enumerate(sorted(ONE_OF_EACH)):
        folder = run_folder(good, str(number), keep=True)
        CORPUS[name](folder / "checkpoints" / NEWEST, parts)
        for way, work in (("sample", sampled), ("resume", resumed)):
            told = work(folder)
            kept = (folder / "checkpoints" / GOOD).read_bytes() == whole
            kept = kept and os.path.lexists(folder / "checkpoints" / NEWEST)
            yield {"name": name, "way": way, "kept": kept, **told}
        remove(folder)


def files_as_the_best(good: Path, parts: Parts) -> Iterator[dict[str, Any]]:
    """Load one file of each class as a run's best checkpoint; tell, too, whether it has a score to be beaten."""
    folder = run_folder(good, "best", keep=True)
    config = train_config(yaml.safe_load((folder / "config.yaml").read_bytes()))
    run = RunFolder(folder)
    for name in sorted(ONE_OF_EACH):
        CORPUS[name](run.checkpoints.best, parts)
        if name not in ONLY_RESUME:
            yield {"name": name, "way": "sample", **sampled(folder, "best")}
        yield {"name": name, "way": "score", **observed(lambda: run.checkpoints.best_header(config) is not None)}
        remove(run.checkpoints.best)
    remove(folder)


@cache
def config_texts(good: Path) -> dict[str, bytes]:
    """Return hostile files config.yaml by name; those beyond any limit as JSON, which YAML takes long to write."""
    texts = {f"YAML: {name}": text for name, text in HOSTILE_YAML.items()}
    for number, (key, value) in enumerate(HOSTILE_VALUES):
        values, text = yaml.safe_load((good / "config.yaml").read_bytes()), json.dumps(value)
        long = len(text) > LONG
        set_key(values, key, PLACE if long else value)
        written = yaml.dump(values, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper))
        label = f"value {number}, {key[:40]} = {text[:40]}"
        texts[label] = (written.replace(PLACE, text) if long else written).encode()
    return texts


def configs(good: Path) -> Iterator[dict[str, Any]]:
    """Resume runs whose config.yaml is hostile."""
    for number, (name, text) in enumerate(config_texts(good).items()):
        folder = run_folder(good, str(number), keep=False)
        (folder / "config.yaml").write_bytes(text)
        yield {"name": name, "way": "config", **resumed(folder)}
        remove(folder)
    folder = run_folder(good, "pipe", keep=False)
    (folder / "config.yaml").unlink()
    os.mkfifo(folder / "config.yaml")
    yield {"name": "a pipe", "way": "config", **resumed(folder)}


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def good_ones(good: Path) -> list[dict[str, Any]]:
    """Sample from and go on with the good run; return what came of it."""
    folder = run_folder(good, "good", keep=True)
    told = [sampled(folder), sampled(folder / "checkpoints" / GOOD)]
    return [*told, resumed(folder)]


def main_of_process(good: Path) -> dict[str, Any]:
    """Load everything; return what memory the process began with, what each came to, what the hook noted."""
    parts = take_apart(good / "checkpoints" / GOOD)
    good_ones(good)
    before = resident("VmRSS")
    warm = [*files(good, parts, sorted(ONE_OF_EACH)), *configs(good)]
    guards.append(Guard())
    return {
        "before": before,
        "alone": [*warm, *files(good, parts, CORPUS), *configs(good)],
        "beside": [*files_beside_a_good_one(good, parts)],
        "best": [*files_as_the_best(good, parts)],
        "good": good_ones(good),
        "noted": guards[0].noted,
    }


if __name__ == "__main__":
    print(json.dumps(main_of_process(Path(sys.argv[1]).absolute())))
