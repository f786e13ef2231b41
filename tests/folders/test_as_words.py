"""A run's config as words, and runs that are begun from another's."""

import json
from pathlib import Path

import pytest
import yaml

from ganctl import api
from ganctl.errors import ConfigError
from ganctl.folders.as_words import expanded, words_of
from tests.composed import composed
from tests.conftest import TINY, Cli

ROUND = {
    "plain": [],
    "loss pair": ["loss=wgan_gp", "penalty.gradient_penalty.weight=3"],
    "text": ["data=folder", r"data.path='a b, [c] \'d\''", "data.cache='null'", "init_which=best"],
    "lists": ["model=mlp", "optimizer.betas=[0.1,0.9]", "model.generator.hidden=[3,4]"],
    "several": ["penalty=[r1,r2]", "penalty.r2.every=4", "metric=[fid,kid]", "metric/features=raw"],
    "nulls": ["train.clip_norm=2", "device.threads=null", "train.max_time=7.5h"],
    "recipe": ["experiment=stylegan2_ada_cifar10"],
}


def run_of(folder: Path, values: dict[str, object]) -> Path:
    folder.mkdir(parents=True)
    saved = json.loads(json.dumps({key: value for key, value in values.items() if key != "plugins"}))
    (folder / "config.yaml").write_text(yaml.safe_dump(saved))
    return folder


@pytest.mark.parametrize("words", ROUND.values(), ids=ROUND)
def test_the_words_of_a_config_compose_to_it(words: list[str], tmp_path: Path) -> None:
    values = composed(*words)
    again = composed(*words_of(run_of(tmp_path / "run", {**values, "name": "mine"})))
    assert again == {**values, "name": None, "init_digest": None}


def test_keys_that_refer_to_another_follow_it(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", composed("optimizer.lr=3e-4", "optimizer.generator.lr=1e-3"))
    values = composed(*expanded([f"from={run}", "optimizer.lr=5e-5"]))
    lr = {player: values["optimizer"][player]["lr"] for player in ("generator", "discriminator")}
    assert lr == {"generator": 1e-3, "discriminator": 5e-5}


def test_another_option_of_a_group_comes_with_its_own_defaults(tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", composed("penalty=[r1,r2]", "penalty.r1.weight=7", "loss.label_noise=0.1"))
    hinge = composed(*expanded([f"from={run}", "loss=hinge"]))
    assert hinge["loss"] == composed("loss=hinge")["loss"]
    assert hinge["penalty"]["r1"]["weight"] == 7
    pair = composed(*expanded([f"from={run}", "loss=wgan_gp"]))
    assert (pair["penalty"], pair["train"]) == (
        composed("loss=wgan_gp")["penalty"],
        composed("loss=wgan_gp")["train"],
    )


def test_a_run_is_begun_from_another_with_one_change(trained: Path, cli: Cli) -> None:
    outcome = cli("train", "from=run", "optimizer.lr=1e-4")
    assert (outcome.code, outcome.err) == (0, "")
    (other,) = (path for path in Path("outputs").glob("ring-*"))
    before, after = (yaml.safe_load((path / "config.yaml").read_text()) for path in (Path("outputs/run"), other))
    assert after["optimizer"]["generator"]["lr"] == after["optimizer"]["lr"] == 1e-4
    assert {**after, "optimizer": 0, "name": 0} == {**before, "optimizer": 0, "name": 0}
    assert api.train("from=run", "optimizer.lr=1e-4").name == other.name
    swept = cli("train", "-m", "from=run", "seed=5,6")
    assert swept.code == 0
    assert len(list(Path("outputs").glob("ring-*-seed=*"))) == 2


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["from=rum"], 4, "rum: no run folder (neither here nor below outputs/) (did you mean 'run'?)"),
        (["from="], 2, "from=: takes one run, from=outputs/<run>"),
        (["from=run", "from=run"], 2, "from=run: takes one run, from=outputs/<run>"),
        (
            ["from=run", "experiment=mlp_small"],
            2,
            "from: experiment=… is a whole recipe, too; give one of the two",
        ),
        (["from=run", "optimizer.rl=3"], 2, "optimizer.rl: unknown key (did you mean 'optimizer.lr'?)"),
        (
            ["from=outputs/run/checkpoints/step-00000001.safetensors"],
            4,
            "from=outputs/run/checkpoints/step-00000001.safetensors: takes the folder of a run, not a file",
        ),
    ],
)
def test_what_is_no_run_is_one_line(words: list[str], code: int, told: str, trained: Path, cli: Cli) -> None:
    outcome = cli("train", *words)
    assert (outcome.code, outcome.err.count("\n")) == (code, 1)
    assert outcome.err.startswith(f"ganctl: {told}")


@pytest.mark.parametrize("text", ["", "[1, 2]", "data: {name: nope}", "data: {name: '../x'}\nloss: 3", "a: &x 1"])
def test_a_config_that_is_none_is_one_line(text: str, trained: Path, cli: Cli) -> None:
    (trained / "outputs/run/config.yaml").write_text(text)
    outcome = cli("train", *TINY, "from=run")
    assert outcome.err.count("\n") <= 1
    assert (outcome.code == 0) == (outcome.err == "")


def test_a_pair_of_several_runs_is_refused() -> None:
    with pytest.raises(ConfigError, match="takes one run"):
        expanded(["from=a", "from=b"])
