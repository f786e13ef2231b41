"""Configs of earlier versions: read as the runs that they were."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ganctl.checkpoints import file as checkpoint
from ganctl.config import flatten, train_config
from ganctl.errors import ConfigError
from ganctl.folders.run_folder import RunFolder
from ganctl.migrations import ADDED, MOVED, Added, completed, without_effect
from tests.composed import EARLIER_DEFAULTS, composed
from tests.conftest import TINY, Cli

LOSSES_BEFORE = ["nonsaturating", "hinge", "wgan"]
AS_BEFORE = "train.share_fakes=false"
"""What a new run does otherwise unless told."""
NOT_EVALUATED: dict[str, Any] = {"metric": {}, "features": None}
"""What an old run says of its metrics; that of new ones stands in YAML."""


def before(values: dict[str, Any], keys: tuple[Added, ...] = ADDED) -> dict[str, Any]:
    """Return a config without keys that were added since."""
    values = copy.deepcopy(values)
    for added in keys:
        *groups, last = added.key.split(".")
        inner = values
        for group in groups:
            inner = inner.get(group) or {}
        inner.pop(last, None)
    if not any(values.get("schedule", {"": {}}).values()):
        del values["schedule"]
    return values


@pytest.mark.parametrize("loss", LOSSES_BEFORE)
def test_a_config_from_before_is_the_same_run(loss: str) -> None:
    values = composed(f"loss={loss}", AS_BEFORE)
    old = before(values)
    assert set(old["loss"]) == {"name"}
    assert "pack" not in old["train"]
    assert not {"schedule", "auxiliary"} & set(old)
    assert train_config(old).run_name() == train_config(values).run_name()
    assert train_config(old).saved() == train_config(values | NOT_EVALUATED).saved()


def test_the_default_run_from_before_keeps_the_name_it_had() -> None:
    assert train_config(before(composed(*EARLIER_DEFAULTS))).run_name() == "digits-dcgan-nonsaturating-9aa1a4a4"


@pytest.mark.parametrize("number", range(len(ADDED)))
def test_each_added_key_is_filled_in_with_the_value_that_changes_nothing(number: int) -> None:
    added = ADDED[number]
    group, _, _ = added.key.partition(".")
    chosen = [f"{'metric/' if group == 'features' else ''}{group}={name}" for name in added.names][:1]
    values = composed(AS_BEFORE, *chosen, *(["data.path=pictures"] if chosen == ["data=folder"] else []))
    evaluated = added.names == ("classifier",)
    values |= {"features": values["features"] | {"colour": None}} if evaluated else NOT_EVALUATED
    if added.key == "data.cache":
        values["data"]["cache"] = None
    without = before(values, (added,))
    assert without != values
    assert completed(without) == values


def test_what_a_config_holds_is_left_as_it_is() -> None:
    values = composed("train.pack=2", "loss.label_noise=0.1", "schedule.ema.warmup=5", "auxiliary=[ssim]")
    assert completed(values) == values


def test_a_key_that_only_some_options_have_is_given_to_those() -> None:
    assert completed({"loss": {"name": "hinge"}})["loss"] == {"name": "hinge"}
    assert completed({"loss": {"name": "nonsaturating"}})["loss"].keys() == {
        "name",
        "label_smoothing",
        "label_noise",
    }
    assert completed({"loss": 3})["loss"] == 3


def test_added_keys_count_in_a_runs_name_only_where_they_have_an_effect() -> None:
    plain = train_config(composed(AS_BEFORE))
    idle = without_effect(flatten(plain.saved()))
    assert not idle.keys() & plain.identity().keys()
    idle = {key: value for key, value in idle.items() if not plain.may_change(key)}
    saved = flatten(plain.saved())
    assert {key: saved[key] for key in idle} == idle
    words = ["train.pack=2", "loss.label_smoothing=0.1", "loss.label_noise=0.1", "auxiliary=[ssim]"]
    runs = {train_config(composed(AS_BEFORE, word)).run_name() for word in words}
    assert len(runs | {plain.run_name()}) == len(words) + 1


def moved_back(values: dict[str, Any]) -> dict[str, Any]:
    """Return a config with every moved key where it was."""
    values = copy.deepcopy(values)
    for earlier, key in MOVED.items():
        (group, name), (other, there) = earlier.split("."), key.split(".")
        values[group][name] = values[other].pop(there)
    return values


@pytest.mark.parametrize(("words", "digest"), [((), "20a0095c"), (("train.pack=2",), "769a7194")])
def test_a_moved_key_is_read_from_its_earlier_place_as_the_same_run(words: tuple[str, ...], digest: str) -> None:
    new = composed(*EARLIER_DEFAULTS, *words)
    assert completed(moved_back(new)) == new
    assert train_config(moved_back(new)).saved() == train_config(new).saved()
    assert train_config(new).run_name() == f"digits-dcgan-nonsaturating-{digest}"


def test_a_moved_key_in_both_places_is_refused_by_its_earlier_name() -> None:
    values = composed()
    values["loss"]["pack"] = 2
    with pytest.raises(ConfigError, match=r"^loss.pack: unknown key; here it is train.pack$"):
        train_config(values)


def test_a_moved_key_of_resume_is_answered_by_its_new_name(trained: Path, cli: Cli) -> None:
    outcome = cli("resume", "outputs/run", "loss.pack=2")
    assert outcome.code == 2
    assert outcome.err == "ganctl: loss.pack: unknown key of this run; here it is train.pack\n"


def test_an_option_that_had_a_key_before_others_got_it_keeps_its_names() -> None:
    array = train_config(composed("data=array", "data.path=a.npy"))
    assert "data.range" in array.identity()
    folder = train_config(composed("data=folder", "data.path=a"))
    assert not {"data.range", "data.frames"} & folder.identity().keys()
    for word in ("data.range=[0,4095]", "data.frames=all"):
        other = train_config(composed("data=folder", "data.path=a", word))
        assert other.run_name() != folder.run_name()


@pytest.fixture
def old_run(trained: Path) -> RunFolder:
    """A run of one step whose config and checkpoint are from before the keys were added."""
    run = RunFolder(trained / "outputs/run")
    run.config.write_text(yaml.safe_dump(before(run.saved_config())))
    (path,) = run.checkpoints.files()
    whole = checkpoint.read_header(path)
    header = copy.deepcopy(whole.header)
    header.config.clear()
    header.config.update(before(whole.header.config))
    checkpoint.write(path, header, whole.read())
    assert "schedule" not in run.saved_config()
    assert "pack" not in checkpoint.read_header(path).header.config["train"]
    return run


def test_a_run_from_before_is_complete_resumes_and_samples(old_run: RunFolder, cli: Cli) -> None:
    assert cli("sample", "ckpt=outputs/run", "num=2", "device=cpu").code == 0
    assert "is complete" in cli("resume", "outputs/run").out
    outcome = cli("resume", "outputs/run", "train.steps=3")
    assert (outcome.code, outcome.err) == (0, "")
    assert "resumed at step 1" in outcome.out
    assert old_run.saved_config()["schedule"]["learning_rate"]["shape"] == "constant"


@pytest.mark.parametrize(
    "word", ["schedule.learning_rate.shape=cosine", "train.pack=2", "loss.label_noise=0.1", "auxiliary={}"]
)
@pytest.mark.parametrize("folder", ["old_run", "trained"])
def test_an_added_key_cannot_change_when_a_run_goes_on(
    word: str, folder: str, request: pytest.FixtureRequest, cli: Cli
) -> None:
    request.getfixturevalue(folder)
    outcome = cli("resume", "outputs/run", word, "train.steps=2")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"ganctl: {word.partition('=')[0]}: cannot change when a run goes on")


def test_an_added_key_that_differs_is_told_with_both_values(trained: Path, cli: Cli) -> None:
    words = RunFolder(trained / "outputs/run").saved_config()
    assert words["train"]["pack"] == 1
    outcome = cli("train", *TINY, "name=run", "train.pack=2", "schedule.ema.warmup=1")
    assert outcome.code == 2
    assert "schedule.ema.warmup (0 there, 1 here), train.pack (1 there, 2 here)" in outcome.err
