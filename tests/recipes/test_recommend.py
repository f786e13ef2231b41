"""What is recommended for which data on which machine: a table of cases."""

import pytest

from ganctl.config import train_config
from ganctl.recipes.recommend import Facts, recommend
from ganctl.rules import check
from tests.composed import composed

GIB = 1 << 30
CPU = 8 * GIB
FEW = "model=dcgan model.generator.width=64 model.discriminator.width=64"

CASES: dict[str, tuple[Facts, str]] = {
    "points": (Facts(1000, (2,), CPU), "model=mlp train.steps=3000"),
    "many images": (Facts(50_000, (3, 32, 32), CPU), "model=dcgan train.steps=20000"),
    "many images of classes": (
        Facts(50_000, (3, 32, 32), CPU, classes=(5000,) * 10),
        "model.conditional=true model=biggan model.generator.width=16 model.discriminator.width=32 loss=hinge "
        "penalty=[] optimizer.betas=[0,0.9] optimizer.generator.lr=2e-4 optimizer.discriminator.lr=4e-4 "
        "train.steps=5000",
    ),
    "few images": (Facts(300, (3, 32, 32), CPU), f"{FEW} augment=[diffaugment] train.steps=5000"),
    "few images of classes": (
        Facts(1797, (1, 32, 32), CPU, classes=(180,) * 10),
        f"model.conditional=true {FEW} augment=[diffaugment] train.steps=5000",
    ),
    "classes of too few images": (
        Facts(500, (3, 32, 32), CPU, classes=(50,) * 10),
        f"{FEW} augment=[diffaugment] train.steps=5000",
    ),
    "one class that dwarfs another": (
        Facts(20_000, (3, 32, 32), CPU, classes=(19_000, 1_000)),
        "model=dcgan train.steps=20000",
    ),
    "classes that balance helps": (
        Facts(4_500, (3, 32, 32), CPU, classes=(4_000, 500)),
        f"model.conditional=true data.balance=true {FEW} augment=[diffaugment] train.steps=5000",
    ),
    "more classes than can be learned": (
        Facts(200_200, (3, 28, 28), CPU, classes=(100,) * 2002),
        "model=dcgan train.steps=20000",
    ),
    "classes, but sides that biggan cannot halve so often": (
        Facts(50_000, (1, 28, 28), CPU, classes=(5000,) * 10),
        "model.conditional=true model=dcgan train.steps=20000",
    ),
    "sides that no convolution halves": (Facts(50_000, (1, 30, 30), CPU), "model=mlp train.steps=5000"),
    "sides that halve differently": (Facts(50_000, (3, 32, 50), CPU), "model=mlp train.steps=5000"),
    "small photos": (
        Facts(300, (3, 32, 32), CPU, typical_side=40),
        f"data.resolution=32 {FEW} augment=[diffaugment] train.steps=5000",
    ),
    "tiny pictures": (
        Facts(300, (3, 32, 32), CPU, typical_side=9),
        f"data.resolution=32 {FEW} augment=[diffaugment] train.steps=5000",
    ),
    "large photos on a CPU": (
        Facts(300, (3, 64, 64), CPU, typical_side=1000),
        f"data.resolution=64 {FEW} augment=[diffaugment] train.steps=5000",
    ),
    "little memory": (
        Facts(300, (3, 64, 64), GIB, typical_side=1000),
        f"data.resolution=64 {FEW} augment=[diffaugment] train.batch_size=4 train.steps=5000",
    ),
    "a few large photos on a GPU": (
        Facts(300, (3, 64, 64), 80 * GIB, cuda=True, typical_side=1000),
        "data.resolution=256 experiment=fastgan_few",
    ),
    "a few large photos on a GPU of little memory": (
        Facts(300, (3, 64, 64), 2 * GIB, cuda=True, typical_side=1000),
        "data.resolution=128 experiment=fastgan_few train.batch_size=4",
    ),
    "some thousand large photos of classes on a GPU": (
        Facts(5_000, (3, 64, 64), 80 * GIB, cuda=True, typical_side=300, classes=(2500, 2500)),
        "data.resolution=256 model.conditional=true experiment=stylegan2_ada_folder model.generator.width=64 "
        "model.discriminator.width=64 penalty.r1.weight=0.4096",
    ),
    "many photos on a small GPU": (
        Facts(200_000, (3, 64, 64), 8 * GIB, cuda=True, typical_side=300),
        "data.resolution=128 experiment=stylegan2_ada_folder model.generator.width=128 "
        "model.discriminator.width=128 train.batch_size=16 penalty.r1.weight=0.2048 augment=[]",
    ),
    "an array of many images of classes on a GPU": (
        Facts(50_000, (3, 32, 32), 80 * GIB, cuda=True, classes=(5000,) * 10),
        "model.conditional=true model=biggan loss=hinge penalty=[] optimizer.betas=[0,0.9] "
        "optimizer.generator.lr=2e-4 optimizer.discriminator.lr=4e-4 train.steps=50000",
    ),
    "a few tiny pictures on a GPU": (
        Facts(300, (3, 32, 32), 80 * GIB, cuda=True, typical_side=40),
        f"data.resolution=32 {FEW} augment=[diffaugment] train.steps=50000",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_words_fit_the_data_and_the_machine(case: str) -> None:
    facts, words = CASES[case]
    made = recommend(facts)
    assert " ".join(each.word for each in made if each.word) == words
    assert all(each.reason and each.reason.isprintable() for each in made)


@pytest.mark.parametrize("case", CASES)
def test_the_words_compose_to_a_config_that_no_rule_refuses_or_warns_of(case: str) -> None:
    facts, words = CASES[case]
    data = ["data=folder", "data.path=set"] if facts.typical_side else ["data=cifar10"]
    config = train_config(composed(*(data if len(facts.shape) == 3 else ["data=ring"]), *words.split()))
    assert check(config) == []


OWN = {
    "model": "model.conditional=true train.steps=5000",
    "loss": "model.conditional=true model=dcgan train.steps=20000",
    "optimizer.lr": "model.conditional=true model=dcgan train.steps=20000",
    "model.conditional": CASES["many images of classes"][1].removeprefix("model.conditional=true "),
    "train.steps": CASES["many images of classes"][1].removesuffix(" train.steps=5000"),
}


@pytest.mark.parametrize("own", OWN)
def test_what_the_user_says_is_left_alone_and_so_is_what_goes_with_it(own: str) -> None:
    words = [each.word for each in recommend(CASES["many images of classes"][0], {own})]
    assert " ".join(words) == OWN[own]


def test_a_side_that_the_user_says_is_not_chosen() -> None:
    made = recommend(Facts(300, (3, 16, 16), CPU, typical_side=1000), {"data.resolution"})
    assert "data.resolution" not in " ".join(each.word for each in made)


def test_a_few_images_are_told_of_transfer_and_many_are_not() -> None:
    few, many = (CASES[case][0] for case in ("few images", "many images"))
    made = recommend(few), recommend(many), recommend(few, {"init_from"})
    assert ["init_from=" in str(each[-1]) for each in made] == [True, False, False]


def test_classes_that_are_left_out_are_told_of() -> None:
    told = [str(each) for each in recommend(CASES["classes of too few images"][0])]
    assert told[0].startswith("model.conditional stays false: 10 classes of 50 to 50 images")
