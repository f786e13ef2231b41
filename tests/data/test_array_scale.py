"""A store of an array tells how the array was laid out, and what was black and white."""

import numpy as np
import pytest

from tests.data.test_array import PIXELS, POINTS, load, npy, npz


@pytest.mark.parametrize(
    ("array", "ends", "axes", "expected"),
    [
        (PIXELS, None, "NHWC", (0, 255)),
        (PIXELS[..., 0], None, "NHW", (0, 255)),
        (PIXELS.transpose(0, 3, 1, 2), None, "NCHW", (0, 255)),
        (PIXELS, (10, 20), "NHWC", (10, 20)),
        (PIXELS.astype(np.int32), None, "NHWC", (0, 255)),
        (PIXELS / 255, None, "NHWC", (0, 1)),
        (PIXELS / 255 - 0.5, None, "NHWC", (-1, 1)),
        (PIXELS / 2, (-7, 300), "NHWC", (-7, 300)),
        (PIXELS > 99, None, "NHWC", (0, 1)),
        (POINTS, None, "ND", None),
        (POINTS[:, 0], None, "N", None),
    ],
)
def test_a_store_tells_the_axes_of_its_array_and_what_was_black_and_white(tmp_path, array, ends, axes, expected):
    scale = load(npy(tmp_path, array), range=ends).scale
    assert (scale.axes, scale.range) == (axes, expected)
    assert load(npz(tmp_path, x=array), range=ends).scale == scale
