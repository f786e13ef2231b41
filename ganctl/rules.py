"""What must fit together across families. A rule is one function here; it refuses a config or warns about it."""

from collections.abc import Callable

from ganctl.auxiliary import ClassLoss, CodeLoss, CutmixConsistency, PathLength, Reconstruction
from ganctl.config import TrainConfig
from ganctl.errors import ConfigError, counted, nearest
from ganctl.penalties import Constraint

Rule = Callable[[TrainConfig], str | None]
"""Returns the problem of a config in one line, or None."""

REFUSING: list[Rule] = []
WARNING: list[Rule] = []

TAKEN = frozenset({"adversarial", "gradient_norm", "skipped_updates"})
"""The values of a player's update that are no terms."""

FORGOTTEN = 0.01
"""The largest share of the generator's first weights in the final average that samples do not show."""


def check(config: TrainConfig) -> list[str]:
    """Return the warnings about a config; raise `ConfigError` for the first rule that refuses it."""
    for rule in REFUSING:
        if (problem := rule(config)) is not None:
            raise ConfigError(problem)
    return [problem for rule in WARNING if (problem := rule(config)) is not None]


def _refuse(rule: Rule) -> Rule:
    REFUSING.append(rule)
    return rule


def _warn(rule: Rule) -> Rule:
    WARNING.append(rule)
    return rule


@_refuse
def _names_of_terms_that_are_taken(config: TrainConfig) -> str | None:
    for group, keys in (("penalty", config.penalty), ("auxiliary", config.auxiliary)):
        for key in keys:
            if key in TAKEN:
                return f"{group}.{key}: the step calls another number so; give the term another key"
    return None


@_refuse
def _logs_without_the_one_that_is_read(config: TrainConfig) -> str | None:
    if any(log.vital for log in config.logs.values()):
        return None
    taken = ",".join(["jsonl", *config.logs])
    return f"logs: jsonl is missing, and resuming, list, show and compare read its file; take logs=[{taken}]"


@_refuse
def _logs_to_one_place(config: TrainConfig) -> str | None:
    names = [log.name for log in config.logs.values()]
    twice = next(
        ((key, name) for key, name in zip(config.logs, names, strict=True) if names.count(name) > 1), None
    )
    if twice is None:
        return None
    return f"logs.{twice[0]}: another {twice[1]} would write to the same place; leave one of them out"


@_refuse
def _logs_that_cannot_be_opened(config: TrainConfig) -> str | None:
    found = (log.problem() for log in config.logs.values())
    return next((problem for problem in found if problem is not None), None)


@_refuse
def _wasserstein_without_lipschitz(config: TrainConfig) -> str | None:
    bounded = config.model.lipschitz or any(penalty.lipschitz for penalty in config.penalty.values())
    if not config.loss.critic or bounded:
        return None
    norms = str(type(config.model.discriminator).model_fields.get("norm"))
    spectral = ", or set model.discriminator.norm=spectral" if "spectral" in norms else ""
    return (
        f"loss: {config.loss.name} needs a Lipschitz critic; take loss=wgan_gp, add penalty=[gradient_penalty] or "
        f"penalty=[weight_clipping]{spectral}"
    )


@_refuse
def _lipschitz_term_scheduled_away(config: TrainConfig) -> str | None:
    fades = config.schedule.penalty.shape != "constant" and config.schedule.penalty.final == 0
    lasting = any(penalty.lipschitz and isinstance(penalty, Constraint) for penalty in config.penalty.values())
    if not (config.loss.critic and fades) or config.model.lipschitz or lasting:
        return None
    return (
        f"schedule.penalty.final: 0 would leave {config.loss.name} without its Lipschitz term; leave a share of "
        "it, such as 0.1"
    )


@_refuse
def _pack_does_not_divide_the_batch(config: TrainConfig) -> str | None:
    pack, batch = config.train.pack, config.train.batch_size
    if batch % pack == 0:
        return None
    near = batch // pack * pack or pack
    return f"train.pack: {pack} does not divide train.batch_size={batch}; take train.batch_size={near}"


@_refuse
def _pack_of_labelled_samples(config: TrainConfig) -> str | None:
    told = "labels" if config.model.conditional else "codes" if config.model.latents.codes else None
    if config.train.pack == 1 or told is None:
        return None
    return f"train.pack: one logit of {config.train.pack} samples has no {told} to go by; set train.pack=1"


@_refuse
def _topk_of_pairs(config: TrainConfig) -> str | None:
    if config.train.topk == 1 or not config.loss.reads_real:
        return None
    return f"train.topk: {config.loss.name} compares all fakes with real samples; set train.topk=1"


@_refuse
def _class_head_and_its_loss(config: TrainConfig) -> str | None:
    named = next((key for key, term in config.auxiliary.items() if isinstance(term, ClassLoss)), None)
    if named is not None and not config.model.conditional:
        return f"auxiliary.{named}: tells classes that the model does not have; set model.conditional=true"
    if not config.model.conditional:
        return None
    classifies = config.model.discriminator.condition == "classifier"
    if named is not None and not classifies:
        return f"auxiliary.{named}: needs model.discriminator.condition=classifier; set it, or leave the term out"
    if named is None and classifies:
        return "model.discriminator.condition: classifier needs auxiliary=[class_loss]; add it, or take projection"
    return None


@_refuse
def _code_head_and_its_loss(config: TrainConfig) -> str | None:
    named = next((key for key, term in config.auxiliary.items() if isinstance(term, CodeLoss)), None)
    if named is None and config.model.latents.codes:
        return "model: its codes mean nothing without auxiliary=[code_loss]; add it, or leave the codes out"
    if named is not None and not config.model.latents.codes:
        return (
            f"auxiliary.{named}: the latents have no codes; set model.categorical_codes=[10] or "
            "model.continuous_codes=2, or leave it out"
        )
    return None


@_refuse
def _path_length_without_styles(config: TrainConfig) -> str | None:
    named = next((key for key, term in config.auxiliary.items() if isinstance(term, PathLength)), None)
    if named is None or config.model.has_styles:
        return None
    return f"auxiliary.{named}: model={config.model.name} has no styles; take model=stylegan2, or leave it out"


@_refuse
def _decoders_and_their_loss(config: TrainConfig) -> str | None:
    named = next((key for key, term in config.auxiliary.items() if isinstance(term, Reconstruction)), None)
    if named is not None and not config.model.reconstructs:
        return (
            f"auxiliary.{named}: the discriminator decodes nothing; set model=fastgan "
            "model.discriminator.decoders=true, or leave it out"
        )
    if named is None and config.model.reconstructs:
        return "model.discriminator.decoders: needs auxiliary=[reconstruction]; add it, or set it to false"
    return None


@_refuse
def _pixels_that_nobody_judges(config: TrainConfig) -> str | None:
    named = next((key for key, term in config.auxiliary.items() if isinstance(term, CutmixConsistency)), None)
    if named is None or config.model.judges_pixels:
        return None
    return f"auxiliary.{named}: the discriminator judges no pixels; take model=unet, or leave the term out"


@_refuse
def _batch_norm_over_one_logit(config: TrainConfig) -> str | None:
    pack, batch = config.train.pack, config.train.batch_size
    if not config.model.mixes_samples or batch != pack or pack == 1:
        return None
    return (
        f"train.pack: {pack} makes one logit of train.batch_size={batch}, and batch norm in the discriminator "
        "needs two; lower train.pack or set model.discriminator.norm=layer or none"
    )


@_refuse
def _schedule_without_end(config: TrainConfig) -> str | None:
    for key, schedule in config.schedule:
        end = schedule.until or config.train.steps
        if schedule.shape != "constant" and schedule.warmup >= end:
            raised = f"schedule.{key}.until" if schedule.until else "train.steps"
            return (
                f"schedule.{key}: its warm-up of {counted(schedule.warmup, 'step')} leaves nothing of the way "
                f"to step {end:,}; lower schedule.{key}.warmup or raise {raised}"
            )
    return None


@_refuse
def _evaluation_without_a_metric(config: TrainConfig) -> str | None:
    if config.evaluate.every == 0 or (config.metric and config.features is not None):
        return None
    lacking = "metric=[fid]" if not config.metric else "metric/features=classifier"
    return f"evaluate.every: nothing to compute; give {lacking} to the same `ganctl train` command, or set it to 0"


@_refuse
def _patience_without_scores(config: TrainConfig) -> str | None:
    if config.train.patience is None:
        return None
    if config.evaluate.every == 0:
        return "train.patience: counts evaluations; set evaluate.every, or train.patience=null"
    if config.evaluate.best is None and all(metric.better is None for metric in config.metric.values()):
        return "train.patience: no metric here says which score is better; add one, such as metric=[fid]"
    return None


@_refuse
def _best_by_no_metric(config: TrainConfig) -> str | None:
    best = config.evaluate.best
    if config.evaluate.every == 0 or best is None:
        return None
    if best not in config.metric:
        there = ", ".join(sorted(config.metric))
        return f"evaluate.best: {best} is not computed{nearest(best, config.metric)}; metric has {there}"
    if config.metric[best].better is None:
        return f"evaluate.best: {best} is good where it is like that of real samples; choose by another metric"
    return None


@_refuse
def _compiled_and_differentiated_twice(config: TrainConfig) -> str | None:
    named = next((key for key, penalty in config.penalty.items() if penalty.differentiates), None)
    if not config.device.compile or named is None:
        return None
    return (
        f"device.compile: {named} differentiates the discriminator twice, which torch cannot compile; set "
        "device.compile=false, or choose other penalties, such as penalty=[]"
    )


@_warn
def _frozen_at_random(config: TrainConfig) -> str | None:
    if not config.model.discriminator.frozen or config.init_from is not None:
        return None
    return "model.discriminator.frozen: keeps random weights as they are; take those of a run by init_from"


@_warn
def _schedule_past_the_end(config: TrainConfig) -> str | None:
    steps = config.train.steps
    for key, schedule in config.schedule:
        last = max(schedule.warmup, schedule.until or 0 if schedule.shape != "constant" else 0)
        if last > steps:
            return f"schedule.{key} reaches its end at step {last:,}, but train.steps={steps} ends the run before"
    return None


def _images(config: TrainConfig) -> int:
    """Return the images that the discriminator sees in the whole run."""
    train = config.train
    return train.steps * train.batch_size * train.accumulate * train.n_dis


def half_life_out_of_reach(config: TrainConfig) -> str | None:
    """Return in one line why the average never has the half-life that was asked for, or None.

    It is for those who have asked: a default that is for longer runs is nothing to note.
    """
    ema, images = config.ema, _images(config)
    last = ema.ramp * images
    if ema.ramp == 0 or last >= ema.half_life:
        return None
    return (
        f"ema.half_life={ema.half_life:g} images is never reached: ema.ramp={ema.ramp:g} bounds it to {last:,.6g} "
        f"at the end, a share of the {images:,} images of the run; raise ema.ramp"
    )


@_warn
def _average_of_first_weights(config: TrainConfig) -> str | None:
    ema, steps = config.ema, config.train.steps
    if ema.half_life == 0 or ema.ramp > 0:
        return None
    schedule = config.schedule.ema.ending(steps)
    factors = [schedule.factor(step) for step in range(0, steps, -(-steps // 1000))]
    if 0 in factors:
        return None
    images = _images(config)
    share = 0.5 ** (sum(images / len(factors) / (ema.half_life * factor) for factor in factors))
    if share < FORGOTTEN:
        return None
    return (
        f"ema.half_life={ema.half_life:g} images is too long for a run of {images:,}: {share:.0%} of the average "
        "would still be the first weights, and so samples be blurred; set ema.ramp=0.05, or a shorter half-life"
    )


@_warn
def _single_samples_under_batch_norm(config: TrainConfig) -> str | None:
    named = next((key for key, penalty in config.penalty.items() if penalty.single_samples), None)
    if named is None or not config.model.mixes_samples:
        return None
    has_norm = hasattr(config.model.discriminator, "norm")
    better = "set model.discriminator.norm=layer or none" if has_norm else "leave it out, such as by penalty=[]"
    return (
        f"penalty: {named} means the slope at single samples, which batch norm in the discriminator mixes; "
        f"better {better}"
    )
