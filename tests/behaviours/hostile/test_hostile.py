"""No file of a stranger is believed: each is refused in one line, soon, in little memory, and runs nothing."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ganctl.errors import LONGEST_LINE
from tests.behaviours.hostile.audit import Guard
from tests.behaviours.hostile.corpus import ONLY_RESUME

SECONDS, MEGABYTES = 1.0, 200.0
ROOT = Path(__file__).parents[3]


def python(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hostile")


@pytest.fixture(scope="module")
def loaded(workplace: Path, trained_outputs: Path) -> dict[str, Any]:
    """What came of loading the whole corpus in one process, under the audit hook."""
    process = python(workplace, "-m", "tests.behaviours.hostile.load", str(trained_outputs / "run"))
    assert process.returncode == 0, process.stderr[-3000:]
    result: dict[str, Any] = json.loads(process.stdout)
    return result


def wrong(results: list[dict[str, Any]], right: Any) -> list[str]:
    return [f"{each['way']} {each['name']}: {each}"[:400] for each in results if not right(each)]


def test_every_file_is_refused_with_exit_code_4_and_one_line(loaded: dict[str, Any]) -> None:
    assert len(loaded["alone"]) > 500
    assert wrong(loaded["alone"], lambda each: each["code"] == 4) == []
    line = re.compile(r"ganctl: [^\n]+\n")
    assert wrong(loaded["alone"], lambda each: line.fullmatch(each["err"])) == []
    assert wrong(loaded["alone"], lambda each: each["err"][:-1].isprintable()) == []
    assert wrong(loaded["alone"], lambda each: len(each["err"]) < LONGEST_LINE + 100) == []


def test_the_line_names_the_file(loaded: dict[str, Any]) -> None:
    named = re.compile(
        r"ganctl: (\d+\.safetensors|runs/\w+(/config\.yaml|/checkpoints(/step-\d+\.safetensors)?)?): "
    )
    assert wrong(loaded["alone"], lambda each: named.match(each["err"])) == []


def test_every_file_is_refused_within_a_second_and_200_megabytes(loaded: dict[str, Any]) -> None:
    # Of the processor, so that what else the machine does is not counted.
    assert wrong(loaded["alone"], lambda each: each["cpu"] < SECONDS) == []
    before = loaded["before"]
    assert wrong(loaded["alone"], lambda each: each["peak"] - before < MEGABYTES) == []


def test_beside_a_good_checkpoint_the_good_one_is_used_the_bad_one_named_and_both_are_kept(
    loaded: dict[str, Any],
) -> None:
    assert {each["way"] for each in loaded["beside"]} == {"sample", "resume"}
    assert wrong(loaded["beside"], lambda each: (each["code"], each["err"]) == (0, "")) == []
    assert wrong(loaded["beside"], lambda each: each["kept"]) == []
    told = re.compile(r"passed over a damaged checkpoint: .*step-00000009\.safetensors")
    unread = {("sample", name) for name in ONLY_RESUME}
    read = [each for each in loaded["beside"] if (each["way"], each["name"]) not in unread]
    assert wrong(read, lambda each: told.search(each["out"])) == []


def test_as_the_best_it_is_refused_and_has_no_score_to_be_beaten(loaded: dict[str, Any]) -> None:
    by_way = {way: [each for each in loaded["best"] if each["way"] == way] for way in ("sample", "score")}
    line = re.compile(r"ganctl: runs/best(/checkpoints/best\.safetensors|: keeps no best checkpoint)[^\n]+\n")
    assert len(by_way["sample"]) > 10
    assert wrong(by_way["sample"], lambda each: each["code"] == 4 and line.fullmatch(each["err"])) == []
    assert len(by_way["score"]) > 10
    assert wrong(by_way["score"], lambda each: (each["code"], each["err"]) == (False, "")) == []


def test_loading_runs_no_code_and_writes_nothing_elsewhere(loaded: dict[str, Any], workplace: Path) -> None:
    assert loaded["noted"] == []
    assert [(each["code"], each["err"]) for each in loaded["good"]] == [(0, "")] * 3
    assert list(workplace.rglob("pwned")) == []


@pytest.mark.parametrize(
    "code",
    [
        "import pickle; pickle.loads(b'cos\\nsystem\\n.')",
        "import os; os.system('true')",
        "import subprocess; subprocess.run(['true'])",
        "exec('1')",
        "eval('1')",
        "compile('1', 'x', 'eval')",
        "import antigravity_of_nobody",
        "import wave",
        "import ctypes; ctypes.CDLL('libm.so.6')",
        "import os; os.posix_spawn('/bin/true', ['true'], {})",
        "import os; os.fork()",
        "open('/tmp/elsewhere-of-a-test', 'w')",
    ],
)
def test_the_hook_bites(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ctypes  # noqa: F401  # imported here, so that the hook stops the call and not the import

    monkeypatch.chdir(tmp_path)
    work = compile(code, "attack", "exec")
    guard = Guard()
    with pytest.raises(PermissionError, match=r"^audit: "), guard:
        exec(work)
    assert len(guard.noted) == 1
