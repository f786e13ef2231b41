"""Starts the process that reads a pickle, and tells in one line what it found."""

import argparse
import subprocess
import sys
from pathlib import Path

SECONDS = 600
"""That reading takes at most."""

REFUSED = 4
"""The exit code for a pickle that cannot be used."""


def main(words: list[str] | None = None) -> int:
    """Read a pickle in a process of its own and write what it holds; return the exit code."""
    parser = argparse.ArgumentParser("import_stylegan", description=__doc__)
    parser.add_argument("pickle", type=Path, help="network-snapshot-….pkl of StyleGAN2-ADA for PyTorch")
    parser.add_argument("out", type=Path, help="the .safetensors file to be written")
    given = parser.parse_args(words)
    command = [sys.executable, "-m", "scripts.stylegan.reader", str(given.pickle), str(given.out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return _refuse(given, f"took more than {SECONDS} seconds to read")
    if done.returncode == 0:
        sys.stdout.write(done.stdout)
        return 0
    lines = done.stderr.splitlines() or [f"reading it ended with code {done.returncode}"]
    return _refuse(given, lines[-1])


def _refuse(given: argparse.Namespace, reason: str) -> int:
    given.out.unlink(missing_ok=True)
    print(f"import_stylegan: {given.pickle}: {reason}", file=sys.stderr)
    return REFUSED


if __name__ == "__main__":
    sys.exit(main())
