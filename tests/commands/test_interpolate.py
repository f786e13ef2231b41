"""ganctl interpolate: the frames of a path and of a run's checkpoints, the files they make, what is refused."""

import shutil
import sys
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image, ImageSequence

import ganctl
from ganctl.cli import main
from ganctl.images.png import TITLE_HEIGHT, captioned, enlarged, grid
from ganctl.uses.paths import walk
from scripts.soaks.configs import small_words
from tests.conftest import Cli

RUN = "outputs/labelled"
CPU = ["device=cpu", "device.precision=fp32"]
CODES = ["model.categorical_codes=[3]", "model.continuous_codes=1", "auxiliary=[code_loss]"]


def frames(cli: Cli, run: str, *words: str) -> np.ndarray:
    """Return the samples of each frame, [frames, samples, …]."""
    outcome = cli("interpolate", run, *CPU, "out=frames.npy", *words)
    assert (outcome.code, outcome.err) == (0, "")
    return np.load("frames.npy")


def sampled(cli: Cli, run: str, *words: str) -> np.ndarray:
    """Return what `ganctl sample` draws."""
    outcome = cli("sample", run, *CPU, "out=sampled.npy", *words)
    assert (outcome.code, outcome.err) == (0, "")
    return np.load("sampled.npy")


@pytest.fixture(scope="module")
def several_outputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `outputs` with runs on digits: `labelled` of three checkpoints, `coded` and `styled`."""
    folder = tmp_path_factory.mktemp("several")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        more = ["train.steps=3", "checkpoint.keep_every=1", "checkpoint.every=1", "model.conditional=true"]
        assert main(["train", *small_words("optimizer.lr=0.02", *more, "name=labelled", model="dcgan")]) == 0
        uniform = ["train.steps=1", "model.prior=uniform", *CODES, "name=coded"]
        assert main(["train", *small_words(*uniform, model="mlp")]) == 0
        assert main(["train", *small_words("train.steps=1", *more[3:], "name=styled", model="stylegan2")]) == 0
    return folder / "outputs"


@pytest.fixture
def several(workspace: Path, several_outputs: Path) -> Path:
    """Work beside these runs."""
    shutil.copytree(several_outputs, workspace / "outputs")
    return workspace


def test_a_path_begins_and_ends_with_the_samples_of_its_seeds(several: Path, cli: Cli) -> None:
    found = frames(cli, "labelled", "seeds=4,7,9", "steps=2", "class=3")
    assert (found.shape, found.dtype) == ((7, 1, 8, 8, 1), np.uint8)
    assert np.array_equal(found[::3, 0], sampled(cli, "labelled", "seeds=4,7,9", "class=3"))
    loop = frames(cli, "labelled", "seeds=4,7,9", "steps=2", "class=3", "loop=true")
    assert np.array_equal(loop[:7], found)
    back = frames(cli, "labelled", "seeds=9,4", "steps=2", "class=3")
    assert np.array_equal(np.concatenate([loop[6:], loop[:1]]), back)


@pytest.mark.parametrize(
    ("run", "words", "turned"),
    [
        ("coded", [], 0),
        ("coded", ["path=spherical"], 4),
        ("labelled", [], 8),
        ("labelled", ["path=linear"], 0),
    ],
)
def test_frames_are_the_samples_of_the_path(
    run: str, words: list[str], turned: int, several: Path, cli: Cli
) -> None:
    one = ["class=3"] if run == "labelled" else []
    found = frames(cli, run, *one, *words, "seeds=1-3", "steps=3")
    keys = ganctl.load(run, device="cpu", precision="fp32").latents(seeds=[1, 2, 3])
    path = walk(keys, 3, turned=turned)
    assert not torch.equal(path, walk(keys, 3, turned=0 if turned else 4))
    np.save("path.npy", path.numpy())
    assert np.array_equal(found[:, 0], sampled(cli, run, "latents=path.npy", *one))
    np.save("keys.npy", keys.numpy())
    assert np.array_equal(frames(cli, run, *one, *words, "latents=keys.npy", "steps=3"), found)


@pytest.mark.parametrize("words", [["labelled"], ["styled", "space=w"], ["labelled", "checkpoints=true"]])
def test_how_many_are_computed_at_once_changes_nothing(words: list[str], several: Path, cli: Cli) -> None:
    together = frames(cli, *words, "batch_size=1000")
    assert np.array_equal(together, frames(cli, *words, "batch_size=7"))


def test_each_class_has_a_row_of_the_same_latents(several: Path, cli: Cli) -> None:
    every = frames(cli, "labelled", "steps=1")
    assert every.shape == (5, 10, 8, 8, 1)
    assert np.array_equal(every, frames(cli, "labelled", "steps=1", "class=all"))
    some = frames(cli, "labelled", "steps=1", "class=[7,2]")
    assert np.array_equal(some, every[:, [7, 2]])
    assert np.array_equal(some[:, :1], frames(cli, "labelled", "steps=1", "class=7"))
    assert not np.array_equal(every[:, 7], every[:, 2])


def test_styles_go_evenly_in_w(several: Path, cli: Cli) -> None:
    found = frames(cli, "styled", "space=w", "seeds=3,8", "steps=3", "class=[1,5]", "truncation=0.5")
    for row, label in enumerate((1, 5)):
        ends = sampled(cli, "styled", "seeds=3,8", f"class={label}", "truncation=0.5")
        assert np.array_equal(found[[0, -1], row], ends)
    generator = ganctl.load("styled", device="cpu", precision="fp32")
    styles = generator.module.styles(generator.latents(seeds=[3, 8]), torch.tensor([5, 5]))
    mean = generator.module.mean_style
    middle = generator.module.synthesise((mean + 0.5 * (styles - mean)).mean(0, keepdim=True))
    pixels = ((middle + 1) * 127.5).clamp(0, 255).permute(0, 2, 3, 1)
    assert float((torch.from_numpy(found[2, 1]) - pixels[0]).abs().max()) < 0.51  # half a step, and rounding
    assert not np.array_equal(
        found, frames(cli, "styled", "seeds=3,8", "steps=3", "class=[1,5]", "truncation=0.5")
    )


def test_checkpoints_are_shown_from_the_oldest_with_the_same_latents(several: Path, cli: Cli) -> None:
    found = frames(cli, "labelled", "checkpoints=true")
    assert found.shape == (3, 16, 8, 8, 1)
    for step, shown in enumerate(found, 1):
        path = f"{RUN}/checkpoints/step-{step:08d}.safetensors"
        assert np.array_equal(shown, sampled(cli, path, "seeds=0-15"))
    assert not np.array_equal(found[0], found[2])
    some = frames(cli, "labelled", "checkpoints=true", "seeds=2,5", "class=[4,6]", "ema=false")
    path = f"{RUN}/checkpoints/step-00000002.safetensors"
    assert np.array_equal(some[1], sampled(cli, path, "seeds=2,5", "class=[4,6]", "ema=false"))


def test_damaged_checkpoints_are_reported_and_left_out(several: Path, cli: Cli) -> None:
    whole = frames(cli, "labelled", "checkpoints=true")
    first, second, third = sorted(Path(RUN, "checkpoints").iterdir())
    first.write_bytes(b"no header")
    content = second.read_bytes()
    tensors = 8 + int.from_bytes(content[:8], "little")
    second.write_bytes(content[:tensors] + bytes(len(content) - tensors))
    outcome = cli("interpolate", "labelled", "checkpoints=true", "device=cpu", "out=frames.npy")
    assert (outcome.code, outcome.err) == (0, "")
    told = outcome.out.splitlines()
    assert [line.startswith("passed over a damaged checkpoint: ") for line in told] == [True, True, False]
    assert first.name in told[0]
    assert second.name in told[1]
    assert told[2] == "1 checkpoint until step 3: frames.npy"
    assert np.array_equal(np.load("frames.npy"), whole[2:])
    for left in (second, None):
        third.unlink(missing_ok=True)
        if left is None:
            second.unlink()
        outcome = cli("interpolate", "labelled", "checkpoints=true", "device=cpu")
        assert (outcome.code, outcome.err.count("\n")) == (4, 1)
        assert "a run without an intact checkpoint; train it further first" in outcome.err


def test_a_strip_has_a_row_for_each_class_or_checkpoint(several: Path, cli: Cli) -> None:
    cases = {"class=all": (5, 10, [str(label) for label in range(10)]), "class=3": (5, 1, [])}
    for word, (columns, rows, names) in cases.items():
        samples = frames(cli, "labelled", "steps=1", word)
        assert cli("interpolate", "labelled", "device=cpu", "steps=1", word, "out=strip.png").code == 0
        sheet = grid(samples.swapaxes(0, 1).reshape(-1, 8, 8, 1), columns)
        expected = captioned(sheet, names) if names else sheet
        assert expected.shape[0] == rows * 10 + 2
        with Image.open("strip.png") as image:
            assert np.array_equal(np.asarray(image), expected[..., 0])
    samples = frames(cli, "labelled", "checkpoints=true")
    words = ["interpolate", "labelled", "device=cpu", "checkpoints=true", "scale=2", "out=strip.png"]
    assert cli(*words).code == 0
    sheet = grid(enlarged(samples.reshape(-1, 8, 8, 1), 2), 16)
    with Image.open("strip.png") as image:
        assert np.array_equal(np.asarray(image), captioned(sheet, ["step 1", "step 2", "step 3"])[..., 0])


def played(path: str, fps: int) -> list[np.ndarray]:
    """Return what an animation shows in three channels, so many times a second."""
    if path.endswith(".mp4"):
        with av.open(path) as film:
            (stream,) = film.streams.video
            assert stream.average_rate == fps
            return [frame.to_ndarray(format="rgb24") for frame in film.decode(stream)]
    with Image.open(path) as film:
        parts = [
            [np.asarray(frame.convert("RGB"))] * round(frame.info["duration"] / 1000 * fps)
            for frame in ImageSequence.Iterator(film)
        ]
    return [frame for part in parts for frame in part]  # those that look equal are one in the file


@pytest.mark.parametrize("ending", ["gif", "webp", "mp4"])
def test_an_animation_shows_the_frames_enlarged(ending: str, several: Path, cli: Cli) -> None:
    for words, columns, factor, fps in (
        (["class=3", "scale=4", "fps=10"], 1, 4, 10),
        (["class=all"], 4, 8, 20),
    ):
        samples = frames(cli, "labelled", "seeds=0,1", "steps=2", words[0])
        outcome = cli("interpolate", "labelled", "device=cpu", "seeds=0,1", "steps=2", *words, f"out=x.{ending}")
        assert (outcome.code, outcome.out, outcome.err) == (0, f"4 frames of step 3: x.{ending}\n", "")
        found = played(f"x.{ending}", fps)
        for frame, drawn in zip(found, samples, strict=True):
            expected = grid(enlarged(drawn, factor), columns, 0 if columns == 1 else 2)
            assert frame.shape[:2] == expected.shape[:2]
            assert np.abs(frame[..., :1].astype(float) - expected).mean() < 3  # of 255: lossy


def test_checkpoints_are_animated_with_their_steps(several: Path, cli: Cli) -> None:
    samples = frames(cli, "labelled", "checkpoints=true", "seeds=1,2", "class=[3,4,5]")
    words = ["checkpoints=true", "seeds=1,2", "class=[3,4,5]", "device=cpu", "out=x.gif"]
    outcome = cli("interpolate", "labelled", *words)
    assert (outcome.code, outcome.out, outcome.err) == (0, "3 checkpoints until step 3: x.gif\n", "")
    found = played("x.gif", 4)
    for frame, drawn in zip(found, samples, strict=True):
        assert np.array_equal(frame[TITLE_HEIGHT:, :, :1], grid(enlarged(drawn, 16), 2))
    assert not np.array_equal(found[0][:TITLE_HEIGHT], found[1][:TITLE_HEIGHT])


def test_without_any_key_files_have_names_that_tell_them_apart(several: Path, cli: Cli) -> None:
    np.save("keys.npy", np.zeros((2, 8), np.float32))
    for words in (
        [],
        ["loop=true"],
        ["path=linear"],
        ["steps=1", "class=[1,2]"],
        ["checkpoints=true"],
        ["latents=keys.npy", "ema=false"],
        ["seeds=1,5", "truncation=0.5", "scale=2", "which=newest"],
    ):
        outcome = cli("interpolate", "labelled", "device=cpu", *words)
        assert (outcome.code, outcome.err) == (0, "")
    assert cli("interpolate", "styled", "space=w", "device=cpu").code == 0
    assert sorted(path.name for path in Path("outputs/labelled/interpolations").iterdir()) == [
        "step-00000003-checkpoints-3-seeds-0-15.png",
        "step-00000003-latents-keys-frames-8-raw.png",
        "step-00000003-seeds-0-2-frames-15-linear.png",
        "step-00000003-seeds-0-2-frames-15.png",
        "step-00000003-seeds-0-2-frames-21-loop.png",
        "step-00000003-seeds-0-2-frames-5-classes-1+2.png",
        "step-00000003-seeds-2-67d1be-frames-8-truncation-0.5-scale-2.png",
    ]
    (path,) = Path("outputs/styled/interpolations").iterdir()
    assert path.name == "step-00000001-seeds-0-2-frames-15-w.png"


def test_points_are_had_as_numbers(trained: Path, cli: Cli) -> None:
    outcome = cli("interpolate", "run", "device=cpu")
    assert (outcome.code, outcome.err) == (0, "")
    found = np.load("outputs/run/interpolations/step-00000001-seeds-0-2-frames-51.npy")
    assert (found.shape, found.dtype) == ((51, 1, 2), np.float32)
    assert np.array_equal(found[::25, 0], sampled(cli, "run", "seeds=0-2"))
    assert frames(cli, "run", "checkpoints=true", "seeds=0-99").shape == (1, 100, 2)
    for word in ("out=x.png", "out=x.gif"):
        for more in ([], ["checkpoints=true"]):
            outcome = cli("interpolate", "run", "device=cpu", word, *more)
            assert (outcome.code, outcome.err.count("\n")) == (2, 1)
            assert f"{word[4:]} shows images, but this model draws points; take out=path.npy" in outcome.err


def test_norms_are_measured_anew_for_each_checkpoint(several: Path, cli: Cli) -> None:
    found = frames(cli, "labelled", "checkpoints=true", "standing=2")
    path = f"{RUN}/checkpoints/step-00000001.safetensors"
    assert np.array_equal(found[0], sampled(cli, path, "seeds=0-15", "standing=2"))
    assert not np.array_equal(found[0], frames(cli, "labelled", "checkpoints=true")[0])


def test_without_pyav_nothing_is_computed(several: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    outcome = cli("interpolate", "labelled", "out=x.mp4", "ckpt=nowhere")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    outcome = cli("interpolate", "labelled", "out=x.mp4", "device=cpu")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "out: writing .mp4 needs PyAV" in outcome.err
    assert "pip install 'ganctl[video]'" in outcome.err


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        ("seeds=3", 2, "seeds: a path needs two or more, such as seeds=1,2"),
        ("latents=one.npy", 2, "latents: one.npy holds one; a path needs two or more"),
        (
            "latents=wide.npy",
            3,
            "latents: wide.npy holds float32 [2,9], but this generator takes floats [count,8]",
        ),
        ("latents=two.npy seeds=1,2", 2, "seeds: says nothing where latents are given; leave one out"),
        ("latents=two.npy truncation=1", 2, "truncation: says nothing where latents are given"),
        ("path=curved", 2, "path: must be 'linear' or 'spherical'"),
        ("space=w", 2, "space: the model of this run has no styles; leave it z, or train model=stylegan2"),
        (
            "space=w path=spherical",
            2,
            "path: styles are no directions, between which w goes linearly; leave it null",
        ),
        ("steps=-1", 2, "steps: must be at least 0"),
        ("steps=1001", 2, "steps: must be at most 1000"),
        ("steps=1000 seeds=0-99", 2, "steps: would draw 991,000 samples; the most is 100,000"),
        ("checkpoints=true seeds=0-3999 class=all", 2, "seeds: would draw 120,000 samples; the most is 100,000"),
        (
            "checkpoints=true loop=true",
            2,
            "loop: says nothing of all checkpoints; leave it out, or checkpoints=false",
        ),
        ("checkpoints=true steps=5", 2, "steps: says nothing of all checkpoints"),
        ("checkpoints=true which=best", 2, "which: says nothing of all checkpoints"),
        ("fps=10", 2, "fps: counts in an animation; name one, such as out=path.gif, or leave it null"),
        ("fps=10 out=x.npy", 2, "fps: counts in an animation"),
        ("fps=61 out=x.gif", 2, "fps: must be at most 60"),
        ("scale=0", 2, "scale: must be at least 1"),
        ("scale=64 class=all out=x.gif seeds=0-15 checkpoints=true", 2, "scale: frames of 8,226×5,142 pixels"),
        ("class=cat", 2, "class: unknown class 'cat'"),
        ("out=x.mov", 2, "out: x.mov would be a file of another kind than .gif, .mp4, .npy, .png, .webp"),
        ("out=x.jpg", 2, "out: x.jpg would be a file of another kind"),
        ("frames=5", 2, "frames: unknown key; here it is steps=…"),
        ("seed=5", 2, "seed: unknown key; here it is seeds=…"),
    ],
)
def test_what_cannot_be_asked_for_is_told_in_one_line(
    words: str, code: int, told: str, several: Path, cli: Cli
) -> None:
    for name, shape in {"one": (1, 8), "two": (2, 8), "wide": (2, 9)}.items():
        np.save(f"{name}.npy", np.zeros(shape, np.float32))
    outcome = cli("interpolate", "labelled", "device=cpu", *words.split())
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (code, "", 1)
    assert outcome.err.startswith(f"ganctl: {told}")
    assert not list(several.glob("x.*"))


def test_all_checkpoints_are_those_of_a_run(several: Path, cli: Cli) -> None:
    path = f"{RUN}/checkpoints/step-00000001.safetensors"
    outcome = cli("interpolate", path, "checkpoints=true", "device=cpu")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert f"ckpt: {path} is a single checkpoint; name the folder of its run" in outcome.err
    outcome = cli("interpolate", path, "device=cpu")
    assert (outcome.code, outcome.err) == (0, "")
    assert Path("outputs/labelled/interpolations/step-00000001-seeds-0-2-frames-15.png").is_file()
