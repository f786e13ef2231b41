"""The generator's auxiliary terms against independent computations, and what they refuse."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, Literal

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn.functional import cross_entropy

from ganctl.auxiliary import AUXILIARIES, Auxiliary, multiclass_hinge, structural_similarity
from ganctl.errors import ConfigError
from ganctl.game.build import build_game, open_configured
from ganctl.game.round import SIDES, Distribution, Round, Surroundings
from ganctl.game.scalars import measure
from ganctl.game.step import train_step
from ganctl.images.pretrained import open_image_network
from ganctl.models.latents import LatentSpace
from ganctl.samples import SampleSpace
from scripts.soaks.configs import SMALL_OPTIONS
from scripts.soaks.parts import OF_ONE_MODEL
from tests.conftest import TINY, Cli, contents
from tests.game.games import assert_slope, round_of, small_config, small_game, update
from tests.reference.vectors import read

SQUEEZENET: dict[str, Any] = {"network": "squeezenet1_1", "layers": ["features.1", "features.3"], "weights": None}
SETTINGS: dict[str, dict[str, Any]] = {
    "feature_matching": {},
    "ssim": {},
    "perceptual": SQUEEZENET,
    "class_loss": {"form": "cross_entropy", "on_fakes": False},
    "code_loss": {"continuous": 0.1},
    "orthogonal_generator": {},
    "reconstruction": {},
    "cutmix_consistency": {},
}
ELSEWHERE = {"path_length", "lecam", "cr", "bcr", "zcr", "markov"}
"""Terms that are compared with other computations in tests/models and tests/auxiliary."""

OF_THE_GENERATOR = sorted(
    name
    for name in AUXILIARIES
    if "generator" in AUXILIARIES[name].players and f"auxiliary=[{name}]" not in OF_ONE_MODEL
)
PICTURES = [word for word in TINY if not word.startswith("data")] + ["data=digits", "data.resolution=8"]


def surroundings(shape: tuple[int, ...], value_range: tuple[float, float] = (-1.0, 1.0)) -> Surroundings:
    space, latents = SampleSpace.of_shape(shape, value_range), LatentSpace(4, categorical=(3,), continuous=2)
    return Surroundings("generator", space, latents, torch.device("cpu"), torch.float32, seed=3)


def term(name: str, *given: Any) -> Any:
    return AUXILIARIES[name](name=name, weight=1.0, every=1, **SETTINGS[name]).build(surroundings(*given))


def pictures(count: int, channels: int, side: int, seed: int = 0) -> Tensor:
    numbers = torch.Generator().manual_seed(seed)
    return torch.rand(count, channels, side, side, generator=numbers, dtype=torch.float64) * 2 - 1


def ssim_of_planes(first: np.ndarray, second: np.ndarray, value_range: float, radius: int) -> float:
    """Return Wang et al.'s equation 13 over the places where the window lies inside, by SciPy."""

    def blurred(plane: np.ndarray) -> np.ndarray:
        wide: np.ndarray = gaussian_filter(plane, 1.5, truncate=radius / 1.5)
        return wide[radius : len(wide) - radius, radius : wide.shape[1] - radius]

    a, b = blurred(first), blurred(second)
    variances = blurred(first**2) - a**2 + blurred(second**2) - b**2
    covariance = blurred(first * second) - a * b
    small, large = (0.01 * value_range) ** 2, (0.03 * value_range) ** 2
    likeness = (2 * a * b + small) * (2 * covariance + large)
    return float((likeness / ((a**2 + b**2 + small) * (variances + large))).mean())


def test_every_auxiliary_term_is_tested_here_or_against_official_numbers() -> None:
    assert set(SETTINGS) | ELSEWHERE == set(AUXILIARIES)


def test_a_term_reads_what_it_draws_and_gets_the_same_numbers_again() -> None:
    class Noisy(Auxiliary):
        draws: ClassVar[Mapping[str, Distribution]] = {"spread": "normal"}
        name: Literal["noisy"]

        def __call__(self, round: Round) -> Tensor:
            return (round.fake * round.noise("spread")).mean()

    config = small_config(model="mlp", data="ring")
    config = config.model_copy(update={"auxiliary": {"noisy": Noisy(name="noisy", weight=1.0, every=1)}})
    values = []
    for _ in range(2):
        device = open_configured(config.device, config.data.kind)
        game = build_game(config, config.data.load(), device)
        for step in range(2):
            train_step(game, step)
            values.append(game.generator.values["noisy"].item())
    assert values[:2] == values[2:]
    assert values[0] != values[1]


def test_feature_matching_is_the_squared_distance_of_mean_features() -> None:
    real = torch.tensor([[1.0, 2.0], [3.0, 6.0]])
    fake = torch.tensor([[0.0, 5.0], [1.0, 0.0]])
    distance = term("feature_matching", (2,))(SimpleNamespace(real_features=real, fake_features=fake))
    assert distance.item() == pytest.approx((2 - 0.5) ** 2 + (4 - 2.5) ** 2)


@pytest.mark.parametrize(("model", "data"), [("mlp", "ring"), ("dcgan", "digits")])
def test_feature_matching_compares_what_the_discriminators_last_layer_reads(model: str, data: str) -> None:
    game = small_game("auxiliary=[feature_matching]", "device.precision=fp64", model=model, data=data)
    view = round_of(game, "generator")
    judge = game.discriminator.network
    features = [judge.features(samples).flatten(1) for samples in (view.real, view.fake)]  # type: ignore[operator]
    torch.testing.assert_close([view.real_features, view.fake_features], features)
    by_hand = sum(
        (sum(column) / len(column) - sum(other) / len(other)) ** 2
        for column, other in zip(*(side.T.tolist() for side in features), strict=True)
    )
    update(game, game.generator)
    assert game.generator.values["feature_matching"].item() == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize(("side", "radius"), [(32, 5), (12, 5), (11, 5), (10, 4), (8, 3)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("value_range", [1.0, 2.0])
def test_structural_similarity_equals_scipys(side: int, radius: int, channels: int, value_range: float) -> None:
    first, second = pictures(3, channels, side), pictures(3, channels, side, seed=1)
    second = 0.7 * first + 0.3 * second
    expected = [
        np.mean(
            [ssim_of_planes(a, b, value_range, radius) for a, b in zip(one.numpy(), other.numpy(), strict=True)]
        )
        for one, other in zip(first, second, strict=True)
    ]
    ours = structural_similarity(first, second, value_range)
    assert ours.tolist() == pytest.approx(expected, rel=1e-9)
    assert ours.max() - ours.min() > 1e-3


@pytest.mark.parametrize("side", [1, 2, 8, 32])
def test_identical_pictures_are_alike_by_one_and_negatives_by_less(side: int) -> None:
    same = pictures(2, 3, side)
    torch.testing.assert_close(structural_similarity(same, same, 2.0), torch.ones(2, dtype=torch.float64))
    assert (structural_similarity(same, -same, 2.0) < 1).all()


def test_ssim_says_the_same_of_the_same_pictures_in_either_range() -> None:
    pictures = torch.rand(3, 1, 16, 16, dtype=torch.float64)
    of_sigmoid = term("ssim", (1, 16, 16), (0.0, 1.0))(SimpleNamespace(fake=pictures))
    of_tanh = term("ssim", (1, 16, 16), (-1.0, 1.0))(SimpleNamespace(fake=pictures * 2 - 1))
    torch.testing.assert_close(of_sigmoid, of_tanh)


@pytest.mark.parametrize(("value_range", "width"), [((-1.0, 1.0), 2.0), ((0.0, 1.0), 1.0)])
def test_ssim_compares_each_fake_with_its_neighbour_in_the_models_range(
    value_range: tuple[float, float], width: float
) -> None:
    light = pictures(3, 1, 8) + 1
    neighbours = torch.stack([light[2], light[0], light[1]])
    likeness = term("ssim", (1, 8, 8), value_range)(SimpleNamespace(fake=light + value_range[0]))
    assert likeness.item() == pytest.approx(structural_similarity(light, neighbours, width).mean().item())


def test_structural_similarity_is_computed_in_full_precision_under_autocast() -> None:
    first, second = (pictures(2, 1, 32, seed).float() for seed in (0, 1))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = structural_similarity(first, second, 2.0)
    assert mixed.dtype == torch.float32
    assert torch.equal(mixed, structural_similarity(first, second, 2.0))


def test_perceptual_is_the_mean_squared_difference_of_mean_features_summed_over_layers() -> None:
    real, fake = (pictures(4, 3, 32, seed).float() for seed in (0, 1))
    network = open_image_network("perceptual", *SQUEEZENET.values(), 3, (-1.0, 1.0))  # type: ignore[misc]
    expected = sum(
        float(np.mean((ours.numpy().mean(0) - theirs.numpy().mean(0)) ** 2))
        for ours, theirs in zip(network(real), network(fake), strict=True)
    )
    distance = term("perceptual", (3, 32, 32))
    assert distance(SimpleNamespace(real=real, fake=fake)).item() == pytest.approx(expected, rel=1e-4)
    assert distance(SimpleNamespace(real=real, fake=real)).item() == 0


@pytest.mark.parametrize("name", OF_THE_GENERATOR)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_terms_gradient_reaches_the_generator_and_nothing_else(name: str, precision: str) -> None:
    game = small_game(f"auxiliary=[{name}]", f"device.precision={precision}")
    (auxiliary,) = (each for each in game.generator.terms if each.name == name)
    game.discriminator.trainable(False)
    with game.device.autocast():
        value = auxiliary.compute(round_of(game, "generator", **AUXILIARIES[name].draws))
    assert value.dtype == torch.float32
    leaves = set()
    waiting = [value.grad_fn]
    while waiting:
        node = waiting.pop()
        if hasattr(node, "variable"):
            leaves.add(node.variable)
        waiting += [before for before, _ in node.next_functions if before is not None]
    assert leaves
    assert leaves <= set(game.generator.parameters)
    gradients = torch.autograd.grad(value, game.generator.parameters, allow_unused=True)
    assert any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


@pytest.mark.parametrize("name", OF_THE_GENERATOR)
def test_a_terms_gradient_equals_finite_differences(name: str) -> None:
    silu = ("model.discriminator.activation=silu", "model.generator.activation=silu")
    game = small_game(f"auxiliary=[{name}]", "device.precision=fp64", *silu)
    (auxiliary,) = (each for each in game.generator.terms if each.name == name)
    game.discriminator.trainable(False)
    weight = next(each for each in game.generator.parameters if each.dim() == 4)

    def value() -> Tensor:
        return auxiliary.compute(round_of(game, "generator", **AUXILIARIES[name].draws))

    assert_slope(value, weight)


def test_the_class_losses_are_those_of_pytorch_studiogan() -> None:
    case = read("studiogan_losses")
    ours = cross_entropy(case["in.cls_logits"], case["in.label"])
    case.check("out.ac_cross_entropy", ours)
    case.check("out.crammer_singer", multiclass_hinge(case["in.mh_logits"], case["in.mh_label"]))


@pytest.mark.parametrize("on_fakes", [True, False])
@pytest.mark.parametrize("form", ["cross_entropy", "hinge"])
def test_the_class_loss_of_each_player_is_of_its_own_sides(form: str, on_fakes: bool) -> None:
    words = [*SMALL_OPTIONS["auxiliary=[class_loss]"], f"auxiliary.class_loss.on_fakes={str(on_fakes).lower()}"]
    game = small_game("auxiliary=[class_loss]", f"auxiliary.class_loss.form={form}", *words)
    distance = {"cross_entropy": cross_entropy, "hinge": multiclass_hinge}[form]
    for player in (game.generator, game.discriminator):
        view = round_of(game, player.name)
        (loss,) = (term for term in player.terms if term.name == "class_loss")
        both = {side: distance(view.class_logits(side), view.labels(side)) for side in SIDES}
        sides = ("fake",) if player is game.generator else ("real", "fake") if on_fakes else ("real",)
        expected = torch.stack([both[side] for side in sides]).sum()
        torch.testing.assert_close(loss.compute(view), expected)
        assert both["real"] != both["fake"]


def test_the_code_loss_is_of_each_code_by_its_own_columns() -> None:
    words = ("model.categorical_codes=[3,2]", "model.continuous_codes=2", "auxiliary.code_loss.continuous=0.5")
    game = small_game("auxiliary=[code_loss]", *words, "device.precision=fp64")
    view = round_of(game, "generator")
    (loss,) = (term for term in game.generator.terms if term.name == "code_loss")
    told, codes = view.code_logits(), view.latents[:, -7:]
    expected = cross_entropy(told[:, :3], codes[:, :3].argmax(1))
    expected += cross_entropy(told[:, 3:5], codes[:, 3:5].argmax(1))
    normal = torch.distributions.Normal(told[:, 5:], 1.0)
    constant = math.log(2 * math.pi) / 2
    expected -= 0.5 * (normal.log_prob(codes[:, 5:]) + constant).sum(1).mean()
    torch.testing.assert_close(loss.compute(view), expected)


def test_both_players_learn_from_the_same_codes_of_shared_samples() -> None:
    game = small_game("auxiliary=[code_loss]", *SMALL_OPTIONS["auxiliary=[code_loss]"], "device.precision=fp64")
    seen: dict[str, Tensor] = {}
    for player in (game.discriminator, game.generator):
        (number,) = (index for index, term in enumerate(player.terms) if term.name == "code_loss")
        term = player.terms[number]

        def noted(round: Round, name: str = player.name, compute: Any = term.compute) -> Tensor:
            seen[name] = round.latents
            value: Tensor = compute(round)
            return value

        player.terms[number] = replace(term, compute=noted)
    train_step(game, 0)
    assert torch.equal(seen["discriminator"], seen["generator"])


def test_an_auxiliary_term_counts_by_its_weight_in_the_generators_loss() -> None:
    game = small_game("auxiliary=[ssim,feature_matching]", "auxiliary.ssim.weight=3", "auxiliary.ssim.every=2")
    train_step(game, 0)
    numbers = measure(game, 0)
    expected = (
        numbers["term/generator/adversarial"]
        + 3 * numbers["term/generator/ssim"]
        + 0.01 * numbers["term/generator/feature_matching"]
    )
    assert numbers["loss/generator"] == pytest.approx(expected, rel=1e-6)
    train_step(game, 1)
    assert measure(game, 1)["term/generator/ssim"] == numbers["term/generator/ssim"]


@pytest.mark.parametrize("name", ["ssim", "perceptual"])
def test_points_are_refused_by_terms_of_pictures(name: str, workspace: Path, cli: Cli) -> None:
    before = contents(workspace)
    outcome = cli("train", *TINY, f"auxiliary=[{name}]")
    told = f"ganctl: auxiliary: {name} compares images, but the data is points of 2 dimensions; leave it out\n"
    assert (outcome.code, outcome.err) == (2, told)
    assert contents(workspace) == before


def test_pictures_too_small_for_a_layer_are_refused() -> None:
    deep = {**SQUEEZENET, "layers": ["features.12"]}
    perceptual = AUXILIARIES["perceptual"](name="perceptual", weight=1.0, every=1, **deep)
    with pytest.raises(ConfigError, match=r"^auxiliary.perceptual.layers: 8×8 pixels do not pass squeezenet1_1"):
        perceptual.build(surroundings((1, 8, 8)))


def test_auxiliary_terms_of_a_run_are_logged_and_random_weights_said_once(workspace: Path, cli: Cli) -> None:
    network = ["auxiliary.perceptual.network=squeezenet1_1", "auxiliary.perceptual.layers=[features.3]"]
    terms = [name for name in AUXILIARIES if f"auxiliary=[{name}]" not in OF_ONE_MODEL]
    words = [
        f"auxiliary=[{','.join(terms)}]",
        *(word for name in terms for word in SMALL_OPTIONS.get(f"auxiliary=[{name}]", ())),
        *network,
        "train.steps=2",
        "logging.every=1",
        "name=run",
    ]
    outcome = cli("train", *PICTURES, *words)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.count("squeezenet1_1 has random weights") == 1
    rows = [json.loads(line) for line in Path("outputs/run/metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 2
    for row in rows:
        assert row.keys() >= {f"term/{player}/{name}" for name in terms for player in AUXILIARIES[name].players}


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("network=squeezenet1_2", "auxiliary.perceptual.network: torchvision has no network 'squeezenet1_2' (did"),
        ("layers=[features.99]", "auxiliary.perceptual.layers: squeezenet1_1 has no layer 'features.99'"),
        ("layers=[]", "auxiliary.perceptual.layers: "),
        ("weights=nowhere.safetensors", "auxiliary.perceptual.weights: nowhere.safetensors does not exist"),
        (
            "weights=text.safetensors",
            "auxiliary.perceptual.weights: text.safetensors is no whole",
        ),
    ],
)
def test_a_wrong_network_is_one_line_and_nothing_is_written(
    word: str, told: str, workspace: Path, cli: Cli
) -> None:
    (workspace / "text.safetensors").write_text("no tensors at all")
    network = ["auxiliary.perceptual.network=squeezenet1_1", "auxiliary.perceptual.layers=[features.3]"]
    outcome = cli("train", *PICTURES, "auxiliary=[perceptual]", *network, f"auxiliary.perceptual.{word}")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith(f"ganctl: {told}")
    assert not (workspace / "outputs").exists()
