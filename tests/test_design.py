"""docs/design.md describes what is built: short, and without a name that does not exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "docs/design.md").read_text()
TREE, PROSE = re.search(r"```text\n(.*?)```", TEXT, re.DOTALL), re.sub(r"```text.*?```", "", TEXT, flags=re.DOTALL)
SOURCES = [
    *(ROOT / "ganctl").rglob("*.py"),
    *(ROOT / "configs").rglob("*.yaml"),
]


def test_it_is_two_pages() -> None:
    assert len(TEXT.split()) <= 1500
    assert max(map(len, TEXT.splitlines())) <= 115


def test_every_file_and_folder_of_the_layout_exists() -> None:
    assert TREE is not None
    folder = ROOT
    for line in TREE[1].splitlines():
        folder = ROOT / "ganctl" if line.startswith("  ") else ROOT
        for name in re.findall(r"[\w/]+(?:/|\.py)(?= |;|$)", line):
            assert (folder / name).exists() or (ROOT / name).exists() or next(folder.rglob(name), None), name


def test_every_name_in_it_exists() -> None:
    words = {word for path in SOURCES for word in re.findall(r"\w+", path.read_text())}
    for name in re.findall(r"`([^`]+)`", PROSE):
        if name.endswith((".py", ".yaml")):
            assert (ROOT / name).exists() or (ROOT / "ganctl" / name).exists(), name
        else:
            assert set(re.findall(r"\w+", name)) <= words, name
