"""Two images drawn together: the body part of each pixel, and its amount of light."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import IntEnum

from PIL import Image, ImageDraw, ImageFilter

from simgraph.synthetic.pedestrians.pose import Point

__all__ = ["Canvas", "Part"]


class Part(IntEnum):
    """The body part or garment of a pixel."""

    NOTHING = 0
    SKIN = 1
    HAIR = 2
    UPPER = 3
    UPPER_SECOND = 4
    LOWER = 5
    LOWER_SECOND = 6
    INNER = 7
    SHOES = 8
    BAG = 9
    FEATURE = 10  # eyes and mouth


class Canvas:
    """Draws parts and their light together; later shapes cover earlier ones.

    Args:
        width: in pixels.
        height: in pixels.
    """

    def __init__(self, width: int, height: int) -> None:
        self._parts = Image.new("L", (width, height), int(Part.NOTHING))
        self._light = Image.new("L", (width, height), 120)
        self._on_parts = ImageDraw.Draw(self._parts)
        self._on_light = ImageDraw.Draw(self._light)

    def parts(self) -> Image.Image:
        """The number of the part of each pixel."""
        return self._parts

    def light(self, softness: float) -> Image.Image:
        """The light on each pixel, 200 for full light, blurred by a radius in pixels."""
        return self._light.filter(ImageFilter.BoxBlur(softness))

    def polygon(self, part: Part, points: Sequence[Point], light: int = 190) -> None:
        """Fill a polygon."""
        self._on_parts.polygon(points, int(part))
        self._on_light.polygon(points, light)

    def ellipse(self, part: Part, center: Point, rx: float, ry: float, light: int = 190) -> None:
        """Fill an upright ellipse."""
        box = (center[0] - rx, center[1] - ry, center[0] + rx, center[1] + ry)
        self._on_parts.ellipse(box, int(part))
        self._on_light.ellipse(box, light)

    def limb(self, part: Part, start: Point, end: Point, r0: float, r1: float, light: int) -> None:
        """Fill a limb that tapers from radius r0 to r1 and is lighter along its middle."""
        self._on_parts.polygon(_outline(start, end, r0, r1), int(part))
        self._on_light.polygon(_outline(start, end, r0, r1), max(0, light - 45))
        for (x, y), r in ((start, r0), (end, r1)):
            self._on_parts.ellipse((x - r, y - r, x + r, y + r), int(part))
        self._on_light.polygon(_outline(start, end, 0.5 * r0, 0.5 * r1), min(255, light + 20))


def _outline(start: Point, end: Point, r0: float, r1: float) -> list[Point]:
    (x0, y0), (x1, y1) = start, end
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    ax, ay = (y0 - y1) / length, (x1 - x0) / length  # across the limb
    return [
        (x0 + ax * r0, y0 + ay * r0),
        (x1 + ax * r1, y1 + ay * r1),
        (x1 - ax * r1, y1 - ay * r1),
        (x0 - ax * r0, y0 - ay * r0),
    ]
