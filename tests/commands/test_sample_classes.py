"""ganctl sample of conditional models and models with codes: what is drawn, its names, what is refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganctl.cli import main
from ganctl.commands.words.classes import caption, labels_of
from ganctl.errors import ConfigError
from tests.commands.labelled import save_labelled, train, words_of
from tests.conftest import TINY, Cli

NAMES = ["ant", "bee", "cat", "dog", "1"]
SAMPLE = ["sample", "run", "device=cpu"]
SORTED = sorted(NAMES)  # 1, ant, bee, cat, dog


def arrays(cli: Cli, *words: str) -> tuple[np.ndarray, np.ndarray]:
    outcome = cli(*SAMPLE, "out=drawn.npz", *words)
    assert (outcome.code, outcome.err) == (0, "")
    found = np.load("drawn.npz")
    return found["samples"], found["labels"]


@pytest.fixture(scope="module")
def animals_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `outputs` with a conditional run on five classes."""
    folder = tmp_path_factory.mktemp("animals")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        save_labelled(NAMES)
        assert main(["train", *words_of()]) == 0
    return folder / "outputs"


@pytest.fixture
def animals(workspace: Path, animals_outputs: Path) -> Path:
    """Work beside this run."""
    shutil.copytree(animals_outputs, workspace / "outputs", symlinks=True)
    return workspace


def test_without_a_class_all_come_in_turn(animals: Path, cli: Cli) -> None:
    samples, labels = arrays(cli, "num=7")
    assert labels.dtype == np.int64
    assert labels.tolist() == [0, 1, 2, 3, 4, 0, 1]
    assert samples.shape == (7, 8, 8, 1)


def test_a_class_is_asked_for_by_name_or_number_and_a_name_wins(animals: Path, cli: Cli) -> None:
    by_name, labels = arrays(cli, "num=3", "class=cat")
    by_number, same = arrays(cli, "num=3", "class=3")
    assert labels.tolist() == same.tolist() == [3, 3, 3]
    assert np.array_equal(by_name, by_number)
    assert arrays(cli, "num=3", "class=1")[1].tolist() == [0, 0, 0]  # the class named 1, not number 1, ant
    other, _ = arrays(cli, "num=3", "class=dog")
    assert not np.array_equal(by_name, other)


def test_classes_have_a_row_each_and_all_is_every_class(animals: Path, cli: Cli) -> None:
    assert arrays(cli, "class=[dog,ant]", "num=6")[1].tolist() == [4, 4, 4, 1, 1, 1]
    samples, labels = arrays(cli, "class=all")
    assert labels.tolist() == [label for label in range(5) for _ in range(8)]
    again, _ = arrays(cli, "class=[0,ant,bee,cat,dog]")
    assert np.array_equal(samples, again)


def test_a_sample_of_a_seed_depends_on_its_seed_and_class_alone(animals: Path, cli: Cli) -> None:
    together, labels = arrays(cli, "seeds=3,8,14")
    assert labels.tolist() == [3, 3, 4]
    for number, seed in enumerate((3, 8, 14)):
        assert np.array_equal(arrays(cli, f"seeds={seed}")[0][0], together[number])
    rows, labels = arrays(cli, "seeds=3,8", "class=[dog,cat]")
    assert labels.tolist() == [4, 4, 3, 3]
    assert np.array_equal(rows[2:], together[:2])
    assert np.array_equal(rows[:2], arrays(cli, "seeds=3,8", "class=dog")[0])


def test_files_say_which_class_they_show(animals: Path, cli: Cli) -> None:
    for words in (["class=cat"], ["class=[cat,dog]"], ["class=all"], ["truncation=0.5"], ["standing=2"], []):
        outcome = cli(*SAMPLE, "out=there", "num=10", *words)
        if words == ["standing=2"]:
            assert "standing: the generator of this run has no batch norm; set it to 0" in outcome.err
        else:
            assert (outcome.code, outcome.err) == (0, "")
    assert sorted(path.name for path in Path("there").iterdir()) == [
        "step-00000001-seed-0-10-class-all.png",
        "step-00000001-seed-0-10-class-cat.png",
        "step-00000001-seed-0-10-classes-cat+dog.png",
        "step-00000001-seed-0-10-truncation-0.5.png",
        "step-00000001-seed-0-10.png",
    ]


def test_single_images_are_named_by_class_only_where_it_was_asked_for(animals: Path, cli: Cli) -> None:
    for words, names in (
        (["class=[cat,dog]", "num=4"], {"cat-00000", "cat-00001", "dog-00000", "dog-00001"}),
        (["class=cat", "seeds=7,9"], {"cat-seed-7", "cat-seed-9"}),
        (["num=2"], {"00000", "00001"}),
    ):
        outcome = cli(*SAMPLE, "images=true", *words)
        assert outcome.code == 0, outcome.err
        (folder,) = [path for path in Path("outputs/run/samples").iterdir() if path.is_dir()]
        assert {path.stem for path in folder.iterdir()} == names
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def test_rows_of_a_grid_have_the_names_of_their_classes(animals: Path, cli: Cli) -> None:
    assert cli(*SAMPLE, "class=all", "num=10", "out=all.png").code == 0
    assert cli(*SAMPLE, "class=cat", "num=10", "out=cat.png").code == 0
    with Image.open("all.png") as rows, Image.open("cat.png") as one:
        assert rows.height == 5 * 10 + 2
        assert rows.width > 2 * 10 + 2 + 10
        margin = np.asarray(rows)[:, : rows.width - 22]
        assert all(margin[2 + row * 10 : 10 + row * 10].max() > 100 for row in range(5))
        assert one.size == (4 * 10 + 2, 3 * 10 + 2)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["class=cta"], "class: unknown class 'cta' (did you mean 'cat'?); there are 1, ant, bee, cat, dog"),
        (["class=Cat"], "class: unknown class 'Cat' (did you mean 'cat'?)"),
        (["class=5"], "class: there is no class 5; 5 classes are numbered from 0 to 4"),
        (["class=-1"], "class: there is no class -1"),
        (["class=99999999999999999999"], "class: must lie within 64 bits"),
        (["class=[]"], "class: must be a class by its name or number, a list of them such as [cat,dog], or all"),
        (["class=[null]"], "class: must be a class by its name or number"),
        (["class={a:1}"], "class: must be a class by its name or number"),
        (["class=true"], "class: unknown class 'true'"),
        (["class=1.5"], "class: unknown class '1.5'"),
        (["class=[cat,cat]"], "class: cat is asked for twice; name each class once"),
        (["class=[cat,3]"], "class: cat is asked for twice"),
        (["class=all", "num=12"], "num: 12 samples cannot be divided over 5 classes; take 10 or 15"),
        (["class=all", "num=3"], "num: 3 samples cannot be divided over 5 classes; take 5"),
        (["class=all", "seeds=0-20000"], "class: would draw 100,005 samples; the most is 100,000"),
        (["class=cat,dog"], "class=cat,dog: a list is class=[cat,dog]"),
        (["clas=cat"], "clas: unknown key (did you mean 'class'?)"),
        (["label=cat"], "label: unknown key; here it is class=…"),
        (["truncation=0"], "truncation: must be above 0.0"),
        (["truncation=nan"], "truncation: must be a finite number"),
        (["sweep=true"], "sweep: the model of this run has no codes; leave it false"),
        (["sweep=true", "images=true"], "images: a sweep is one image per code"),
        (["standing=100001"], "standing: must be at most 100000"),
    ],
)
def test_what_cannot_be_asked_for_is_told_in_one_line(
    words: list[str], told: str, animals: Path, cli: Cli
) -> None:
    outcome = cli(*SAMPLE, *words)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert outcome.err.startswith(f"ganctl: {told}")
    assert not list((animals / "outputs/run/samples").iterdir())


def test_a_run_without_classes_has_none_to_ask_for(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, "model.prior=uniform", conditional=False)
    outcome = cli(*SAMPLE, "class=cat")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert outcome.err.startswith("ganctl: class: the model of this run is not conditional, so no class can be")
    outcome = cli(*SAMPLE, "truncation=0.5")
    assert outcome.err.startswith("ganctl: truncation: bounds latents of the prior normal, and this run has model")
    assert cli(*SAMPLE, "num=2", "out=x.npz").code == 0
    assert np.load("x.npz").files == ["samples"]


LONG = "x" * 100
ODD = ["猫", "chien é", "a/b", "../up", LONG, f"{LONG}y"]


@pytest.mark.parametrize("names", [ODD, ["one"], ["all", "-", "."]])
def test_names_of_any_kind_make_files_and_grids(names: list[str], workspace: Path, cli: Cli) -> None:
    train(cli, names)
    outcome = cli(*SAMPLE, "class=all", "images=true", f"num={2 * len(names)}")
    assert (outcome.code, outcome.err) == (0, "")
    pictures = sorted(Path("outputs/run/samples").rglob("*.png"))
    assert len(pictures) == 1 + 2 * len(names)
    assert not list(workspace.glob("outputs/run/*.png"))
    with Image.open(Path("outputs/run/samples") / f"step-00000001-seed-0-{2 * len(names)}-class-all.png") as grid:
        assert grid.height == 10 * len(names) + 2
        assert grid.width < 400
    for name in names:
        assert cli(*SAMPLE, f"class=['{name}']", "num=1").code == 0
        if name != "all":
            assert cli(*SAMPLE, f"class='{name}'", "num=1").code == 0


def test_a_thousand_classes_are_more_than_few_samples(workspace: Path, cli: Cli) -> None:
    train(cli, [f"c{number:03d}" for number in range(1000)], each=1)
    assert arrays(cli, "num=64")[1].tolist() == list(range(64))
    outcome = cli(*SAMPLE, "class=all", "num=64")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "num: 64 samples cannot be divided over 1,000 classes; take 1,000" in outcome.err
    outcome = cli(*SAMPLE, "class=c0001")
    assert "there are c000, c001, c002, " in outcome.err
    assert "and 988 more" in outcome.err
    assert cli(*SAMPLE, "class=all", "num=1000", "out=all.png").code == 0


def test_points_of_a_class_are_drawn(workspace: Path, cli: Cli) -> None:
    values = np.random.default_rng(0).standard_normal((12, 2)).astype(np.float32)
    np.savez("points.npz", samples=values, labels=np.arange(12) % 3)
    small = [word for word in TINY if not word.startswith("data")]
    outcome = cli(
        "train",
        "data=array",
        "data.path=points.npz",
        "data.labels=labels",
        *small,
        "model.conditional=true",
        "name=run",
    )
    assert outcome.code == 0, outcome.err
    samples, labels = arrays(cli, "class=[2,0]", "num=6")
    assert (samples.shape, labels.tolist()) == ((6, 2), [2, 2, 2, 0, 0, 0])
    for out in ("p.png", "p.csv"):
        assert cli(*SAMPLE, "class=all", f"out={out}").code == 0


def test_latents_keep_within_the_truncation(animals: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.Tensor] = []
    module = __import__("ganctl.runs.generator", fromlist=["generate"])
    whole = module.generate

    def watched(network, latents, *rest):  # type: ignore[no-untyped-def]
        seen.append(latents)
        return whole(network, latents, *rest)

    monkeypatch.setattr(module, "generate", watched)
    for words in ([], ["truncation=0.5"], ["truncation=0.5", "seeds=0-63"]):
        assert cli(*SAMPLE, "num=64", *words).code == 0
    free, bounded, seeded = (float(latents.abs().max()) for latents in seen)
    assert free > 1.5
    assert 0.4 < bounded <= 0.5
    assert 0.4 < seeded <= 0.5


def test_a_sweep_shows_every_code_over_rows_of_the_same_latents(workspace: Path, cli: Cli) -> None:
    codes = ["model.categorical_codes=[3]", "model.continuous_codes=1", "auxiliary=[code_loss]"]
    train(cli, NAMES, *codes, conditional=False)
    outcome = cli(*SAMPLE, "sweep=true", "num=2", "out=s.npy")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out == "6 samples of step 1: s-code-0.npy\n20 samples of step 1: s-code-1.npy\n"
    assert not np.array_equal(np.load("s-code-0.npy")[0], np.load("s-code-0.npy")[1])
    assert cli(*SAMPLE, "sweep=true", "seeds=4,9,2").code == 0
    for code, columns in ((0, 3), (1, 10)):
        (path,) = Path("outputs/run/samples").glob(f"*-code-{code}.png")
        with Image.open(path) as image:
            assert image.size == (columns * 10 + 2, 3 * 10 + 2)
    outcome = cli(*SAMPLE, "sweep=true", "num=20000")
    assert (outcome.code, outcome.out) == (2, "")
    assert "sweep: would draw 200,000 samples in one image; the most is 100,000" in outcome.err
    assert cli(*SAMPLE, "sweep=true", "num=1", "seed=5", "out=a.npy").code == 0
    assert cli(*SAMPLE, "sweep=true", "num=1", "seed=5", "out=b.npy").code == 0
    assert np.array_equal(np.load("a-code-1.npy"), np.load("b-code-1.npy"))


def test_codes_of_a_conditional_model_are_swept_within_a_class(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, "model.categorical_codes=[3]", "auxiliary=[code_loss]")
    assert cli(*SAMPLE, "sweep=true", "class=[dog,bee]", "num=2", "out=s.npz").code == 0
    assert np.load("s-code-0.npz")["labels"].tolist() == [4, 4, 4, 2, 2, 2]


def test_a_caption_is_what_the_font_can_draw() -> None:
    names = ["cat", "chien né", "猫", "Жук", " "]
    told = [caption(name, label) for label, name in enumerate(names)]
    assert told == ["cat", "chien ne", "class 2", "class 3", "class 4"]


def test_names_win_and_a_list_of_none_is_refused() -> None:
    assert labels_of("all", ["a", "all"]) == [0, 1]
    assert labels_of(["all"], ["a", "all"]) == [1]
    assert labels_of("007", [str(each) for each in range(9)]) == [7]
    with pytest.raises(ConfigError, match=r"^class: unknown class '٣'"):
        labels_of("٣", ["a", "b", "c", "d"])


def test_standing_statistics_are_a_function_of_the_generator_alone(workspace: Path, cli: Cli) -> None:
    train(cli, NAMES, "model.generator.norm=batch")
    plain, _ = arrays(cli, "num=5")
    first, _ = arrays(cli, "num=5", "standing=3")
    again, _ = arrays(cli, "num=5", "standing=3", "batch_size=2")
    assert not np.array_equal(plain, first)
    assert np.array_equal(first, again)
    alone, _ = arrays(cli, "seeds=3", "standing=3")
    assert np.array_equal(alone[0], arrays(cli, "seeds=3,4", "standing=3", "class=cat")[0][0])
    assert not np.array_equal(first, arrays(cli, "num=5", "standing=4")[0])
