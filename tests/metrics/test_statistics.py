import math
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from ganctl.data.store import Store
from ganctl.metrics import Extractor, Samples, of_store, of_tensor, parted
from ganctl.metrics.extractor import Extracted
from ganctl.metrics.statistics import MomentSum, collect
from ganctl.metrics.tensor_cache import digest
from ganctl.runtime.disk import temporary
from tests.metrics.measured import CPU, normal, raw, source


def test_moments_merged_from_uneven_chunks_are_those_of_the_whole() -> None:
    values = normal(1000, 5, 0, mean=1000.0)  # a mean that squares would drown the variance in, in float32
    total = MomentSum(5, CPU)
    for chunk in values.split([1, 300, 600, 99]):
        total.add(chunk)
    found = total.moments()
    exact = values.double().numpy()
    assert found.count == 1000
    np.testing.assert_allclose(found.mean, exact.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.covariance, np.cov(exact, rowvar=False), rtol=1e-9, atol=1e-12)


def test_adding_leaves_the_features_as_they_were() -> None:
    values = normal(10, 2, 0).double()
    before = values.clone()
    MomentSum(2, CPU).add(values)
    assert torch.equal(values, before)


def test_one_pass_collects_what_is_asked_for_and_in_order() -> None:
    samples = of_tensor(normal(600, 3, 0))
    calls: list[int] = []
    look = raw(samples.first(1))

    def counted(chunk: Tensor) -> Extracted:
        calls.append(len(chunk))
        return Extracted(look.extract(chunk).features, chunk[:, :2])

    found = collect(samples, replace(look, extract=counted, classes=2), {"moments", "features", "logits"})
    assert sum(calls) == 600
    assert torch.equal(found.features, samples.first(600))
    assert torch.equal(found.logits, samples.first(600)[:, :2])
    torch.testing.assert_close(found.moments.mean, samples.first(600).double().mean(0))


def test_parts_are_disjoint_and_know_their_labels_and_content() -> None:
    store = Store(torch.arange(101.0)[:, None], torch.arange(101), tuple(map(str, range(101))))
    whole = of_store(store, None)
    first, second = parted(whole, 1000)
    seen = torch.cat([first.first(99), second.first(99)]).flatten()
    assert (first.count, second.count) == (50, 51)
    assert torch.equal(seen, whole.first(101).flatten())
    assert second.labels is not None
    assert torch.equal(second.first(51).flatten().long(), second.labels)
    assert torch.equal(torch.cat([*second.chunks(20)]), second.first(51))
    assert parted(whole, 20)[0].count == 20
    assert len({each.content for each in (whole, first, second, *parted(whole, 20))}) == 5
    assert parted(whole, 50)[1].content == second.content
    assert of_tensor(store.samples).part(0, 5).content is None


def test_moments_without_a_part_are_those_of_the_rest() -> None:
    values = normal(1000, 4, 0, mean=100.0)
    whole, part, rest = (MomentSum(4, CPU) for _ in range(3))
    for total, rows in ((whole, values), (part, values[:300]), (rest, values[300:])):
        total.add(rows)
    found, expected = whole.moments().without(part.moments()), rest.moments()
    assert found.count == 700
    torch.testing.assert_close(found.mean, expected.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(found.covariance, expected.covariance, rtol=1e-10, atol=1e-10)


def test_a_draw_from_a_store_brings_its_labels_along() -> None:
    store = Store(torch.arange(100.0)[:, None], torch.arange(100), tuple(map(str, range(100))))
    drawn = of_store(store, None, 30, 0)
    assert drawn.labels is not None
    assert torch.equal(drawn.first(30).flatten().long(), drawn.labels)
    assert of_store(store, None).count == 100


def costly(look: Extractor, calls: list[int]) -> Extractor:
    """An extractor whose statistics are kept, and that counts what it looks at."""

    def counted(chunk: Tensor) -> Extracted:
        calls.append(len(chunk))
        return look.extract(chunk)

    return replace(look, name="costly", cheap=False, extract=counted)


@pytest.fixture
def kept_samples() -> Samples:
    return of_store(Store(normal(300, 3, 0)), source("ring"))


def test_statistics_of_real_samples_are_found_again_by_content_and_extractor(
    kept_samples: Samples, tmp_path: Path
) -> None:
    calls: list[int] = []
    look = costly(raw(kept_samples.first(1)), calls)
    first = collect(kept_samples, look, {"moments", "features"}, str(tmp_path))
    again = collect(
        of_store(Store(normal(300, 3, 0)), source("ring")), look, {"moments", "features"}, str(tmp_path)
    )
    assert sum(calls) == 300
    assert torch.equal(again.features, first.features)
    assert torch.equal(again.moments.covariance, first.moments.covariance)
    collect(of_store(Store(normal(300, 3, 1)), source("ring")), look, {"moments", "features"}, str(tmp_path))
    for other in ({"identity": "other"}, {"resizer": "to 8 pixels"}, {"precision": "bf16"}):
        collect(kept_samples, replace(look, **other), {"moments", "features"}, str(tmp_path))
    collect(kept_samples, look, {"moments"}, str(tmp_path))
    assert sum(calls) == 6 * 300
    collect(of_tensor(normal(300, 3, 0)), look, {"moments"}, str(tmp_path))  # generated: drawn anew each time
    assert sum(calls) == 7 * 300


@pytest.mark.parametrize("at", [-1, 3])
def test_kept_statistics_that_were_damaged_are_made_again(
    kept_samples: Samples, tmp_path: Path, at: int, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[int] = []
    look = costly(raw(kept_samples.first(1)), calls)
    collect(kept_samples, look, {"features"}, str(tmp_path))
    (file,) = (tmp_path / "statistics").iterdir()
    content = bytearray(file.read_bytes())
    content[at] ^= 64
    file.write_bytes(content)
    found = collect(kept_samples, look, {"features"}, str(tmp_path))
    assert sum(calls) == 600
    assert torch.equal(found.features, kept_samples.first(300))
    assert "is damaged" in capsys.readouterr().out
    collect(kept_samples, look, {"features"}, str(tmp_path))
    assert sum(calls) == 600


def test_a_cache_that_cannot_be_written_is_said_and_does_without(
    kept_samples: Samples, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no folder")
    look = costly(raw(kept_samples.first(1)), [])
    found = collect(kept_samples, look, {"features"}, str(tmp_path / "file"))
    assert torch.equal(found.features, kept_samples.first(300))
    assert "nothing is kept" in capsys.readouterr().out


def test_files_that_were_left_unfinished_are_removed_after_a_day_and_no_others(
    kept_samples: Samples, tmp_path: Path
) -> None:
    folder = tmp_path / "statistics"
    folder.mkdir()
    old, new, other = temporary(folder / "a.safetensors"), temporary(folder / "b.safetensors"), folder / ".c.tmp"
    for path, age in ((old, 90_000), (new, 80_000), (other, 90_000)):
        path.touch()
        os.utime(path, (time.time() - age,) * 2)
    collect(kept_samples, costly(raw(kept_samples.first(1)), []), {"features"}, str(tmp_path))
    assert (old.exists(), new.exists(), other.exists()) == (False, True, True)


MOMENTS_OF_MANY = """\
import torch
from tests.metrics.measured import raw
from ganctl.metrics import Samples
from ganctl.samples import SampleSpace
from ganctl.metrics.statistics import collect

def resident(line):
    with open("/proc/self/status") as file:
        return next(int(text.split()[1]) for text in file if text.startswith(line)) / 1024

def read(start, stop):
    return torch.randn(stop - start, 1024, generator=torch.Generator().manual_seed(start))

space = SampleSpace.of_shape((1024,))
few, many = Samples(512, space, read), Samples({count}, space, read)
look = raw(few.first(1))
collect(few, look, {{"moments"}})
for needs in ("moments", "features"):
    with open("/proc/self/clear_refs", "w") as file:
        file.write("5")
    before = resident("VmRSS")
    collect(many, look, {{needs}})
    print(resident("VmHWM") - before)
"""


def test_moments_of_many_wide_features_need_no_memory_for_the_features() -> None:
    count = 40_000
    whole = count * 1024 * 4 / 1024**2
    told = subprocess.check_output([sys.executable, "-c", MOMENTS_OF_MANY.format(count=count)], text=True)
    # A slow machine reports progress between.
    moments, features = (float(line) for line in told.splitlines() if re.fullmatch(r"[\d.]+", line))
    assert moments < whole / 3
    assert features > whole / 2  # so that what is measured is there to be seen


def test_a_whole_file_of_another_question_is_not_believed(
    kept_samples: Samples, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look = costly(raw(kept_samples.first(1)), [])
    collect(kept_samples, look, {"moments"}, str(tmp_path))
    (file,) = (tmp_path / "statistics").iterdir()
    right = file.read_bytes()
    other = of_store(Store(normal(300, 3, 9, mean=5.0)), source("ring"))
    collect(other, look, {"moments"}, str(tmp_path))
    (stranger,) = (path for path in (tmp_path / "statistics").iterdir() if path != file)
    file.write_bytes(stranger.read_bytes())
    found = collect(kept_samples, look, {"moments"}, str(tmp_path))
    assert abs(float(found.moments.mean.mean())) < 0.2
    assert f"{file} is damaged (it answers another question) and made again" in capsys.readouterr().out
    assert file.read_bytes() == right


HOSTILE: dict[str, dict[str, Tensor]] = {
    "another name": {"mean": torch.zeros(3, dtype=torch.float64), "scatter": torch.eye(3, dtype=torch.float64)},
    "one more": {"mean": torch.zeros(3), "covariance": torch.eye(3), "more": torch.zeros(1)},
    "another type": {"mean": torch.zeros(3), "covariance": torch.eye(3)},
    "whole numbers": {"mean": torch.zeros(3, dtype=torch.int64), "covariance": torch.eye(3, dtype=torch.int64)},
    "another shape": {
        "mean": torch.zeros(2, dtype=torch.float64),
        "covariance": torch.eye(2, dtype=torch.float64),
    },
    "not finite": {
        "mean": torch.zeros(3, dtype=torch.float64),
        "covariance": torch.full((3, 3), math.nan, dtype=torch.float64),
    },
    "nothing": {},
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_kept_statistics_of_another_form_are_made_again_though_their_digest_is_right(
    kept_samples: Samples, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    look = costly(raw(kept_samples.first(1)), [])
    expected = collect(kept_samples, look, {"moments"}, str(tmp_path))
    (file,) = (tmp_path / "statistics").iterdir()
    with safe_open(file, "pt") as opened:
        question = opened.metadata()["answer"].split()[0]
    save_file(HOSTILE[kind], file, {"answer": f"{question} {digest(HOSTILE[kind])}"})
    found = collect(kept_samples, look, {"moments"}, str(tmp_path))
    assert torch.equal(found.moments.covariance, expected.moments.covariance)
    assert f"{file} is damaged" in capsys.readouterr().out


@pytest.mark.parametrize("kind", ["pipe", "folder", "sparse"])
def test_what_is_no_file_of_statistics_is_never_read(
    kept_samples: Samples, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]
) -> None:
    look = costly(raw(kept_samples.first(1)), [])
    expected = collect(kept_samples, look, {"moments"}, str(tmp_path))
    (file,) = (tmp_path / "statistics").iterdir()
    file.unlink()
    if kind == "pipe":
        os.mkfifo(file)
    elif kind == "folder":
        file.mkdir()
    else:
        with file.open("wb") as sparse:
            sparse.truncate(1 << 42)
    found = collect(kept_samples, look, {"moments"}, str(tmp_path))
    assert torch.equal(found.moments.mean, expected.moments.mean)
    assert f"{file} is damaged" in capsys.readouterr().out
