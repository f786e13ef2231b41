"""The grammar of a command line's words, and ganctl's words for what Hydra and OmegaConf report."""

import re
from typing import Any

from ganctl.errors import ConfigError

OURS = (
    (r"Only one of --run, --multirun, --cfg, .*", "give only one of --run, --cfg and --info"),
    (r"The --resolve flag can only .*", "--resolve: goes with --cfg"),
    (r"argument --cfg/-c: invalid choice: (.*) \(choose from.*", r"--cfg: shows `job`, not \1"),
    (
        r"argument --info/-i: invalid choice: (.*) \(choose from.*",
        r"--info: shows all, config, defaults, defaults-tree, plugins or searchpath, not \1",
    ),
    (r"argument (--?[\w-]+)\S*: expected one argument", r"\1: needs a value"),
    (r"Sweep parameters '(.*?)' requires? --multirun", r"\1: a sweep over values needs -m"),
    (r"Additional config directory '(.*?)' not found", r"--config-dir: \1 is no folder"),
    (r"\.? No match in the defaults list.*", "; there is no such choice"),
    (r"ambiguous option: (\S+) could match .*", r"\1: unknown option"),
    (r"argument (--?[\w-]+)\S*: ignored explicit argument (.*)", r"\1: takes no value, not \2"),
    (r"--multirun\b", "-m"),
    (r"(?i)\b(ListConfig|DictConfig|AnyNode|omegaconf)\b", "value"),
)
"""What Hydra and OmegaConf say, and what ganctl says in its place."""

PLAIN = r"(?a:[A-Za-z_./~][\w./~-]*)"
"""Text that means itself on the command line, unless it is one of `WORDS`."""

WORDS = ("null", "true", "false", "yes", "no", "on", "off", "inf", "nan")


def check_form(word: str) -> None:
    """Raise `ConfigError` for a word of the command line that is no key=value, nor takes a key out."""
    taken_out = word.startswith("~")
    key, equals, _ = word.lstrip("+~ \t").partition("=")
    if not equals and not taken_out:
        raise ConfigError(f"'{word}' is not of the form key=value")
    if not key.strip():
        form = "to take one out is ~key" if taken_out else "the form is key=value"
        raise ConfigError(f"{word}: names no key; {form}")
    if "@" in key:
        raise ConfigError(f"{word}: no key has an @ in it")


def in_our_words(text: str) -> str:
    """Return what Hydra or OmegaConf says in ganctl's words."""
    for theirs, ours in OURS:
        text = re.sub(theirs, ours, text, flags=re.DOTALL)
    return text


def quoted(word: str, *, sweep: bool) -> str:
    """Return key=value with the value in quotes if it is plain text that Hydra's grammar has no letters for.

    Such as data.path=~/José; a value with signs that mean something to Hydra is left as it is. Outside a sweep,
    seeds=0-3,7 is one text.
    """
    key, _, value = word.partition("=")
    plain = not set(value) & set("'\"\\,()[]{}$")
    special = set(value) & set("!#&;<=>^`~") or not value.isascii()
    seeds = key == "seeds" and not sweep and re.fullmatch(r"[\d,-]+", value)
    return f"{key}='{value}'" if (plain and special) or seeds else word


def typed(value: Any) -> str:
    """Return a value of a config as it is typed on the command line."""
    if value is None or isinstance(value, bool):
        return str(value).lower().replace("none", "null")
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{','.join(map(typed, value))}]"
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{typed(each)}" for key, each in value.items()) + "}"
    text = str(value)
    plain = re.fullmatch(PLAIN, text) and text.lower() not in WORDS
    return text if plain else in_quotes(text)


def in_quotes(text: str) -> str:
    """Return a text without ${} as a value that Hydra's grammar reads as this text.

    Hydra takes backslashes for signs of its own before a quote alone, which includes the closing one.
    """
    escaped = re.sub(r"(\\*)'", r"\1\1\\'", text)
    ending = re.search(r"\\*\Z", text)
    return f"'{escaped}{ending[0] if ending else ''}'"


def split(text: str) -> list[str]:
    """Return the parts of a text between commas outside brackets and quotes."""
    parts, depth, quote = [""], 0, ""
    for letter in text:
        if quote:
            quote = "" if letter == quote and not parts[-1].endswith("\\") else quote
        elif letter in "'\"":
            quote = letter
        depth += (letter in "([{") - (letter in ")]}") if not quote else 0
        if letter == "," and depth == 0 and not quote:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts]
