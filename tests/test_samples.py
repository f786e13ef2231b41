"""Images, points and sequences on their way into a step and back."""

import pytest
import torch
from pydantic import ValidationError

from ganctl.errors import ConfigError
from ganctl.samples import IMAGES, POINTS, SEQUENCES, SampleSpace, Scale


def test_values_become_bytes_by_rounding_and_are_cut_off_at_the_ends():
    values = torch.tensor([-1.5, -1.0, -0.999, -0.995, 0.0, 0.5, 0.999, 1.0, 7.0, -torch.inf, torch.inf])
    result = IMAGES.store(values.reshape(1, 1, 1, -1), (-1, 1))
    assert result.dtype == torch.uint8
    assert result.flatten().tolist() == [0, 0, 0, 1, 128, 191, 255, 255, 255, 0, 255]
    assert IMAGES.store(torch.tensor([0.0, 0.25, 1.0]).reshape(1, 1, 1, 3), (0, 1)).flatten().tolist() == [
        0,
        64,
        255,
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16])
@pytest.mark.parametrize("value_range", [(-1, 1), (0, 1)])
def test_every_byte_survives_the_way_through_the_models_range(dtype, value_range):
    low, high = value_range
    values = torch.arange(256, dtype=torch.float64) * (high - low) / 255 + low
    result = IMAGES.store(values.to(dtype).reshape(1, 1, 16, 16), value_range)
    assert result.flatten().tolist() == list(range(256))


def test_bytes_lie_as_height_width_channels():
    samples = torch.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5) / 255
    result = IMAGES.store(samples.requires_grad_().contiguous(memory_format=torch.channels_last), (0, 1))
    assert result.shape == (2, 4, 5, 3)
    assert result[1, 2, 3, 0] == 60 + 2 * 5 + 3
    assert result[0, 3, 4, 2] == 40 + 3 * 5 + 4


def test_points_pass_both_ways_unscaled():
    rows = torch.tensor([[-300.0, 0.25], [7.0, 1e6]])
    assert torch.equal(POINTS.normalise(rows, (0.0, 1.0), torch.float64), rows.double())
    assert torch.equal(POINTS.store(rows.double().requires_grad_(), (0.0, 1.0)), rows)
    assert torch.equal(POINTS.numbers(rows), rows)


def test_a_space_follows_from_rows_or_from_a_shape():
    rows = torch.zeros(5, 8, 6, 3, dtype=torch.uint8)
    assert SampleSpace.of_rows(rows, ("cat",)) == SampleSpace(IMAGES, (3, 8, 6), classes=("cat",))
    assert SampleSpace.of_shape((3, 8, 6), (0.0, 1.0)) == SampleSpace(IMAGES, (3, 8, 6), (0.0, 1.0))
    assert SampleSpace.of_shape((2,)).kind is POINTS
    with pytest.raises(ConfigError, match=r"no sample has the shape \[3, 8, 8, 8\]"):
        SampleSpace.of_shape((3, 8, 8, 8))


def test_what_needs_images_refuses_points():
    SampleSpace.of_shape((1, 8, 8)).require_images("model: it makes images", "take another")
    with pytest.raises(ConfigError, match=r"makes images, but the data is points of 1 dimension; take an"):
        SampleSpace.of_shape((1,)).require_images("model: it makes images", "take another")


@pytest.mark.parametrize(
    ("axes", "shape"),
    [("NCHW", (2, 3, 4, 5)), ("NHWC", (2, 4, 5, 3)), ("NHW", (2, 4, 5)), ("N", (2, 4, 5)), ("ND", (2, 3, 4, 5))],
)
def test_a_scale_gives_images_axes_and_range_in_their_own_type(axes, shape):
    samples = torch.linspace(-1.5, 1.5, 120, dtype=torch.float64).reshape(2, 3, 4, 5).requires_grad_()
    found = Scale(axes=axes, range=(10.0, 30.0)).restore(samples, (-1, 1))
    assert (tuple(found.shape), found.dtype, found.requires_grad) == (shape, torch.float64, False)
    expected = (samples.detach().clamp(-1, 1) + 1) * 10 + 10
    expected = expected[:, 0] if len(shape) == 3 else expected
    assert torch.allclose(found, expected.permute(0, 2, 3, 1) if axes == "NHWC" else expected, rtol=1e-15)


@pytest.mark.parametrize("axes", ["N", "ND", "NHW", "NHWC", "NCHW"])
def test_a_scale_from_a_strangers_file_that_does_not_fit_breaks_nothing(axes):
    points = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    found = Scale(axes=axes).restore(points, (-1, 1))
    assert torch.equal(found, points[:, 0] if axes in ("N", "NHW") else points)


@pytest.mark.parametrize("wrong", [{"axes": "NWH"}, {"range": (0.0, float("nan"))}, {"more": 1}, {"range": "01"}])
def test_a_scale_is_checked_as_the_rest_of_a_header(wrong):
    with pytest.raises(ValidationError):
        Scale(**{"axes": "NHW", "range": (0.0, 1.0)} | wrong)


def test_sequences_pass_both_ways_unscaled_channels_first_in_a_step():
    rows = torch.randn(4, 6, 2) * 300
    samples = SEQUENCES.normalise(rows, (0.0, 1.0), torch.float64)
    assert samples.is_contiguous()
    assert torch.equal(samples, rows.double().transpose(1, 2))
    assert torch.equal(SEQUENCES.store(samples.requires_grad_(), (0.0, 1.0)), rows)
    assert torch.equal(SEQUENCES.numbers(rows), rows.flatten(1))
    assert torch.equal(Scale(axes="NTC").restore(samples, (-1, 1)).float(), rows)
    assert torch.equal(Scale(axes="NT").restore(samples[:, :1], (-1, 1)).float(), rows[..., 0])


def test_sequences_are_told_by_their_axes_and_refused_where_others_are_needed():
    space = SampleSpace.of_rows(torch.zeros(5, 8, 2))
    assert space == SampleSpace.of_shape((2, 8)) == SampleSpace(SEQUENCES, (2, 8))
    assert space.describe() == "sequences of 8 values in 2 channels"
    assert SampleSpace.of_rows(torch.zeros(5, 2)).kind is POINTS
    space.require_sequences("model: it", "take another")
    with pytest.raises(
        ConfigError, match="makes images, but the data is sequences of 8 values in 2 channels; take"
    ):
        space.require_images("model: it makes images", "take another")
