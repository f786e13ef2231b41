"""A run that begins with the weights of another: what it takes, what it is, and what it refuses."""

import contextlib
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from ganctl.checkpoints import state
from ganctl.checkpoints.file import read_header
from ganctl.config import train_config
from ganctl.errors import CheckpointError
from ganctl.game.build import build_game, open_configured
from ganctl.models import MODELS
from ganctl.runs.transfer import identified, inherit
from scripts.soaks.traces import traces
from tests.behaviours.hostile.corpus import CORPUS, ONLY_RESUME
from tests.behaviours.hostile.parts import take_apart
from tests.composed import composed
from tests.conftest import TINY, Cli
from tests.game.games import small_config, small_game

RUN = Path("outputs/run/checkpoints/step-00000001.safetensors")
FROM_RUN = ["train", *TINY, "init_from=run"]
AT_STEP_0 = ["train.on_divergence=rollback", "checkpoint.keep=9"]
"""Words by which the state before the first step is saved."""

IMAGES = [
    *("train", "model=dcgan", "model.latent=4", "model.generator.width=2", "model.discriminator.width=2"),
    *("train.batch_size=4", "train.steps=1", "sample.every=0", "device=cpu", "device.precision=fp32"),
]


def saved(run: str, step: int) -> dict[str, Tensor]:
    return read_header(Path(f"outputs/{run}/checkpoints/step-{step:08d}.safetensors")).read()


def networks(path: Path = RUN) -> dict[str, Tensor]:
    """Return the networks' tensors of a checkpoint, as a bare file holds them."""
    return read_header(path).read(lambda name: name.startswith(("generator.", "discriminator.", "ema.")))


def test_generator_and_average_begin_with_the_average_the_discriminator_with_its_own(
    trained: Path, cli: Cli
) -> None:
    assert cli("train", *TINY, "name=run", "train.steps=4").code == 0
    outcome = cli(*FROM_RUN, *AT_STEP_0, "name=further", "optimizer.lr=1e-3", "seed=5")
    assert (outcome.code, outcome.err) == (0, "")
    source, begun = saved("run", 4), saved("further", 0)
    assert not torch.equal(source["ema.dense.0.weight"], source["generator.dense.0.weight"])
    assert {name.partition(".")[0] for name in begun} == {"generator", "discriminator", "ema"}
    for name, tensor in begun.items():
        there = name.replace("generator.", "ema.") if name.startswith("generator.") else name
        assert torch.equal(tensor, source[there]), name
    assert outcome.out.splitlines()[:3] == [
        f"init    begins with the weights of {RUN.with_name('step-00000004.safetensors')}, step 4",
        "init    averaged generator: 4 of 4 tensors matched",
        "init    discriminator: 4 of 4 tensors matched",
    ]


def test_a_transferred_run_goes_on_bit_for_bit_without_its_source(trained: Path, cli: Cli) -> None:
    words = [*FROM_RUN, "model.discriminator.frozen=1", "checkpoint.every=2", "sample.every=2", "logging.every=2"]
    assert cli(*words, "name=whole", "train.steps=6").code == 0
    assert cli(*words, "name=parts", "train.steps=2").code == 0
    shutil.rmtree("outputs/run")
    assert cli(*words, "name=parts", "train.steps=4").code == 0
    outcome = cli("resume", "parts", "train.steps=6")
    assert (outcome.code, outcome.err) == (0, "")
    assert "init " not in outcome.out
    assert traces(Path("outputs/parts")) == traces(Path("outputs/whole"))


def test_its_name_follows_from_the_weights_and_not_from_their_place(trained: Path, cli: Cli) -> None:
    assert cli(*FROM_RUN).code == 0
    (own,) = (path.name for path in Path("outputs").glob("ring-*"))
    anew = train_config(composed(*TINY)).run_name()
    assert own != anew
    Path("outputs/run").rename("outputs/moved")
    assert "is complete" in cli("train", *TINY, "init_from=outputs/moved").out
    shutil.rmtree("outputs/moved")
    assert f"outputs/{own} is complete" in cli(*FROM_RUN).out
    outcome = cli(*FROM_RUN, "seed=1")
    assert (outcome.code, outcome.err[:30]) == (4, "ganctl: init_from: run: no run")


def test_other_weights_are_refused_as_any_changed_key(trained: Path, cli: Cli) -> None:
    assert cli(*FROM_RUN, "name=further").code == 0
    assert cli("train", *TINY, "name=other", "seed=1").code == 0
    outcome = cli("train", *TINY, "init_from=other", "name=further")
    assert outcome.code == 2
    assert outcome.err.startswith("ganctl: outputs/further: holds a run with another config: init_digest (")
    outcome = cli("resume", "further", "init_from=other")
    assert (outcome.code, outcome.err[:32]) == (2, "ganctl: init_from: cannot change")


def test_a_run_without_a_checkpoint_begins_with_the_same_weights_or_not_at_all(trained: Path, cli: Cli) -> None:
    assert cli(*FROM_RUN, "name=further").code == 0
    shutil.copyfile("outputs/further/config.yaml", "config.yaml")
    shutil.rmtree("outputs/further")
    Path("outputs/further").mkdir()
    shutil.copyfile("config.yaml", "outputs/further/config.yaml")
    assert cli("train", *TINY, "name=run", "train.steps=2").code == 0
    outcome = cli("resume", "further")
    assert outcome.code == 4
    assert "holds other weights (sha256 " in outcome.err


def test_other_classes_and_another_resolution_keep_what_fits_and_name_what_does_not(
    workspace: Path, cli: Cli
) -> None:
    labelled = [*IMAGES, "model.conditional=true"]
    assert cli(*labelled, "name=digits", "data.resolution=16").code == 0
    outcome = cli(*labelled, *AT_STEP_0, "name=small", "data.resolution=8", "init_from=digits")
    assert (outcome.code, outcome.err) == (0, "")
    source, begun = saved("digits", 1), saved("small", 0)
    assert torch.equal(begun["generator.joined.embedding.weight"], source["ema.joined.embedding.weight"])
    assert torch.equal(begun["discriminator.halvings.0.weight"], source["discriminator.halvings.0.weight"])
    assert begun["discriminator.judge.weight"].shape != source["discriminator.judge.weight"].shape
    lines = outcome.out.splitlines()
    assert lines[1] == "init    averaged generator: 1 of 6 tensors matched"
    assert lines[2].startswith("init    of another shape, so new: project.0.weight [68, 2, 4, 4] (there ")
    assert "init    discriminator: 3 of 5 tensors matched" in lines
    assert any("judge.weight [1, 2, 4, 4] (there [1, 4, 4, 4])" in line for line in lines)


def bare(change: Callable[[dict[str, Tensor]], object]) -> str:
    tensors = networks()
    change(tensors)
    save_file(tensors, "bare.safetensors")
    return "bare.safetensors"


def test_a_bare_file_of_tensors_is_taken_like_a_checkpoint(trained: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, *AT_STEP_0, "name=further", f"init_from={bare(dict)}")
    assert (outcome.code, outcome.err) == (0, "")
    assert torch.equal(saved("further", 0)["generator.dense.0.weight"], saved("run", 1)["ema.dense.0.weight"])
    without = bare(lambda tensors: [tensors.pop(name) for name in list(tensors) if not name.startswith("gen")])
    outcome = cli("train", *TINY, *AT_STEP_0, "name=raw", f"init_from={without}")
    assert (outcome.code, outcome.err) == (0, "")
    assert torch.equal(saved("raw", 0)["ema.dense.0.weight"], saved("run", 1)["generator.dense.0.weight"])
    assert "init    discriminator: 0 of 4 tensors matched" in outcome.out


@pytest.mark.parametrize("model", list(MODELS))
def test_networks_of_every_model_are_taken_whole(model: str, workspace: Path) -> None:
    there, here = (small_game(f"seed={seed}", model=model) for seed in (1, 2))
    prefixes = [prefix for prefix in there.members if prefix in ("generator", "discriminator", "ema")]
    copied = state.copied(there).items()
    tensors = {name: value.contiguous() for name, value in copied if name.partition(".")[0] in prefixes}
    save_file(tensors, "bare.safetensors")
    lines = inherit(here, identified(small_config(model=model, init_from="bare.safetensors")))
    assert len(lines) == 3
    ours = state.tensors(here)
    assert all(torch.equal(ours[name], tensors[name]) for name in tensors)


def test_weights_that_are_not_finite_are_refused(trained: Path, cli: Cli) -> None:
    bare(lambda tensors: tensors["ema.dense.0.weight"].fill_(torch.nan))
    outcome = cli("train", *TINY, "init_from=bare.safetensors")
    assert outcome.code == 4
    assert (
        outcome.err
        == "ganctl: init_from: bare.safetensors: ema.dense.0.weight holds numbers that are not finite\n"
    )
    assert not list(Path("outputs").glob("ring-*"))


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (
            ["init_from=rum"],
            4,
            "init_from: rum: no run folder (neither here nor below outputs/) (did you mean 'run'?)",
        ),
        (["init_from=absent.safetensors"], 4, "init_from: absent.safetensors: does not exist"),
        (["init_from=pickle.safetensors"], 4, "init_from: pickle.safetensors: not an intact safetensors file"),
        (["init_from=foreign.safetensors"], 4, "init_from: foreign.safetensors: no weights of a generator"),
        (["init_from=latest"], 2, "init_from: latest will mean this run itself once it has begun"),
        (["init_from=run", "init_which=best"], 4, "init_from: outputs/run: a run with no best checkpoint"),
        ([f"init_from={RUN}", "init_which=best"], 2, "init_which: chooses within a run folder"),
        (["init_from=run", "init_digest=abc"], 2, "init_digest: is abc, but run has "),
        (["init_digest=abc"], 2, "init_digest: is of the weights that init_from names"),
        (
            ["init_from=run", "model.generator.hidden=[5]", "model.discriminator.hidden=[5]"],
            2,
            "model.generator.hidden",
        ),
    ],
    ids=str,
)
def test_weights_that_cannot_be_had_are_refused_in_one_line(
    words: list[str], code: int, told: str, trained: Path, cli: Cli
) -> None:
    Path("pickle.safetensors").write_bytes(b"\x80\x04cposix\nsystem\n" + bytes(64))
    save_file({"optimizer.generator.step": torch.ones(())}, "foreign.safetensors")
    outcome = cli("train", *TINY, *words)
    assert outcome.code == code
    assert outcome.err.count("\n") == 1
    assert told in outcome.err
    assert not list(Path("outputs").glob("ring-*"))


def test_networks_of_another_model_are_refused_in_one_line(workspace: Path, cli: Cli) -> None:
    assert cli(*IMAGES, "name=dcgan", "data.resolution=8").code == 0
    outcome = cli("train", "model=mlp", "init_from=dcgan", "device=cpu")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "is of model=dcgan, and this run of model=mlp" in outcome.err


def test_a_sweep_runs_over_sources_and_cfg_shows_the_keys(trained: Path, cli: Cli) -> None:
    assert cli("train", *TINY, "name=other", "seed=1").code == 0
    assert cli("train", *TINY, "-m", "init_from=run,other,null").code == 0
    assert len(list(Path("outputs").glob("ring-mlp-*"))) == 3
    outcome = cli(*FROM_RUN, "--cfg", "job")
    assert "init_from: run\ninit_which: newest\ninit_digest: null\n" in outcome.out


def test_every_hostile_checkpoint_is_refused_before_a_run_begins(trained: Path) -> None:
    parts = take_apart(RUN)
    config = train_config(composed(*TINY))
    game = build_game(config, config.data.load(), open_configured(config.device, config.data.kind))
    place = Path("hostile.safetensors")
    accepted = []
    for name in sorted(CORPUS.keys() - ONLY_RESUME):
        CORPUS[name](place, parts)
        with contextlib.suppress(CheckpointError):
            begun = identified(config.model_copy(update={"init_from": str(place)}))
            inherit(game, begun)
            accepted.append(name)
        shutil.rmtree(place) if place.is_dir() and not place.is_symlink() else place.unlink()
    assert accepted == []
