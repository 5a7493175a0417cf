"""Gray images of more than eight bits, as thermal cameras write them: scaled to eight by a rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from simgraph._params import is_ascending_pair

__all__ = ["FEWEST_LEVELS", "Depth", "ThermalRange", "check_range", "is_deep", "measure", "scale"]

ThermalRange: TypeAlias = Literal["image"] | tuple[float, float]
"""`"image"`: the least and the greatest value of each image; or two raw values for all images."""

FEWEST_LEVELS = 32
"""An image that keeps fewer of the 256 gray levels than this is worth a warning."""


@dataclass(frozen=True)
class Depth:
    """What scaling to eight bits does to one image.

    Attributes:
        low: least raw value of the image.
        high: greatest raw value.
        before: number of distinct raw values.
        after: number of distinct values of the 256 that remain.
    """

    low: float
    high: float
    before: int
    after: int


def check_range(thermal_range: ThermalRange | Sequence[float]) -> None:
    """Raise ValueError unless the range is "image" or two finite values in ascending order."""
    if thermal_range != "image" and not is_ascending_pair(thermal_range):
        raise ValueError(
            "thermal_range: expected 'image', or two raw values [low, high] with low < high, "
            f"got {thermal_range!r}"
        )


def is_deep(image: Image.Image) -> bool:
    """Whether an image is gray with integers of more than eight bits, or with floats."""
    return image.mode == "F" or image.mode.startswith("I")


def scale(image: Image.Image, thermal_range: ThermalRange = "image") -> Image.Image:
    r"""Scale a deep image to eight bits.

    $$v' = \mathrm{round}\left(255 \cdot \frac{v - \mathrm{low}}{\mathrm{high} - \mathrm{low}}
    \right)$$

    Values outside the range take its nearest end. A constant image becomes 0 with "image".

    Args:
        image: of a mode that `is_deep`.
        thermal_range: the rule for low and high.

    Returns:
        the image in mode L.

    Raises:
        ValueError: for NaN or infinite values.
    """
    return Image.fromarray(_scale(_raw(image), thermal_range))


def measure(image: Image.Image, thermal_range: ThermalRange = "image") -> Depth:
    """Count the levels of a deep image before and after `scale`; arguments as there."""
    raw = _raw(image)
    scaled = _scale(raw, thermal_range)
    distinct = np.unique(raw), np.unique(scaled)
    return Depth(float(raw.min()), float(raw.max()), len(distinct[0]), len(distinct[1]))


def _raw(image: Image.Image) -> NDArray[Any]:
    raw = np.asarray(image)
    if not np.isfinite(raw).all():
        raise ValueError("expected finite values, got NaN or infinity")
    return raw


def _scale(raw: NDArray[Any], thermal_range: ThermalRange) -> NDArray[np.uint8]:
    low, high = (raw.min(), raw.max()) if thermal_range == "image" else thermal_range
    low, high = float(low), float(high)
    if low == high:
        return np.zeros(raw.shape, dtype=np.uint8)
    shares = np.clip((raw.astype(np.float64) - low) / (high - low), 0, 1)
    return np.rint(255 * shares).astype(np.uint8)
