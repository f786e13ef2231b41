"""Command lines drawn at random: right ones from the typed schema, wrong ones from what users and shells do."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from ganctl.augment import AUGMENTS
from ganctl.auxiliary import AUXILIARIES
from ganctl.command_line import explain
from ganctl.commands.sample import SampleCommand
from ganctl.config import DeviceConfig, TrainConfig
from ganctl.data.sources import SOURCES
from ganctl.data.sources.image_folder import Folder
from ganctl.loggers import LOGGERS
from ganctl.losses import LOSSES
from ganctl.metrics import EXTRACTORS, METRICS
from ganctl.models import MODELS
from ganctl.optim import OPTIMIZERS
from ganctl.penalties import PENALTIES
from ganctl.registry import Family, Spec

Words = SearchStrategy[list[str]]

SINGLE: tuple[Family[Any], ...] = (SOURCES, MODELS, LOSSES, OPTIMIZERS)
SEVERAL: tuple[Family[Any], ...] = (PENALTIES, AUXILIARIES, AUGMENTS, METRICS, LOGGERS)
GROUPS = [family.key for family in (*SINGLE, *SEVERAL)] + ["device", "experiment"]
OPTIONS = {
    group: sorted(path.stem for path in (explain.config_folder() / group).glob("*.yaml")) for group in GROUPS
}
KEYS = sorted({key for key, _ in explain.known_keys()})


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10)
"""What a shell can hand over: it ends words at null characters, and Python decodes what is no UTF-8 to \\udcff."""


def written(value: Any) -> str:
    """Return a value in the grammar of the command line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, list):
        return f"[{','.join(map(written, value))}]"
    if isinstance(value, dict):
        return f"{{{','.join(f'{written(key)}:{written(inner)}' for key, inner in value.items())}}}"
    if isinstance(value, str) and not re.fullmatch(r"[A-Za-z_][\w.]*", value, re.ASCII):
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
    return str(value)


def fitting(schema: dict[str, Any]) -> SearchStrategy[Any]:
    """Return values that a leaf of a JSON schema, as pydantic writes it, allows; the ends of a range often."""
    if "anyOf" in schema:
        return st.one_of([fitting(one) for one in schema["anyOf"]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum") or [schema["const"]])
    kind = schema["type"]
    if kind in ("integer", "number"):
        low = schema.get("minimum", schema.get("exclusiveMinimum", -(2**63)))
        high = schema.get("maximum", schema.get("exclusiveMaximum", 2**63 - 1))
        if kind == "integer":
            return st.sampled_from([low, low + 1, high]) | st.integers(low, min(high, low + 5000))
        often = st.sampled_from([low, high, 5e-324, 0.5, 1.0, 1.7976931348623157e308])
        return often | st.floats(float(low), float(high))
    if kind == "array":
        inside = schema.get("prefixItems") or [schema["items"]]
        return st.lists(fitting(inside[0]), min_size=schema.get("minItems", 0), max_size=schema.get("maxItems", 4))
    texts = st.sampled_from(["run", "a-b", "pictures", "cuda:1", "auto", "0-63", "3,5"])
    return {"null": st.none(), "boolean": st.booleans(), "string": texts}[kind]


def assignments(schema: type[Spec], prefix: str = "") -> list[SearchStrategy[str]]:
    """Return, for each dotted key of a class, words that set it to what its type allows."""
    whole = schema.model_json_schema()
    kinds = whole.get("$defs", {})

    def below(part: dict[str, Any], key: str) -> Iterator[SearchStrategy[str]]:
        part = next((one for one in part.get("anyOf", []) if "$ref" in one), part)
        part = kinds[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        if part.get("type") == "object":
            for name, inner in part.get("properties", {}).items():
                yield from below(inner, f"{key}.{name}" if key else name)
        elif key.rpartition(".")[2] not in ("name", "plugins"):
            yield fitting(part).map(lambda value: f"{key}={written(value)}")

    return list(below(whole, prefix))


ODD_LINES = {
    part.partition("\n")[0]: part.splitlines()[1:]
    for part in (Path(__file__).parent / "odd_words.txt").read_text("utf-8").split("# ")[1:]
}
ODD_WORDS = {title: [word for line in lines for word in line.split()] for title, lines in ODD_LINES.items()}
"""The words of odd_words.txt by its headings."""

PRIMARY = assignments(TrainConfig)
DEVICE = assignments(DeviceConfig, "device")
OF_OPTION = {(family.key, name): assignments(family[name], family.key) for family in SINGLE for name in family} | {
    (family.key, name): assignments(family[name], f"{family.key}.{name}") for family in SEVERAL for name in family
}
"""What may be assigned under each option of each group."""


@st.composite
def right_words(draw: DrawFn) -> list[str]:
    """Draw words of `ganctl train` of which each is right by itself; together they may break a rule."""
    words, open_keys = [], [*PRIMARY, *DEVICE]
    for family in SINGLE:
        name = draw(st.none() | st.sampled_from(OPTIONS[family.key]))
        words += [f"{family.key}={name}"] if name else []
        open_keys += OF_OPTION.get((family.key, str(name)), [])
    for family in SEVERAL:
        names = draw(st.none() | st.lists(st.sampled_from(OPTIONS[family.key]), max_size=3))
        words += [f"{family.key}={written(names)}"] if names is not None else []
        open_keys += [key for name in names or [] for key in OF_OPTION[(family.key, name)]]
    name = draw(st.none() | st.sampled_from(list(EXTRACTORS)))
    if name:
        words.append(f"metric/features={name}")
        open_keys += assignments(EXTRACTORS[name], "features")
    words += ["data.path=pictures"] if {"data=folder", "data=array"} & set(words) else []
    return words + [draw(draw(st.sampled_from(open_keys))) for _ in range(draw(st.integers(0, 4)))]


SPECIAL = [*ODD_WORDS["values"], "", "'a b'", "\u202e", "\x1b[31m", "\udcff", "'\x07'", "'a\nb'", "\t"]
"""Texts that mean something to Hydra's grammar, to YAML, to OmegaConf, to a shell or to a terminal."""

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT | st.sampled_from(["r1", "dcgan", "name"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "weight", "a", "_target_", "???", "1"]), inner, max_size=3)
    ),
    max_leaves=6,
)
LONG = [
    "9" * 400, "9" * 5000, "x" * 300, "x" * 20_000, "[" * 60, "[" * 60 + "]" * 60, "{a:" * 30 + "1" + "}" * 30,
    "[" + "1," * 300 + "1]", "'" + "é" * 300 + "'", "${" * 30, "\\" * 61, "1e" + "9" * 30,
]  # fmt: skip
VALUES = st.sampled_from(SPECIAL) | PLAIN.map(written) | st.sampled_from(LONG) | TEXT
ANY_KEY = st.sampled_from(KEYS) | st.sampled_from(GROUPS) | st.sampled_from(ODD_WORDS["keys"])
PREFIXES = st.sampled_from(["", "", "", "", "+", "++", "~", "~~", "+++", "@", "-"])
PACKAGES = st.sampled_from(["", "", "", "", "", "@x", "@_global_", "@", "@a.b", "@:b", ":b", "@train", "@_here_"])
EQUALS = st.sampled_from(["=", "=", "=", "=", "", " = ", "==", ":"])
ANY_ASSIGNMENT = st.tuples(PREFIXES, ANY_KEY, PACKAGES, EQUALS, VALUES).map("".join)


@st.composite
def garbled(draw: DrawFn) -> str:
    """Draw a right word of which some signs are lost or replaced."""
    word = draw(draw(st.sampled_from([*PRIMARY, *DEVICE])))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(word)))
        word = word[:place] + draw(st.sampled_from(["", *"[]{}'\"\\$=,:~+@ é\n"])) + word[place + 1 :]
    return word


@st.composite
def choices(draw: DrawFn) -> str:
    """Draw a group with one option or a list of them, where that is right and where it is not."""
    group = draw(st.sampled_from(GROUPS))
    if draw(st.booleans()):
        return f"{group}={draw(st.sampled_from(OPTIONS[group]))}"
    names = draw(st.lists(st.sampled_from([*OPTIONS[group], "nope", ""]), max_size=3))
    return f"{group}=[{','.join(names)}]"


A_WRONG_WORD = ANY_ASSIGNMENT | ANY_ASSIGNMENT | choices() | garbled() | TEXT

PARSED = st.sampled_from(["seeds={}", "class={}"])
SAMPLING = st.one_of(assignments(SampleCommand)) | A_WRONG_WORD | st.builds(str.format, PARSED, VALUES)
FOLDER = st.one_of(assignments(Folder)) | A_WRONG_WORD | VALUES.map("path={}".format)
RESUMABLE = st.sampled_from(["train.steps", "sample.num", "device.name", "data.path", "plugins"])
RESUMING = st.lists(
    st.tuples(st.sampled_from(KEYS) | RESUMABLE, EQUALS, VALUES).map("".join) | A_WRONG_WORD, max_size=3
)
"""Words of `ganctl sample`, `data` and `resume`."""

SWEPT_KEYS = st.sampled_from(
    ["seed", "train.steps", "loss", "penalty", "optimizer.lr", "name", "nope", "model.name"]
)
SWEPT_VALUES = st.sampled_from(ODD_WORDS["swept values"])
SWEPT = st.tuples(SWEPT_KEYS, st.lists(SWEPT_VALUES, max_size=3).map(",".join)).map("=".join)
"""Keys with several values, for a sweep."""

FLAGS = [line.split() for line in ODD_LINES["options, one a line"]]
"""Options of the command line, Hydra's among them."""
