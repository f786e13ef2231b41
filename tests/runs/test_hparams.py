"""What TensorBoard's own HPARAMS page makes of runs: columns that can be sorted, of what tells runs apart."""

from pathlib import Path
from typing import Any

import pytest
from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
from tensorboard.context import RequestContext
from tensorboard.plugins.base_plugin import TBContext
from tensorboard.plugins.hparams.api_pb2 import ListSessionGroupsRequest
from tensorboard.plugins.hparams.backend_context import Context
from tensorboard.plugins.hparams.list_session_groups import Handler

from tests.conftest import TINY, Cli

SORTED = 1
"""ORDER_ASC of the page's protocol."""


def page(logdir: Path) -> tuple[Any, Any]:
    """Return the page's experiment, and what asks it for runs in the order of a column."""
    multiplexer = EventMultiplexer(tensor_size_guidance={"tensors": 0})
    multiplexer.AddRunsFromDirectory(str(logdir))
    multiplexer.Reload()
    context = Context(
        TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(logdir)), logdir=str(logdir))
    )
    around = RequestContext()
    known = context.hparams_metadata(around, "")
    experiment = context.experiment_from_metadata(
        around, "", True, known, context.hparams_from_data_provider(around, "", 1000)
    )

    def groups(column: str) -> list[Any]:
        request = ListSessionGroupsRequest(start_index=0, slice_size=100, allowed_statuses=[0, 1, 2, 3])
        order = request.col_params.add(hparam=column) if "/" not in column else request.col_params.add()
        if "/" in column:
            order.metric.group, order.metric.tag = "", column
        order.order = SORTED
        return list(Handler(around, context, "", request).run().session_groups)

    return experiment, groups


@pytest.fixture
def runs(workspace: Path, cli: Cli) -> Path:
    for words in (["name=a"], ["name=b", "train.clip_norm=0.5"], ["name=c", "train.clip_norm=0.25", "seed=3"]):
        scored = ["evaluate.every=1", "evaluate.num=8", "metric/features=raw", "metric=[fid]"]
        outcome = cli("train", *TINY, *scored, *words)
        assert outcome.code == 0, outcome.err
    return workspace / "outputs"


def test_runs_are_sorted_by_a_key_that_is_null_in_some(runs: Path) -> None:
    _, groups = page(runs)
    found = [group.hparams["train.clip_norm"].number_value for group in groups("train.clip_norm")]
    assert [value for value in found if value] == [0.25, 0.5]
    assert len(found) == 3


def test_columns_are_what_tells_runs_apart_and_what_orders_them(runs: Path) -> None:
    experiment, groups = page(runs)
    names = {info.name for info in experiment.hparam_infos}
    assert {"seed", "train.clip_norm", "optimizer.generator.lr", "loss.name"} <= names
    assert not {name for name in names if name.split(".")[0] in ("name", "logging", "sample", "device", "metric")}
    tags = {info.name.tag for info in experiment.metric_infos}
    assert tags == {
        *("loss/generator", "loss/discriminator", "evaluate/fid/fid"),
        *("health/separation", "health/generator_gradient", "health/diversity"),
    }
    values = [
        metric.value
        for group in groups("evaluate/fid/fid")
        for metric in group.metric_values
        if metric.name.tag == "evaluate/fid/fid"
    ]
    assert values == sorted(values)
    assert len(values) == 3
