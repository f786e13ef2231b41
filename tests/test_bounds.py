"""No count is so large that nothing ends: each is bounded by its type, or compared before anything loops."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ganctl.commands.demo import DemoCommand, PathAsked, SamplesAsked
from ganctl.commands.measuring.question import EvaluateCommand
from ganctl.commands.sample import SampleCommand
from ganctl.config import ONE_OF, SEVERAL_OF, DeviceConfig, EvaluateConfig, TrainLoop
from ganctl.metrics import EXTRACTORS
from ganctl.registry import Spec
from tests.conftest import TINY, Cli

UNBOUNDED = {
    *(
        "seed",
        "seeds",
        "max_rollbacks",
        "patience",
        "every",
        "keep",
        "warmup",
        "until",
        "start",
        "interval",
    ),  # compared, never looped over
    *(
        "batch_size",
        "latent",
        "embedding",
        "width",
        "max_width",
        "hidden",
        "pack",
        "style",
        "widths",
        "group_widths",
        "group",
        "shrink",
        "blocks",
        "frozen",
        "direction",
    ),  # compared with memory, with the batch, or with what networks have
    "least",  # of samples in a mode, compared with counts
}


def whole_numbers(schema: Any, key: str) -> Iterator[tuple[str, bool]]:
    """Yield each whole number of a JSON schema: its key, and whether it has an upper bound."""
    if isinstance(schema, list):
        for part in schema:
            yield from whole_numbers(part, key)
    elif isinstance(schema, dict):
        if schema.get("type") == "integer":
            yield key, bool({"maximum", "exclusiveMaximum", "enum", "const"} & schema.keys())
        for name, part in (schema.get("properties", {}) | schema.get("$defs", {})).items():
            yield from whole_numbers(part, name)
        for word in ("anyOf", "oneOf", "items", "prefixItems", "additionalProperties"):
            yield from whole_numbers(schema.get(word), key)


def test_every_count_is_bounded_or_checked_elsewhere() -> None:
    classes: list[type[Spec]] = [DeviceConfig, TrainLoop, SampleCommand, EvaluateCommand, EvaluateConfig]
    classes += [DemoCommand, SamplesAsked, PathAsked]
    families = (*ONE_OF, *SEVERAL_OF, EXTRACTORS)
    classes += [family[name] for family in families for name in family if family[name].__module__[:7] == "ganctl."]
    found = [pair for cls in classes for pair in whole_numbers(cls.model_json_schema(), "")]
    assert len(found) > 60
    assert {key for key, bounded in found if not bounded} <= UNBOUNDED


@pytest.mark.parametrize("key", ["train.n_dis", "train.n_gen", "train.accumulate", "train.steps"])
def test_a_count_that_no_run_could_finish_is_refused_at_once(key: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *[word for word in TINY if not word.startswith(key)], f"{key}={2**62}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"ganctl: {key}: must be at most ")
    assert not (workspace / "outputs").exists()
