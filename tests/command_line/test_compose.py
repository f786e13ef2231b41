"""From a command line to one plain dictionary: groups, overrides, sweeps, and a user's own configs."""

import shutil
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ganctl.cli import COMMANDS
from ganctl.command_line import compose, explain
from ganctl.command_line.jobs import Job, Typed
from ganctl.command_line.sweeping import GROUPS
from ganctl.commands.sample import SampleCommand
from ganctl.config import SEVERAL_OF, train_config
from ganctl.errors import CheckpointError, ConfigError, DataError, Stopped
from ganctl.optim import OPTIMIZERS
from ganctl.runtime.signals import Signals
from ganctl.validation import validate
from tests.composed import composed
from tests.conftest import TINY, Cli, Outcome, contents

SEVERAL = {family.key for family in SEVERAL_OF}
OPTIONS = sorted(
    f"{path.parent.name}={path.stem}"
    for path in explain.config_folder().glob("*/*.yaml")
    if path.parent.name not in ("metric", *GROUPS)  # which belong to no run
)
OF_A_FOLDER = ("dcgan28_color", "few_images", "sagan", "fastgan_few", "r3gan_ffhq64", "stylegan2_ada_folder")
NEEDED = {
    "data=folder": ["data.path=pictures"],
    "data=array": ["data.path=pictures.npy"],
    "data=sequences": ["data.path=walks.csv"],
    "loss=wgan": ["penalty=[gradient_penalty]"],
    **{f"experiment={name}": ["data.path=pictures"] for name in OF_A_FOLDER},
}
"""What an option cannot do without."""


def plain(tree: Any) -> bool:
    """Whether this is data that JSON has too, and no interpolation is left in it."""
    if isinstance(tree, dict):
        return all(type(key) is str and plain(value) for key, value in tree.items())
    if isinstance(tree, list):
        return all(map(plain, tree))
    return tree is None or (type(tree) in (bool, int, float, str) and "${" not in str(tree))


@pytest.mark.parametrize(
    ("command", "words", "validate"),
    [("train", [], train_config), ("sample", ["ckpt=outputs/run"], partial(validate, SampleCommand))],
    ids=["train", "sample"],
)
def test_the_defaults_of_a_command_are_plain_valid_data(
    command: str, words: list[str], validate: Callable[[dict[str, Any]], object], workspace: Path
) -> None:
    values = composed(*words, command=command)
    assert plain(values)
    assert validate(values) is not None
    assert contents(workspace) == {}


def test_a_command_is_a_row_of_the_table_and_a_file_of_its_keys() -> None:
    with_keys = {name for name, each in COMMANDS.items() if not each.of_saved_config and not each.tracking}
    assert {path.stem for path in explain.config_folder().glob("*.yaml")} == with_keys
    assert COMMANDS.keys() - with_keys == {"resume", "list", "show", "compare", "report"}


@pytest.mark.parametrize("option", OPTIONS)
def test_every_option_of_every_group_composes_and_validates(option: str) -> None:
    group, _, name = option.partition("=")
    chosen = f"{group}=[{name}]" if group in SEVERAL else option
    values = composed(chosen, *NEEDED.get(option, []))
    config = train_config(values)
    assert config.saved() == {key: value for key, value in values.items() if key != "plugins"}
    if group in SEVERAL:
        assert list(getattr(config, group)) == [name]
    elif group == "experiment":
        assert (config.identity() != train_config(composed()).identity()) == (name != "auto")
    else:
        assert getattr(config, group).name == {"wgan_gp": "wgan"}.get(name, name)


@pytest.mark.parametrize("option", [option for option in OPTIONS if option.startswith("device=")])
def test_every_device_option_serves_sample_too(option: str) -> None:
    command = validate(SampleCommand, composed("ckpt=outputs/run", option, command="sample"))
    assert f"device={command.device.name}" == option


def test_several_penalties_are_kept_each_under_its_own_key() -> None:
    penalty = composed("penalty=[r1,gradient_penalty]", "penalty.r1.weight=3")["penalty"]
    assert {key: value["weight"] for key, value in penalty.items()} == {"r1": 3, "gradient_penalty": 10.0}


def test_several_auxiliary_terms_are_kept_each_under_its_own_key() -> None:
    auxiliary = composed("auxiliary=[ssim,feature_matching]", "auxiliary.ssim.weight=3")["auxiliary"]
    assert {key: value["weight"] for key, value in auxiliary.items()} == {"ssim": 3, "feature_matching": 0.01}
    assert composed()["auxiliary"] == {}


def test_a_loss_that_is_a_pair_brings_its_penalty_its_turns_and_its_norm() -> None:
    values = composed("loss=wgan_gp")
    assert values["loss"] == {"name": "wgan"}
    assert list(values["penalty"]) == ["gradient_penalty"]
    assert values["train"]["n_dis"] == 5
    assert values["model"]["discriminator"]["norm"] == "none"
    assert values["model"]["generator"]["norm"] == "batch"


def test_the_command_line_wins_over_a_loss_that_is_a_pair() -> None:
    values = composed(
        "loss=wgan_gp",
        "train.n_dis=2",
        "model.discriminator.norm=instance",
        "penalty=[gradient_penalty,r1]",
        "penalty.gradient_penalty.weight=1",
    )
    assert values["train"]["n_dis"] == 2
    assert values["model"]["discriminator"]["norm"] == "instance"
    assert list(values["penalty"]) == ["gradient_penalty", "r1"]
    assert values["penalty"]["gradient_penalty"]["weight"] == 1


@pytest.mark.parametrize("option", list(OPTIMIZERS))
def test_a_learning_rate_moves_both_players_or_one(option: str) -> None:
    both = composed(f"optimizer={option}", "optimizer.lr=0.25")["optimizer"]
    assert (both["generator"]["lr"], both["discriminator"]["lr"]) == (0.25, 0.25)
    one = composed(f"optimizer={option}", "optimizer.lr=0.25", "optimizer.generator.lr=0.5")["optimizer"]
    assert (one["generator"]["lr"], one["discriminator"]["lr"]) == (0.5, 0.25)


def test_a_list_moves_both_players() -> None:
    optimizer = composed("optimizer.betas=[0,0.9]")["optimizer"]
    assert optimizer["generator"]["betas"] == optimizer["discriminator"]["betas"] == [0, 0.9]


def test_an_unusual_text_needs_no_quotes() -> None:
    texts = ["~/pictures", "José", "写真", "a=b", "a b", "a!b", "50%", "http://x/y?z&w"]
    words = [f"+text_{number}={text}" for number, text in enumerate(texts)]
    values = composed(*words)
    assert [values[f"text_{number}"] for number in range(len(texts))] == texts


def test_signs_that_hydra_knows_keep_their_meaning() -> None:
    values = composed("+a=[x,y]", "+b={c: 1}", "+d='~,~'", "+e=${seed}", "+f=null", "+g=1e3", "seed=4")
    assert {key: values[key] for key in "abdefg"} == {
        "a": ["x", "y"],
        "b": {"c": 1},
        "d": "~,~",
        "e": 4,
        "f": None,
        "g": 1000.0,
    }


def test_a_users_own_option_joins_a_group_and_the_list_of_its_options(workspace: Path) -> None:
    (workspace / "mine/loss").mkdir(parents=True)
    (workspace / "mine/loss/soft.yaml").write_text("name: hinge\n")
    assert composed("--config-dir", "mine", "loss=soft")["loss"] == {"name": "hinge"}
    assert composed("--config-dir", "mine")["loss"]["name"] == "nonsaturating"
    with pytest.raises(ConfigError, match=r"'sotf' \(did you mean 'soft'\?\); there are hinge, .*soft, wgan"):
        composed("--config-dir", "mine", "loss=sotf")


def test_a_sweep_is_a_job_for_every_combination(workspace: Path) -> None:
    jobs = compose.jobs("train", ["loss=hinge,wgan_gp", "-m", "seed=1,2"])
    found = [job.values() for job in jobs]
    combinations = [(values["loss"]["name"], values["seed"]) for values in found]
    assert combinations == [("hinge", 1), ("hinge", 2), ("wgan", 1), ("wgan", 2)]
    assert [list(values["penalty"]) for values in found] == [*[["r1"]] * 2, *[["gradient_penalty"]] * 2]
    assert [job.differing for job in jobs][:2] == [("loss=hinge", "seed=1"), ("loss=hinge", "seed=2")]
    assert [(job.number, job.total) for job in jobs] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert contents(workspace) == {}


def test_without_m_there_is_one_job_and_no_sweep(workspace: Path) -> None:
    (job,) = compose.jobs("train", ["seed=3"])
    assert (job.values()["seed"], job.sweep) == (3, None)
    assert contents(workspace) == {}


def sweeping(
    monkeypatch: pytest.MonkeyPatch, cli: Cli, work: Callable[[int], None]
) -> tuple[list[int], Callable[[], Outcome]]:
    """Let `ganctl train` do `work` on each seed; return a list of the seeds done, and a sweep over 1 to 4."""
    seen: list[int] = []

    def run(values: Typed, job: Job, signals: Signals) -> None:
        seen.append(values["seed"])
        work(values["seed"])

    monkeypatch.setattr("ganctl.commands.train.run", run)
    return seen, lambda: cli("train", "-m", "seed=1,2,3,4")


def test_a_failing_job_of_a_sweep_leaves_the_others_and_its_code(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    def work(seed: int) -> None:
        if seed in (2, 3):
            raise {2: DataError, 3: CheckpointError}[seed]("no")

    seen, sweep = sweeping(monkeypatch, cli, work)
    assert sweep().code == 4
    assert seen == [1, 2, 3, 4]


def test_a_programmers_mistake_in_a_sweep_is_raised_after_the_other_jobs(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    seen, sweep = sweeping(monkeypatch, cli, lambda seed: print(1 // (seed - 1)))
    with pytest.raises(ZeroDivisionError):
        sweep()
    assert seen == [1, 2, 3, 4]


def test_a_signal_ends_a_sweep(workspace: Path, monkeypatch: pytest.MonkeyPatch, cli: Cli) -> None:
    def work(seed: int) -> None:
        raise Stopped(signal.SIGTERM)

    seen, sweep = sweeping(monkeypatch, cli, work)
    assert sweep().code == 143
    assert seen == [1]


def test_two_sweeps_have_two_folders_and_the_same_sweep_one(workspace: Path) -> None:
    sweeps = [compose.jobs("train", ["-m", f"seed={seed}"])[0].sweep for seed in (1, 2, 1)]
    first, second, again = (sweep.folder for sweep in sweeps if sweep is not None)
    assert first == again != second


def test_under_a_sweep_the_name_is_a_prefix_and_a_wrong_job_leaves_the_right_one(
    workspace: Path, cli: Cli
) -> None:
    outcome = cli("train", *TINY, "-m", "name=try", "seed=1,2", "train.batch_size=1,4")
    assert outcome.code == 2
    assert outcome.err == "ganctl: train.batch_size: must be at least 2, not 1\n" * 2
    runs = [path for path in (workspace / "outputs").iterdir() if not path.is_symlink()]
    names = sorted(path.name for path in runs if (path / "run.json").exists())
    assert len(names) == 2
    assert all(name.startswith("try-ring-mlp-nonsaturating-") for name in names)


@pytest.mark.parametrize("word", ["--experimental-rerun=job.pickle", "--experimental-r=job.pickle"])
def test_a_pickled_job_is_never_run(word: str) -> None:
    with pytest.raises(ConfigError, match="--experimental-rerun: not available"):
        composed(word)


def test_words_are_parsed_as_yaml_values() -> None:
    words = ["a.b=3", "a.c=[1,x]", "d=text", "e=null", "f=true", "g=1.5", "h={i: 2}", "j=a=b", "k="]
    assert compose.parse(words) == {
        "a.b": 3,
        "a.c": [1, "x"],
        "d": "text",
        "e": None,
        "f": True,
        "g": 1.5,
        "h": {"i": 2},
        "j": "a=b",
        "k": None,
    }


def test_no_words_are_parsed_as_nothing() -> None:
    assert compose.parse([]) == {}


@pytest.mark.parametrize("word", ["a", "--a", "=3", "a b=3", "+a=3", "~a", "a=[1", "a={", "a=${b}"])
def test_a_word_of_another_form_is_refused_by_name(word: str) -> None:
    with pytest.raises(ConfigError) as refused:
        compose.parse(["fine=1", word])
    assert word in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_sweep_whose_jobs_are_all_refused_leaves_nothing(workspace: Path, cli: Cli) -> None:
    assert cli("train", "-m", "train.steps=0,-1").code == 2
    assert contents(workspace) == {}


def test_a_sweep_that_cannot_be_composed_leaves_nothing(workspace: Path) -> None:
    with pytest.raises(ConfigError, match="there is no 'wgn'"):
        compose.jobs("train", ["-m", "loss=hinge,wgn"])
    assert contents(workspace) == {}


def test_a_group_in_a_group_is_named_by_its_path_and_its_keys_by_its_package(
    workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs = workspace / "configs"
    shutil.copytree(explain.config_folder(), configs)
    sample = (configs / "sample.yaml").read_text()
    chosen = "  - _self_\n  - metric: [fid]\n  - metric/features: classifier\n"
    (configs / "measure.yaml").write_text(sample.replace("  - _self_\n", chosen))
    for module in (compose, explain):
        monkeypatch.setattr(module, "config_folder", lambda: configs)
    found = composed("ckpt=run", "metric/features=raw", "metric=[kid]", command="measure")
    assert (found["features"], list(found["metric"])) == ({"name": "raw"}, ["kid"])
    for words, line in {
        "features.wdith=4": "features.wdith: unknown key (did you mean 'features.width'?); `ganctl measure",
        "features.layers=[x]": "features.layers: unknown key here; it belongs to metric/features=torchvision",
        "metric/features=incepton": "metric/features: there is no 'incepton' (did you mean 'inception'?)",
    }.items():
        with pytest.raises(ConfigError) as refused:
            composed("ckpt=run", words, command="measure")
        assert str(refused.value).startswith(line)
