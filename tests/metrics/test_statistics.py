import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ganctl.data.store import Store
from ganctl.metrics import Extractor, Samples, halves, of_store, of_tensor
from ganctl.metrics.extractor import Seen
from ganctl.metrics.statistics import MomentSum, collect
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

    def counted(chunk: Tensor) -> Seen:
        calls.append(len(chunk))
        return Seen(look.look(chunk).features, chunk[:, :2])

    found = collect(samples, replace(look, look=counted, classes=2), {"moments", "features", "logits"})
    assert sum(calls) == 600
    assert torch.equal(found.features, samples.first(600))
    assert torch.equal(found.logits, samples.first(600)[:, :2])
    torch.testing.assert_close(found.moments.mean, samples.first(600).double().mean(0))


def test_halves_are_disjoint_and_follow_the_seed() -> None:
    store = Store(torch.arange(101.0)[:, None])
    first, second = halves(store, None, 1000, 0)
    seen = torch.cat([first.first(50), second.first(50)]).flatten().tolist()
    assert (first.count, second.count, len(set(seen))) == (50, 50, 100)
    assert torch.equal(halves(store, None, 1000, 0)[0].first(50), first.first(50))
    assert not torch.equal(halves(store, None, 1000, 1)[0].first(50), first.first(50))
    assert halves(store, None, 20, 0)[1].count == 20


def test_a_draw_from_a_store_brings_its_labels_along() -> None:
    store = Store(torch.arange(100.0)[:, None], torch.arange(100), tuple(map(str, range(100))))
    drawn = of_store(store, None, 30, 0)
    assert drawn.labels is not None
    assert torch.equal(drawn.first(30).flatten().long(), drawn.labels)
    assert of_store(store, None).count == 100


def costly(look: Extractor, calls: list[int]) -> Extractor:
    """An extractor whose statistics are kept, and that counts what it looks at."""

    def counted(chunk: Tensor) -> Seen:
        calls.append(len(chunk))
        return look.look(chunk)

    return replace(look, name="costly", look=counted)


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
    collect(kept_samples, replace(look, identity="other"), {"moments", "features"}, str(tmp_path))
    collect(kept_samples, look, {"moments"}, str(tmp_path))
    assert sum(calls) == 4 * 300
    collect(of_tensor(normal(300, 3, 0)), look, {"moments"}, str(tmp_path))  # generated: drawn anew each time
    assert sum(calls) == 5 * 300


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


def test_moments_of_many_wide_features_need_no_memory_for_the_features() -> None:
    dimension, count = 256, 20_000
    peak: list[int] = []

    def read(start: int, stop: int) -> Tensor:
        return torch.from_numpy(
            np.random.default_rng(start).standard_normal((stop - start, dimension), np.float32)
        )

    samples = Samples(count, (dimension,), read)
    tracemalloc.start()
    try:
        collect(samples, raw(samples.first(1)), {"moments"})
        peak.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert peak[0] < count * dimension * 4 / 8  # NumPy's memory is traced: of all chunks, few are held at once
