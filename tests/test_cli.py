"""What the command line answers: to a mistake one line and an exit code, to a question what it should print."""

import functools
import re
import shlex
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from ganctl.cli import COMMANDS
from ganctl.folders.run_folder import RunFolder
from ganctl.runtime.version import __version__
from tests.conftest import TINY, Cli, Outcome, contents

WRONG_COMMANDS = {
    "trian": "trian: unknown command (did you mean 'train'?)",
    "--hlep": "--hlep: unknown command",
}
WRONG_KEYS = {
    "train.step=5": "train.step: unknown key (did you mean 'train.steps'?)",
    "model.generatr.width=3": "model.generatr.width: unknown key (did you mean 'model.generator.width'?)",
    "penalty=[r1] penalty.r1.wieght=3": "penalty.r1.wieght: unknown key (did you mean 'penalty.r1.weight'?)",
    "los=hinge": "los: unknown key (did you mean 'loss'?)",
    "data.split=train": "data.split: unknown key here; it belongs to data=celeba or data=cifar10 or ",
    "data.radius=2": "data.radius: unknown key here; it belongs to data=ring",
    "penalty.gradient_penalty.weight=3": "it belongs to penalty=[gradient_penalty]",
    "+train.step=3": "train.step: unknown key (did you mean 'steps'?)",
    "++wandb=true": "wandb: unknown key",
    "model=dcgn": "model: there is no 'dcgn' (did you mean 'dcgan'?); there are "
    "biggan, conv1d, dcgan, fastgan, mlp, r3gan, resnet, stylegan2, unet",
    "model=é": "model: there is no 'é'",
    "penalty=[r1,gradient_penalti]": "penalty: there is no 'gradient_penalti' (did you mean 'gradient_penalty'?)",
    "+penalty.mine.weight=3": "penalty.mine: needs a name",
    "~loss": "loss: required, but not given",
    "--cgf job": "--cgf: unknown option (did you mean '--cfg'?)",
    "--config-dir nowhere": "nowhere",
    "--cfg": "--cfg: needs a value",
    "--experimental-rerun job.pickle": "--experimental-rerun: not available",
    "--config-name data/digits": "--config-name: not available",
    "--config-path nowhere": "--config-path: not available",
    "-sc install=bash": "--shell-completion: not available",
    "--cfg job --package nope": "package 'nope' not found",
    "hydra.output_subdir=x": "hydra.output_subdir=x: settings of Hydra itself are not available",
    "+hydra.callbacks.a._target_=b": "settings of Hydra itself are not available",
    "-m hydra/launcher=joblib": "hydra/launcher=joblib: settings of Hydra itself are not available",
    "data=": "data: there is no ''",
    "data=null": "data=null: a choice is the name of an option, or a list of names",
    "penalty=[null]": "penalty=[null]: a choice is the name of an option, or a list of names",
    "penalty=[[r1]]": "penalty=[[r1]]: a choice is the name of an option, or a list of names",
    "model.name=[1]": "model: unknown name '[1]'",
    "-m seed=-1,-2 train.steps=[1": "train.steps=[1: cannot be read",
    "steps": "'steps' is not of the form key=value",
    "optimizer.betas=[0.5,0.9": "optimizer.betas=[0.5,0.9: cannot be read",
    "loss=hinge,wgan": "loss=hinge,wgan: a list is loss=[hinge,wgan]",
}
WRONG_VALUES = {
    "train.steps=abc": "train.steps: must be a whole number, not 'abc'",
    "train.steps=0": "train.steps: must be at least 1, not 0",
    "train.steps=9223372036854775808": "train.steps: must lie within 64 bits",
    "name='\udcff'": "name: must be text in Unicode",
    "-m train.steps=0": "train.steps: must be at least 1, not 0",
    "device.threads=100000": "device.threads: must be at most 1024",
    "train.batch_size=1": "train.batch_size: must be at least 2, not 1",
    "optimizer.betas=[0,1]": "optimizer.betas.1: must be below 1",
    "optimizer.lr=-1": "optimizer.lr: must be above 0",
    "optimizer.lr=inf": "optimizer.lr: must be a finite number",
    "optimizer.lr=???": "optimizer.lr: required, but not given; add optimizer.lr=…",
    "optimizer.lr=${train.lr}": "optimizer.lr: Interpolation key",
    "data.resolution=7": "data.resolution: must be at least 8, not 7",
    "data.resolution=30": "data.resolution: dcgan cannot make 30×30 pixels, which do not halve down to 4–7; "
    "take 28 or 32",
    "data=ring": "model: dcgan makes images, but the data is points of 2 dimensions; take model=mlp",
    "loss=wgan": "loss: wgan needs a Lipschitz critic; take loss=wgan_gp",
    "data=folder": "data.path: required, but not given; add data.path=…",
    "device=cuda": "device.name: no CUDA device is usable here",
    "device=mps": "device.name: MPS needs an Apple computer",
    "device.name=tpu": "device.name: must be auto, cpu, cuda, cuda:N or mps, not 'tpu'",
    "name=../x": "name: must be a folder's name",
    "plugins=[no_such_module]": "plugins: no_such_module cannot be imported",
    "plugins=no_such_module": "plugins: must be a list of modules",
}
UNUSABLE_DATA = {
    "data=folder data.path=nowhere": "data.path: nowhere does not exist",
    "data=folder data.path=~/nowhere-José": "data.path: ~/nowhere-José does not exist",
    "data=folder data.path=empty": "data.path: empty holds no images",
    "data=folder data.path=file": "data.path: file is neither a folder nor a zip file",
}
WRONG_SAMPLING = {
    "": "ckpt: required, but not given; add ckpt=…",
    "ckpt=outputs/run nun=3": "nun: unknown key (did you mean 'num'?)",
    "ckpt=outputs/run model=mlp": "model: unknown key here; it belongs to `ganctl train`",
    "ckpt=outputs/run num=0": "num: must be at least 1",
    "ckpt=outputs/run seeds=0-x": "seeds: must be a number, a range such as 0-63, or a list of these",
    "ckpt=outputs/run seeds=0-99999999999": "seeds: must be 100,000 numbers at most, not '0-99999999999'",
    "ckpt=outputs/run seeds=[]": "seeds: must be a number, a range such as 0-63, or a list of these",
    "ckpt=outputs/run device=cuda": "device.name: no CUDA device is usable here",
    "ckpt=outputs/run out=file/below": "file/below: cannot be written (Not a directory)",
    "ckpt=outputs/run images=true": "images: this model draws points",
}
UNUSABLE_CHECKPOINTS = {
    "ckpt=nowhere": "nowhere: no run folder",
    "ckpt=outputs/rum": "outputs/rum: no run folder (it has no config.yaml) (did you mean 'run'?)",
    "ckpt=outputs/a=b": "outputs/a=b: no run folder",
    "ckpt=nowhere.safetensors": "nowhere.safetensors: does not exist",
    "ckpt=empty": "empty: no run folder",
    "ckpt=text.safetensors": "text.safetensors: not an intact safetensors file",
    "ckpt=foreign.safetensors": "foreign.safetensors: a safetensors file, but no checkpoint of ganctl",
}
WRONG_RESUMING = {
    "outputs/run optimizer.lr=3": "optimizer.lr: cannot change when a run goes on",
    "outputs/run name=other": "name: cannot change when a run goes on",
    "outputs/run train.step=3": "train.step: unknown key of this run (did you mean 'train.steps'?)",
    "outputs/run sample=3": "sample: is a group of keys; give the ones that shall change, such as sample.every=…",
    "outputs/run train.steps=0": "train.steps: must be at least 1",
    "outputs/run train.steps=9223372036854775808": "train.steps: must lie within 64 bits",
    "outputs/run 'device.name=\"\\0\"'": "device.name: must be text in Unicode without null characters",
    "outputs/run sample.num=[1": "sample.num=[1: while parsing",
    "outputs/run sample=[a] sample.num.x=3": "sample=[a] sample.num.x=3: Index 'num' (str) is not an int",
    "outputs/run sample.num=${x}": "sample.num=${x}: Interpolation key 'x' not found",
    "outputs/run --foo": "'--foo' is not of the form key=value",
    "outputs/run train.steps=2 device=cuda": "device.name: no CUDA device is usable here",
    "--foo": "--foo: unknown option",
}
UNUSABLE_RUNS = {
    "nowhere": "nowhere: no run folder",
    "outputs/rum": "outputs/rum: no run folder (it has no config.yaml) (did you mean 'run'?)",
    "empty": "empty: no run folder",
    "file": "file: no run folder",
}


@pytest.fixture(autouse=True)
def _no_accelerator(monkeypatch: pytest.MonkeyPatch) -> None:
    for backend in (torch.cuda, torch.backends.mps):
        lacking = functools.wraps(backend.is_available)(lambda: False)  # torch looks for what it wraps
        monkeypatch.setattr(backend, "is_available", lacking)


def cases(command: str, code: int, table: dict[str, str]) -> list[object]:
    return [
        pytest.param(f"{command} {words}".strip(), code, told, id=f"{command} {words}".strip())
        for words, told in table.items()
    ]


def litter(folder: Path) -> None:
    (folder / "file").write_text("no picture")
    (folder / "empty").mkdir()
    (folder / "text.safetensors").write_text("no tensors at all\n" * 9)
    save_file({"weight": torch.zeros(2)}, folder / "foreign.safetensors")


def assert_refused(outcome: Outcome, code: int, told: str) -> None:
    assert outcome.code == code
    assert re.fullmatch(r"ganctl: [^\n]+\n", outcome.err), outcome.err
    assert told in outcome.err
    assert "Traceback" not in outcome.err + outcome.out


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        *cases("", 2, WRONG_COMMANDS),
        *cases("train", 2, WRONG_KEYS),
        *cases("train", 2, WRONG_VALUES),
        *cases("train", 3, UNUSABLE_DATA),
    ],
)
def test_a_mistake_before_training_is_one_line_and_nothing_is_written(
    line: str, code: int, told: str, workspace: Path, cli: Cli
) -> None:
    litter(workspace)
    before = contents(workspace)
    assert_refused(cli(*shlex.split(line)), code, told)
    assert contents(workspace) == before


@pytest.mark.parametrize(
    ("line", "code", "told"),
    [
        *cases("sample", 2, WRONG_SAMPLING),
        *cases("sample", 4, UNUSABLE_CHECKPOINTS),
        *cases("resume", 2, WRONG_RESUMING),
        *cases("resume", 4, UNUSABLE_RUNS),
    ],
)
def test_a_mistake_about_a_run_is_one_line_and_leaves_the_run_as_it_was(
    line: str, code: int, told: str, trained: Path, cli: Cli
) -> None:
    litter(trained)
    before = contents(trained)
    assert_refused(cli(*shlex.split(line)), code, told)
    assert contents(trained) == before


def test_outputs_that_cannot_be_written_are_named_with_exit_code_2(workspace: Path, cli: Cli) -> None:
    (workspace / "outputs").write_text("in the way")
    before = contents(workspace)
    assert_refused(cli("train", *TINY, "name=run"), 2, "outputs/run")
    assert contents(workspace) == before


def test_another_config_under_the_name_of_a_run_is_refused_with_the_keys_that_differ(
    trained: Path, cli: Cli
) -> None:
    before = contents(trained)
    outcome = cli("train", *TINY, "name=run", "seed=5", "optimizer.lr=0.5")
    assert_refused(outcome, 2, "outputs/run: holds a run with another config:")
    assert "seed (0 there, 5 here)" in outcome.err
    assert "optimizer.lr (0.0004 there, 0.5 here)" in outcome.err
    assert contents(trained) == before


def test_a_complete_run_says_so_and_is_left_alone(trained: Path, cli: Cli) -> None:
    before = contents(trained)
    for words in (("train", *TINY, "name=run"), ("resume", "outputs/run"), ("resume", "outputs/latest")):
        outcome = cli(*words)
        assert (outcome.code, outcome.err) == (0, "")
        assert "outputs/run is complete: 1 step is done" in outcome.out
    assert contents(trained) == before


def test_resume_takes_new_steps_from_the_command_line(trained: Path, cli: Cli) -> None:
    outcome = cli("resume", "outputs/run", "train.steps=3", "logging.every=1")
    assert (outcome.code, outcome.err) == (0, "")
    run = RunFolder(trained / "outputs/run")
    assert run.checkpoints.files()[0].name == "step-00000003.safetensors"
    assert run.saved_config()["train"]["steps"] == 3
    assert run.saved_config()["logging"]["every"] == 1


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (["num=3"], "step-00000001-seed-0-3.png"),
        (["num=3", "seed=7"], "step-00000001-seed-7-3.png"),
        (["seeds=2-5"], "step-00000001-seeds-2-5.png"),
        (["seeds='3,5,8'"], "step-00000001-seeds-3-ddd019.png"),
        (["seeds=[3,5,8]"], "step-00000001-seeds-3-ddd019.png"),
        (["seeds=4"], "step-00000001-seeds-4-4.png"),
        (["num=2", "ema=false"], "step-00000001-seed-0-2-raw.png"),
    ],
)
def test_sample_draws_what_it_was_told_into_the_run(words: list[str], name: str, trained: Path, cli: Cli) -> None:
    before = contents(trained)
    outcome = cli("sample", "ckpt=outputs/run", "device=cpu", *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert contents(trained).keys() - before.keys() == {f"outputs/run/samples/{name}"}
    assert f"outputs/run/samples/{name}" in outcome.out


def test_sample_writes_to_the_folder_it_is_told_to(trained: Path, cli: Cli) -> None:
    outcome = cli("sample", "ckpt=outputs/run", "device=cpu", "num=2", "out=new/folder")
    assert outcome.code == 0
    assert [path.name for path in (trained / "new/folder").iterdir()] == ["step-00000001-seed-0-2.png"]


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_lists_every_command_and_the_exit_codes(words: list[str], workspace: Path, cli: Cli) -> None:
    outcome = cli(*words)
    assert (outcome.code, outcome.err) == (0, "")
    for command in COMMANDS:
        assert f"\n  ganctl {command} " in outcome.out
    codes = "0 done, 2 wrong command or config, 3 data, 4 checkpoint, 5 diverged, 6 time limit"
    assert f"Exit codes: {codes}" in outcome.out
    assert contents(workspace) == {}


@pytest.mark.parametrize("line", ["--version", "-V", "train --version", "sample --version"])
def test_version_is_one_line(line: str, workspace: Path, cli: Cli) -> None:
    assert cli(*line.split()) == Outcome(0, f"ganctl {__version__}\n", "")
    assert contents(workspace) == {}


@pytest.mark.parametrize(
    ("line", "told", "untold"),
    [
        (
            "train --help",
            [
                "model: biggan, conv1d, dcgan, fastgan, mlp, r3gan, resnet, stylegan2, unet\n",
                "device: auto, cpu, cuda, mps\n",
                "batch_size: 64",
            ],
            [],
        ),
        ("train loss=wgan_gp --help", ["n_dis: 5", "gradient_penalty:"], []),
        ("sample --help", ["device: auto, cpu, cuda, mps\n", "ckpt: ???", "batch_size: 64"], ["model:", "loss:"]),
        ("resume --help", ["ganctl resume outputs/<run> [key=value …]", "train.steps"], []),
        ("train --cfg job", ["seed: 0\n", "  lr: 0.0004\n", "  name: nonsaturating\n"], ["hydra:"]),
        ("train --cfg job loss=hinge", ["  name: hinge\n"], []),
        ("sample --cfg job", ["ckpt: ???\n"], ["hydra:"]),
    ],
)
def test_a_question_is_answered_and_nothing_is_written(
    line: str, told: list[str], untold: list[str], workspace: Path, cli: Cli
) -> None:
    outcome = cli(*line.split())
    assert (outcome.code, outcome.err) == (0, "")
    for words in told:
        assert words in outcome.out
    for words in untold:
        assert words not in outcome.out
    assert contents(workspace) == {}


def test_resume_without_a_run_asks_for_one(cli: Cli) -> None:
    assert cli("resume") == Outcome(2, "", "ganctl: resume: which run? ganctl resume outputs/<run>\n")
