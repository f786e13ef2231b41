"""What must fit together across families: one table of rules, each of which refuses a config or warns."""

from collections.abc import Callable
from dataclasses import dataclass

from ganctl.config import TrainConfig
from ganctl.errors import ConfigError, counted, nearest
from ganctl.penalties import Constraint


@dataclass(frozen=True)
class Rule:
    """A rule by what it finds: the problem in one line, or None. It refuses the config, or only warns."""

    problem: Callable[[TrainConfig], str | None]
    refuses: bool


def check(config: TrainConfig) -> list[str]:
    """Return the warnings about a config.

    Raises `ConfigError` for the first rule that refuses it.
    """
    found = [(rule, rule.problem(config)) for rule in RULES]
    for rule, problem in found:
        if rule.refuses and problem is not None:
            raise ConfigError(problem)
    return [problem for _, problem in found if problem is not None]


def _wasserstein_without_lipschitz(config: TrainConfig) -> str | None:
    bounded = config.model.lipschitz or any(penalty.lipschitz for penalty in config.penalty.values())
    if not config.loss.critic or bounded:
        return None
    return (
        f"loss: {config.loss.name} needs a Lipschitz critic; take loss=wgan_gp, add penalty=[gradient_penalty] or "
        "penalty=[weight_clipping], or set model.discriminator.norm=spectral"
    )


def _lipschitz_term_scheduled_away(config: TrainConfig) -> str | None:
    fades = config.schedule.penalty.shape != "constant" and config.schedule.penalty.final == 0
    lasting = any(penalty.lipschitz and isinstance(penalty, Constraint) for penalty in config.penalty.values())
    if not (config.loss.critic and fades) or config.model.lipschitz or lasting:
        return None
    return (
        f"schedule.penalty.final: 0 would leave {config.loss.name} without its Lipschitz term; leave a share of "
        "it, such as 0.1"
    )


def _names_of_terms_that_are_taken(config: TrainConfig) -> str | None:
    for group, keys in (("penalty", config.penalty), ("auxiliary", config.auxiliary)):
        for key in keys:
            if key in TAKEN:
                return f"{group}.{key}: the step calls another number so; give the term another key"
    return None


def _pack_does_not_divide_the_batch(config: TrainConfig) -> str | None:
    pack, batch = config.train.pack, config.train.batch_size
    if batch % pack == 0:
        return None
    near = batch // pack * pack or pack
    return f"train.pack: {pack} does not divide train.batch_size={batch}; take train.batch_size={near}"


def _batch_norm_over_one_judgement(config: TrainConfig) -> str | None:
    if not config.model.mixes_samples or config.train.batch_size != config.train.pack or config.train.pack == 1:
        return None
    return (
        f"train.pack: {config.train.pack} makes one judgement of train.batch_size={config.train.batch_size}, and "
        "batch norm in the discriminator needs two; lower train.pack or set model.discriminator.norm=layer or none"
    )


def _schedule_without_end(config: TrainConfig) -> str | None:
    for key, schedule in config.schedule.each():
        end = schedule.until or config.train.steps
        if schedule.shape != "constant" and schedule.warmup >= end:
            return (
                f"schedule.{key}: its warm-up of {counted(schedule.warmup, 'step')} leaves nothing of the way "
                f"to step {end:,}; lower schedule.{key}.warmup or raise "
                + (f"schedule.{key}.until" if schedule.until else "train.steps")
            )
    return None


def _schedule_past_the_end(config: TrainConfig) -> str | None:
    steps = config.train.steps
    for key, schedule in config.schedule.each():
        last = max(schedule.warmup, schedule.until or 0 if schedule.shape != "constant" else 0)
        if last > steps:
            return f"schedule.{key} reaches its end at step {last:,}, but train.steps={steps} ends the run before"
    return None


def _single_samples_under_batch_norm(config: TrainConfig) -> str | None:
    named = next((key for key, penalty in config.penalty.items() if penalty.single_samples), None)
    if named is None or not config.model.mixes_samples:
        return None
    return (
        f"penalty: {named} means the slope at single samples, which batch norm in the discriminator mixes; "
        "better set model.discriminator.norm=layer or none"
    )


def _evaluation_without_a_metric(config: TrainConfig) -> str | None:
    if config.evaluate.every == 0 or (config.metric and config.features is not None):
        return None
    lacking = "metric=[fid]" if not config.metric else "metric/features=classifier"
    return f"evaluate.every: nothing to compute; give {lacking} to the same `ganctl train` command, or set it to 0"


def _best_by_no_metric(config: TrainConfig) -> str | None:
    best = config.evaluate.best
    if config.evaluate.every == 0 or best is None:
        return None
    if best in config.metric:
        if config.metric[best].better is not None:
            return None
        return f"evaluate.best: {best} is good where it is like that of real samples; choose by another metric"
    return (
        f"evaluate.best: {best} is not computed{nearest(best, config.metric)}; metric has "
        f"{', '.join(sorted(config.metric))}"
    )


def _compiled_and_differentiated_twice(config: TrainConfig) -> str | None:
    named = next((key for key, penalty in config.penalty.items() if penalty.differentiates), None)
    if not config.device.compile or named is None:
        return None
    return (
        f"device.compile: {named} differentiates the discriminator twice, which torch cannot compile; set "
        "device.compile=false, or choose other penalties, such as penalty=[]"
    )


TAKEN = frozenset({"adversarial", "gradient_norm", "skipped_updates"})
"""What the values of a player's update are called beside its terms."""

RULES = (
    Rule(_names_of_terms_that_are_taken, refuses=True),
    Rule(_wasserstein_without_lipschitz, refuses=True),
    Rule(_lipschitz_term_scheduled_away, refuses=True),
    Rule(_pack_does_not_divide_the_batch, refuses=True),
    Rule(_batch_norm_over_one_judgement, refuses=True),
    Rule(_schedule_without_end, refuses=True),
    Rule(_evaluation_without_a_metric, refuses=True),
    Rule(_best_by_no_metric, refuses=True),
    Rule(_compiled_and_differentiated_twice, refuses=True),
    Rule(_schedule_past_the_end, refuses=False),
    Rule(_single_samples_under_batch_norm, refuses=False),
)
"""Every rule; a new one is a function and a line here."""
