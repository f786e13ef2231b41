"""Text that anyone may have written: only plain values come out of it, or one error that names the place."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganctl.checkpoints.untrusted import parse_json, read_yaml
from ganctl.errors import CheckpointError, DamageError
from tests.conftest import Cli

TAGGED = [
    '!!int ""',
    '!!bool "x"',
    '!!timestamp "x"',
    "!!float x",
    "!!set {a, b}",
    "!!binary AAAA",
    "!!str 1",
    "! 1",
]


def read(folder: Path, text: str) -> dict[str, Any]:
    (folder / "config.yaml").write_text(text)
    return read_yaml(folder / "config.yaml")


@pytest.mark.parametrize("value", TAGGED)
def test_a_tag_is_damage_whatever_it_says(value: str, tmp_path: Path) -> None:
    with pytest.raises(DamageError, match=r"config\.yaml: cannot be read \(a tag, which .* in line 2"):
        read(tmp_path, f"name: run\nseed: {value}\n")


@pytest.mark.parametrize("value", ['"\\Uffffffff"', "9" * 5000, "{a: 1, a: 2}", "{[a]: 1}", "{", "*a"], ids=len)
def test_what_a_parser_stumbles_over_is_damage(value: str, tmp_path: Path) -> None:
    with pytest.raises(DamageError, match=r"config\.yaml: cannot be read"):
        read(tmp_path, f"seed: {value}\n")


@pytest.mark.parametrize("value", ["1e999", "1:1:1:1.5", "0o7", "0x1F", "1_000", "yes", "2001-01-01", ".nan"])
def test_what_looks_like_another_kind_of_value_is_text(value: str, tmp_path: Path) -> None:
    assert read(tmp_path, f"seed: {value}\n") == {"seed": value}


def test_what_ganctl_writes_is_what_is_read(tmp_path: Path) -> None:
    texts = ["", "~", "null", "yes", "no", "true", "1", "-1", "1.5", ".5", "1e5", "1.0e+5", "0x1F", "0o7", "1_000"]
    texts += [
        "1:30",
        "2001-01-01",
        "=",
        "<<",
        "- a",
        "a: b",
        "# a",
        "a\nb",
        " a ",
        "'",
        '"',
        "é",
        "\x7f",
        "@",
        "010",
    ]
    numbers = [0, -3, 1 << 62, 0.1, 1e-5, 1e16, 1e300, 5e-324, -2.5, True, False, None]
    values = {"texts": texts, "numbers": numbers, "empty": {}, "list": []}
    assert read(tmp_path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True)) == values


def test_a_number_beyond_what_is_finite_is_refused_by_its_key(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"config\.yaml: seed: must be a finite number"):
        read(tmp_path, "seed: 1.0e999\n")


def test_json_that_is_nested_too_deep_is_refused_whatever_python_can_read() -> None:
    for opening, closing in (("[", "]"), ('{"a":', "}")):
        assert parse_json(opening * 15 + "1" + closing * 15)
        for depth in (30, 500, 5000):
            with pytest.raises(ValueError, match="nested too deep"):
                parse_json(opening * depth + "1" + closing * depth)
    assert parse_json(json.dumps({"a": [1, 2.5, None, "x", {}, []]})) == {"a": [1, 2.5, None, "x", {}, []]}


def test_a_good_checkpoint_beside_a_config_with_a_tag_is_gone_on_with(trained: Path, cli: Cli) -> None:
    config = trained / "outputs/run/config.yaml"
    config.write_text(config.read_text() + 'seed: !!int ""\n')
    outcome = cli("resume", "outputs/run", "train.steps=2")
    assert (outcome.code, outcome.err) == (0, "")
    assert "the config in step-00000001.safetensors is taken instead" in outcome.out


def test_a_status_nested_too_deep_is_as_good_as_none(trained: Path, cli: Cli) -> None:
    (trained / "outputs/run/run.json").write_text('{"a":' * 500 + "1" + "}" * 500)
    outcome = cli("resume", "outputs/run", "train.steps=2")
    assert (outcome.code, outcome.err) == (0, "")
