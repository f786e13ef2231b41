"""The table of rules: each has a config that breaks it and one, nearly the same, that does not."""

from pathlib import Path

import pytest
import torch

from ganctl import rules
from ganctl.config import train_config
from ganctl.errors import ConfigError
from ganctl.rules import REFUSING, WARNING
from tests.composed import composed
from tests.conftest import TINY, Cli
from tests.game.games import small_game

LINEAR = "schedule.learning_rate.shape=linear"
BATCH_NORM = "model.discriminator.norm=batch"
LABELLED = ["model.conditional=true"]
CLASSIFIER = "model.discriminator.condition=classifier"
INFO = ["model.continuous_codes=2", "auxiliary=[code_loss]"]
TWICE = ["r1", "r2", "gradient_penalty", "dragan"]
"""Penalties on the discriminator's gradient."""
CASES: dict[str, tuple[list[str], list[str], str]] = {
    "_logs_without_the_one_that_is_read": (
        ["logs=[tensorboard]"],
        ["logs=[jsonl]"],
        "logs: jsonl is missing, and resuming, list, show and compare read its file; take "
        "logs=[jsonl,tensorboard]",
    ),
    "_logs_to_one_place": (
        ["+logs.again={name: tensorboard}"],
        ["logs=[jsonl,csv]"],
        "logs.tensorboard: another tensorboard would write to the same place; leave one of them out",
    ),
    "_logs_that_cannot_be_opened": (
        ["logs=[jsonl,mlflow]", "logs.mlflow.uri='https://me:word@host'"],
        ["logs=[jsonl,mlflow]", "logs.mlflow.uri='https://host'"],
        "logs.mlflow.uri: holds a user's name or password, which config.yaml and checkpoints would keep; set "
        "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or the whole address as MLFLOW_TRACKING_URI",
    ),
    "_names_of_terms_that_are_taken": (
        ["+penalty.adversarial={name: r1, weight: 1.0, every: 1}"],
        ["+penalty.mine={name: r1, weight: 1.0, every: 1}"],
        "penalty.adversarial: the step calls another number so; give the term another key",
    ),
    "_lipschitz_term_scheduled_away": (
        ["loss=wgan_gp", "schedule.penalty.shape=linear", "schedule.penalty.final=0"],
        ["loss=wgan_gp", "schedule.penalty.shape=linear", "schedule.penalty.final=0.1"],
        "schedule.penalty.final: 0 would leave wgan without its Lipschitz term; leave a share of it, such as 0.1",
    ),
    "_wasserstein_without_lipschitz": (
        ["loss=wgan"],
        ["loss=wgan", "penalty=[weight_clipping]"],
        "loss: wgan needs a Lipschitz critic; take loss=wgan_gp, add penalty=[gradient_penalty] or "
        "penalty=[weight_clipping], or set model.discriminator.norm=spectral",
    ),
    "_pack_does_not_divide_the_batch": (
        ["train.pack=3"],
        ["train.pack=4"],
        "train.pack: 3 does not divide train.batch_size=4; take train.batch_size=3",
    ),
    "_pack_of_labelled_samples": (
        ["train.pack=4", *INFO],
        ["train.pack=4"],
        "train.pack: one logit of 4 samples has no codes to go by; set train.pack=1",
    ),
    "_topk_of_pairs": (
        ["loss=relativistic", "train.topk=0.5"],
        ["loss=hinge", "train.topk=0.5"],
        "train.topk: relativistic compares all fakes with real samples; set train.topk=1",
    ),
    "_class_head_and_its_loss": (
        [*LABELLED, "auxiliary=[class_loss]"],
        [*LABELLED, "auxiliary=[class_loss]", CLASSIFIER],
        "auxiliary.class_loss: needs model.discriminator.condition=classifier; set it, or leave the term out",
    ),
    "_code_head_and_its_loss": (
        ["model.categorical_codes=[10]"],
        INFO,
        "model: its codes mean nothing without auxiliary=[code_loss]; add it, or leave the codes out",
    ),
    "_path_length_without_styles": (
        ["auxiliary=[path_length]"],
        ["auxiliary=[ssim]"],
        "auxiliary.path_length: model=mlp has no styles; take model=stylegan2, or leave it out",
    ),
    "_decoders_and_their_loss": (
        ["auxiliary=[reconstruction]"],
        ["auxiliary=[ssim]"],
        "auxiliary.reconstruction: the discriminator decodes nothing; set model=fastgan "
        "model.discriminator.decoders=true, or leave it out",
    ),
    "_pixels_that_nobody_judges": (
        ["auxiliary=[cutmix_consistency]"],
        ["auxiliary=[ssim]"],
        "auxiliary.cutmix_consistency: the discriminator judges no pixels; take model=unet, or leave the term out",
    ),
    "_batch_norm_over_one_logit": (
        ["train.pack=4", BATCH_NORM],
        ["train.pack=2", BATCH_NORM],
        "train.pack: 4 makes one logit of train.batch_size=4, and batch norm in the discriminator needs two; "
        "lower train.pack or set model.discriminator.norm=layer or none",
    ),
    "_schedule_without_end": (
        [LINEAR, "schedule.learning_rate.warmup=1"],
        [LINEAR, "schedule.learning_rate.warmup=1", "schedule.learning_rate.until=2", "train.steps=2"],
        "schedule.learning_rate: its warm-up of 1 step leaves nothing of the way to step 1; lower "
        "schedule.learning_rate.warmup or raise train.steps",
    ),
    "_schedule_past_the_end": (
        [LINEAR, "schedule.learning_rate.until=2000"],
        [LINEAR, "schedule.learning_rate.until=1"],
        "schedule.learning_rate reaches its end at step 2,000, but train.steps=1 ends the run before",
    ),
    "_average_of_first_weights": (
        ["ema.ramp=0", "ema.half_life=4"],
        ["ema.ramp=0.05", "ema.half_life=4"],
        "ema.half_life=4 images is too long for a run of 4: 50% of the average would still be the first weights, "
        "and so samples be blurred; set ema.ramp=0.05, or a shorter half-life",
    ),
    "_frozen_at_random": (
        ["model.discriminator.frozen=1"],
        ["model.discriminator.frozen=0"],
        "model.discriminator.frozen: keeps random weights as they are; take those of a run by init_from",
    ),
    "_single_samples_under_batch_norm": (
        ["penalty=[gradient_penalty]", BATCH_NORM],
        ["penalty=[gradient_penalty]", "model.discriminator.norm=layer"],
        "penalty: gradient_penalty means the slope at single samples, which batch norm in the discriminator "
        "mixes; better set model.discriminator.norm=layer or none",
    ),
    "_evaluation_without_a_metric": (
        ["evaluate.every=1", "metric=[]"],
        ["evaluate.every=0", "metric=[]"],
        "evaluate.every: nothing to compute; give metric=[fid] to the same `ganctl train` command, or set it to 0",
    ),
    "_patience_without_scores": (
        ["train.patience=2", "evaluate.every=1", "metric=[nearest_neighbour]"],
        ["train.patience=2", "evaluate.every=1", "metric=[fid]"],
        "train.patience: no metric here says which score is better; add one, such as metric=[fid]",
    ),
    "_best_by_no_metric": (
        ["evaluate.every=1", "metric=[fid,kid]", "evaluate.best=kdi"],
        ["evaluate.every=1", "metric=[fid,kid]", "evaluate.best=kid"],
        "evaluate.best: kdi is not computed (did you mean 'kid'?); metric has fid, kid",
    ),
    "_compiled_and_differentiated_twice": (
        ["device.compile=true", "penalty=[orthogonal,r2]"],
        ["device.compile=true", "penalty=[orthogonal,weight_clipping]"],
        "device.compile: r2 differentiates the discriminator twice, which torch cannot compile; set "
        "device.compile=false, or choose other penalties, such as penalty=[]",
    ),
}
MORE = [
    (["loss=wgan", "model.discriminator.norm=spectral"], []),
    (["loss=wgan", "penalty=[r1,r2,dragan,orthogonal]"], ["_wasserstein_without_lipschitz"]),
    (["penalty=[dragan]", BATCH_NORM], ["_single_samples_under_batch_norm"]),
    (["penalty=[r1,r2,orthogonal,weight_clipping]", BATCH_NORM], []),
    (["schedule.ema.warmup=3"], ["_schedule_past_the_end"]),
    (["schedule.ema.until=3"], []),
    (["ema.ramp=0", "ema.half_life=0.5"], []),
    (["ema.ramp=0", "ema.half_life=0"], []),
    (["ema.ramp=0", "ema.half_life=30", "train.n_dis=50", "train.accumulate=2"], []),
    (["ema.ramp=0", "ema.half_life=1", "schedule.ema.shape=linear", "schedule.ema.final=0", "train.steps=3"], []),
    (["ema.ramp=0", "ema.half_life=0.5", "schedule.ema.shape=cosine", "train.steps=9"], []),
    (
        ["ema.ramp=0", "ema.half_life=1", "train.steps=3", "schedule.ema.warmup=2", "schedule.ema.final=0"],
        [],
    ),
    (
        ["schedule.penalty.shape=cosine", "schedule.penalty.warmup=3"],
        ["_schedule_without_end", "_schedule_past_the_end"],
    ),
    *((["device.compile=true", f"penalty=[{name}]"], ["_compiled_and_differentiated_twice"]) for name in TWICE),
    ([*LABELLED, CLASSIFIER], ["_class_head_and_its_loss"]),
    (["auxiliary=[class_loss]"], ["_class_head_and_its_loss"]),
    (["auxiliary=[code_loss]"], ["_code_head_and_its_loss"]),
    ([*LABELLED, "train.pack=2"], ["_pack_of_labelled_samples"]),
    (LABELLED, []),
    (["train.pack=8"], ["_pack_does_not_divide_the_batch"]),
    (["train.batch_size=8", "train.pack=8", "model.discriminator.norm=layer"], []),
]
"""Further configs, with the rules that they break."""


def broken(words: list[str]) -> list[str]:
    config = train_config(composed(*TINY, *words))
    return [rule.__name__ for rule in (*REFUSING, *WARNING) if rule(config) is not None]


def test_every_rule_has_a_case_here() -> None:
    assert set(CASES) == {rule.__name__ for rule in (*REFUSING, *WARNING)}


@pytest.mark.parametrize("name", CASES)
def test_a_rule_finds_its_problem_and_nothing_else(name: str) -> None:
    wrong, right, told = CASES[name]
    assert broken(wrong) == [name]
    assert broken(right) == []
    config = train_config(composed(*TINY, *wrong))
    if name in {rule.__name__ for rule in REFUSING}:
        with pytest.raises(ConfigError) as refused:
            rules.check(config)
        assert str(refused.value) == told
    else:
        assert rules.check(config) == [told]


@pytest.mark.parametrize(("words", "names"), MORE, ids=str)
def test_rules_know_what_belongs_together(words: list[str], names: list[str]) -> None:
    assert broken(words) == names


def test_the_default_config_breaks_no_rule() -> None:
    assert rules.check(train_config(composed())) == []


@pytest.mark.parametrize("name", [rule.__name__ for rule in REFUSING])
def test_what_a_rule_refuses_is_one_line_before_anything_is_written(name: str, workspace: Path, cli: Cli) -> None:
    wrong, _, told = CASES[name]
    outcome = cli("train", *TINY, *wrong)
    assert (outcome.code, outcome.err, outcome.out) == (2, f"ganctl: {told}\n", "")
    assert list(workspace.iterdir()) == []


@pytest.mark.parametrize("name", [rule.__name__ for rule in WARNING])
def test_a_warning_is_said_once_and_the_run_goes_on(name: str, workspace: Path, cli: Cli) -> None:
    wrong, _, told = CASES[name]
    outcome = cli("train", *TINY, *wrong, "name=run")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines().count(f"note    {told}") == 1
    assert (workspace / "outputs/run/run.log").read_text().count(told) == 1
    assert "done: 1 step in" in outcome.out


@pytest.mark.parametrize("norm", ["layer", "none"])
def test_what_a_rule_advises_trains(norm: str, workspace: Path, cli: Cli) -> None:
    outcome = cli("train", *TINY, "train.pack=4", f"model.discriminator.norm={norm}")
    assert (outcome.code, outcome.err) == (0, "")
    assert "note" not in outcome.out


@pytest.mark.parametrize(("output", "low"), [("tanh", -1.0), ("sigmoid", 0.0)])
@pytest.mark.parametrize("model", ["mlp", "dcgan"])
def test_no_rule_need_compare_ranges_for_data_and_generator_always_share_one(
    model: str, output: str, low: float
) -> None:
    game = small_game(f"model.generator.output={output}", "model.init_std=3", "train.batch_size=64", model=model)
    real = game.draws.batches.samples("discriminator", 0)
    with torch.no_grad():
        fake = game.generator.network(game.draws.latents(64, "any"))
    for pictures in (real, fake):
        assert low <= pictures.min() < low + 0.05
        assert 0.95 < pictures.max() <= 1


def test_a_half_life_that_the_ramp_never_lets_the_run_reach_is_told_to_those_who_asked_for_it(
    workspace: Path, cli: Cli
) -> None:
    told = (
        "ema.half_life=1000 images is never reached: ema.ramp=0.05 bounds it to 0.2 at the end, a share of the 4 "
        "images of the run; raise ema.ramp\n"
    )
    assert told in cli("train", *TINY, "ema.half_life=1000", "name=asked").out
    assert told in cli("train", *TINY, "ema={half_life: 1000, ramp: 0.05}", "name=group").out
    assert "half_life" not in cli("train", *TINY, "name=unasked").out
    assert "half_life" not in cli("train", *TINY, "ema.half_life=2", "ema.ramp=1", "name=reached").out
