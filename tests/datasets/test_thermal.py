"""Gray images of more than eight bits: the rule against an oracle, and its degenerate cases."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from simgraph.datasets.thermal import Depth, check_range, is_deep, measure, scale


def _oracle(value: float, low: float, high: float) -> int:
    return round(255 * min(max((value - low) / (high - low), 0), 1))


@pytest.mark.parametrize("dtype", ["<u2", ">u2", "<i4", "<f4"])
@pytest.mark.parametrize("thermal_range", ["image", (100, 4000), (-50.5, 70000)])
def test_scaling_follows_the_equation(dtype: str, thermal_range: object) -> None:
    raw = np.random.default_rng(0).integers(90, 5000, size=(7, 5)).astype(dtype)
    image = Image.fromarray(raw)
    assert is_deep(image)
    low, high = (raw.min(), raw.max()) if thermal_range == "image" else thermal_range
    scaled = np.asarray(scale(image, thermal_range))  # type: ignore[arg-type]
    assert scaled.ravel().tolist() == [_oracle(float(v), float(low), float(high)) for v in raw.flat]


def test_a_constant_image_is_black_and_has_one_level() -> None:
    image = Image.fromarray(np.full((3, 3), 7200, dtype=np.uint16))
    assert not np.asarray(scale(image)).any()
    assert measure(image) == Depth(7200, 7200, 1, 1)


def test_one_hot_pixel_costs_levels_that_are_counted() -> None:
    raw = np.arange(7200, 7300, dtype=np.uint16).reshape(10, 10)
    raw[0, 0] = 65535
    assert measure(Image.fromarray(raw)).after == 2
    assert measure(Image.fromarray(raw), (7200, 7300)).after == 100


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    image = Image.fromarray(np.array([[1, value]], dtype=np.float32))
    with pytest.raises(ValueError, match="expected finite values"):
        scale(image)


@pytest.mark.parametrize("mode", ["L", "RGB", "P", "1", "LA"])
def test_images_of_eight_bits_are_not_deep(mode: str) -> None:
    assert not is_deep(Image.new(mode, (2, 2)))


def test_ranges_are_checked() -> None:
    for good in ("image", (0, 1), [0.5, 2]):
        check_range(good)  # type: ignore[arg-type]
    for bad in ("set", (1, 0), (0, np.inf), ("0", "1"), ()):
        with pytest.raises(ValueError, match="thermal_range"):
            check_range(bad)  # type: ignore[arg-type]
