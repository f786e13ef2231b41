"""Words that other tools use for ganctl's keys and choices: what to type here."""

import re
from pathlib import Path

import yaml


def _advice(advice: str) -> str:
    return advice if advice.startswith("not there; ") else f"here it is {advice}"


TABLES: dict[str, dict[str, str]] = {
    name: {word: _advice(advice) for advice, words in table.items() for word in words.split()}
    for name, table in yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8")).items()
}
"""Other tools' keys for each command and their `choices`, with the advice on each."""

CHOICES = TABLES.pop("choices")
"""Other tools' words, `key=value`, none of which is ever right here unless a user's own option has the name."""


def advice_on(command: str, key: str, value: str | None = None) -> str | None:
    """Return what to type in place of a key, or of a key and its value, that a command does not know."""
    if key == "device" and value is not None and re.fullmatch(r"cuda:\d+|\d+", value):
        return _advice(f"device=cuda device.name=cuda:{value.removeprefix('cuda:')}")
    return CHOICES.get(f"{key}={value}".lower()) or TABLES.get(command, {}).get(key)
