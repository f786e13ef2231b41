"""Words of other tools: each is answered by a key or a choice that is there, or by what comes nearest."""

import pytest

from ganctl.command_line import explain
from ganctl.command_line.synonyms import CHOICES, TABLES
from ganctl.config import flatten
from tests.composed import composed
from tests.conftest import Cli

NEEDED = {name: ["ckpt=run"] for name in ("sample", "interpolate", "evaluate")} | {"data": ["path=images"]}
EVERYDAY = {
    "lr=1": "lr: unknown key; here it is optimizer.lr=… (of one player, optimizer.generator.lr or",
    "epochs=1": "epochs: unknown key; here it is train.steps=… (an epoch is",
    "batch_size=32": "batch_size: unknown key; here it is train.batch_size=…",
    "loss.pack=2": "loss.pack: unknown key; here it is train.pack=…",
    "outdir=x": "outdir: unknown key; here it is name=… (the folder is outputs/<name>)",
    "gpus=2": "gpus: unknown key; not there; one process trains on one device",
    "device=gpu": "device=gpu: here it is device=cuda",
    "device=cuda:1": "device=cuda:1: here it is device=cuda device.name=cuda:1",
    "loss=bce": "loss=bce: here it is loss=nonsaturating",
    "loss=r3gan": "loss=r3gan: here it is loss=relativistic (R3GAN's loss; its penalties are penalty=[r1,r2])",
    "model=sngan": "model=sngan: here it is model=resnet (by its numbers, as in experiment=sngan_cifar10)",
    "model=infogan": "model=infogan: here it is model=dcgan (and what experiment=infogan_mnist sets)",
    "num_classes=10": "num_classes: unknown key; here it is model.conditional=…",
    "loss=wgan-gp": "loss=wgan-gp: here it is loss=wgan_gp",
    "schedule=cosine": "schedule=cosine: here it is schedule.learning_rate.shape=cosine",
    "ema=false": "ema=false: here it is ema.half_life=0",
    "ema.decay=0.999": "ema.decay: unknown key; here it is ema.half_life=… (in images",
    "checkpoint.keep=all": "checkpoint.keep=all: here it is checkpoint.keep_every=1",
    "max_time=60": "max_time: unknown key; here it is train.max_time=… (90s, 30m, 7.5h or 2d)",
    "early_stopping=3": "early_stopping: unknown key; here it is train.patience=…",
    "--name": "--name: keys are typed without dashes; here it is name=…",
    "--ckpt": "--ckpt: keys are typed without dashes; not there; the same command again, or `ganctl resume",
    "--resume": "--resume: keys are typed without dashes; not there; the same command again",
    "--batch_size 32": "--batch_size: keys are typed without dashes; here it is train.batch_size=…",
    "--batch-size=32": "--batch-size=32: keys are typed without dashes; here it is train.batch_size=…",
    "--gpus=2": "--gpus=2: keys are typed without dashes; not there; one process trains on one device",
    "optimizer=Adam": "optimizer: there is no 'Adam' (did you mean 'adam'?)",
    "model=DCGAN": "model: there is no 'DCGAN' (did you mean 'dcgan'?)",
    "data=fashion-mnist": "data=fashion-mnist: here it is data=fashion_mnist",
}


@pytest.mark.parametrize("words", EVERYDAY)
def test_everyday_words_are_answered_by_what_to_type(words: str, cli: Cli) -> None:
    outcome = cli("train", *words.split())
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"ganctl: {EVERYDAY[words]}")


def targets() -> list[tuple[str, str]]:
    advice = [(command, each) for command, table in TABLES.items() for each in table.values()]
    advice += [("train", each) for each in CHOICES.values()]
    assert {each.split()[0] for _, each in advice} == {"here", "not"}
    there = {(command, each.removeprefix("here it is ")) for command, each in advice if each.startswith("here")}
    return sorted({(command, each.partition(" ")[0].removesuffix("=…")) for command, each in there})


@pytest.mark.parametrize(("command", "target"), targets())
def test_every_advice_is_a_key_or_a_choice_that_is_there(command: str, target: str) -> None:
    key, _, value = target.partition("=")
    keys = {name for name, _ in explain.known_keys()}
    if value:
        words = [target, *(["data.path=images"] if value == "folder" else [])]
        assert composed(*words, *NEEDED.get(command, []), command=command)
        return
    groups = {path.name for path in explain.config_folder().iterdir() if path.is_dir()}
    config = composed(*NEEDED.get(command, []), command=command)
    assert key in keys | groups
    known = {*flatten(config), *config} | groups
    owners = ("data=", "sweeper=", "launcher=")
    chosen = any(name == key and owner.startswith(owners) for name, owner in explain.known_keys())
    assert key in known or chosen


@pytest.mark.parametrize("command", TABLES)
def test_no_word_that_is_advised_against_is_right(command: str) -> None:
    own = {name for name, owner in explain.known_keys() if owner == f"`ganctl {command}`"}
    assert not own & TABLES[command].keys()
