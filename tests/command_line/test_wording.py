"""The form of words, and what is said where Hydra and OmegaConf would speak of themselves."""

import pytest

from ganctl.command_line.wording import in_our_words, in_quotes, split
from tests.composed import composed
from tests.conftest import Cli

MALFORMED = {
    "+=x": "+=x: names no key; the form is key=value",
    "++=x": "++=x: names no key; the form is key=value",
    "=x": "=x: names no key; the form is key=value",
    "~": "~: names no key; to take one out is ~key",
    "~=x": "~=x: names no key; to take one out is ~key",
    "@x=1": "@x=1: no key has an @ in it",
    "x@y=z": "x@y=z: no key has an @ in it",
    "+x@y=z": "+x@y=z: no key has an @ in it",
    "steps": "'steps' is not of the form key=value",
    "+steps": "'+steps' is not of the form key=value",
}
OPTIONS = {
    "--cfg foo": "--cfg: shows `job`, not 'foo'",
    "--cfg": "--cfg: needs a value",
    "--info foo": "--info: shows all, config, defaults, defaults-tree, plugins or searchpath, not 'foo'",
    "--resolve": "train: --resolve: goes with --cfg",
    "--run --cfg job": "train: give only one of --run, --cfg and --info",
    "--config-dir nowhere": "--config-dir: ",
    "seed=interval(0,1)": "seed=interval(0,1): a sweep over values needs -m",
    "seed=glob(*)": "seed=glob(*): a sweep over values needs -m",
}


NAMES_A_RUN = ("sample", "evaluate")
"""Commands whose first word without = is the run."""
PAIRS = [
    (command, word)
    for command in ("train", "sample", "evaluate", "data info")
    for word in MALFORMED
    if word != "steps" or command not in NAMES_A_RUN
]


@pytest.mark.parametrize(("command", "word"), PAIRS)
def test_a_word_of_another_form_is_one_line_for_every_command(command: str, word: str, cli: Cli) -> None:
    outcome = cli(*command.split(), word)
    assert (outcome.code, outcome.err) == (2, f"ganctl: {MALFORMED[word]}\n")


@pytest.mark.parametrize("words", OPTIONS)
def test_options_are_answered_without_a_word_of_hydra(words: str, cli: Cli) -> None:
    outcome = cli("train", *words.split())
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"ganctl: {OPTIONS[words]}")


@pytest.mark.parametrize("word", ["seed={}", "train.steps={}", "-m seed={}"])
def test_deep_and_long_words_are_one_line(word: str, cli: Cli) -> None:
    outcome = cli("train", *word.format("[" * 10_000).split())
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)


def test_a_list_is_split_outside_brackets_and_quotes() -> None:
    assert split("1, [a,b],'x,y',(3,4),{a: 1, b: 2}") == ["1", "[a,b]", "'x,y'", "(3,4)", "{a: 1, b: 2}"]
    assert split(r"'it\'s, so',b") == [r"'it\'s, so'", "b"]
    assert split("") == [""]


def test_what_needs_no_other_words_keeps_its_own() -> None:
    assert in_our_words("seed: must be a number") == "seed: must be a number"


@pytest.mark.parametrize(
    "text", ["a\\b", "a\\'b", "it's", "end\\", "a\\\\b c", "two\\\\", "x, [y]", "null", "ü #;"]
)
def test_any_text_can_be_typed_in_quotes(text: str) -> None:
    assert composed("data=folder", f"data.path={in_quotes(text)}")["data"]["path"] == text
