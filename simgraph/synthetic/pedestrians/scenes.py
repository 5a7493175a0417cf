"""The backgrounds of the synthetic cameras."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["SceneName", "scene"]

SceneName = Literal["room", "corridor", "garden", "street"]
Tone = tuple[int, int, int]

# A scene is this many pictures wide: people appear in front of different parts of it.
_WIDTHS = 4


@lru_cache(maxsize=32)
def scene(name: SceneName, infrared: bool, seed: int, size: tuple[int, int]) -> Image.Image:
    """Paint the background of a camera.

    Args:
        name: of the scene.
        infrared: whether to paint it as active infrared shows it: gray, with brighter leaves and
            a darker sky.
        seed: of this camera's scene.
        size: (height, width) of a picture in pixels.

    Returns:
        RGB image, slightly higher and several times wider than a picture.
    """
    height, width = round(1.15 * size[0]), _WIDTHS * size[1]
    rng = np.random.default_rng([seed, 3])
    painter = _Painter(width, height, infrared, rng)
    _PLACES[name](painter)
    return painter.finish()


class _Painter:
    """Paints in units of the scene's height, and converts colors to infrared if requested."""

    def __init__(self, width: int, height: int, infrared: bool, rng: np.random.Generator) -> None:
        self.unit, self.infrared, self.rng = height, infrared, rng
        self.wide = width / height
        self.image = Image.new("RGB", (width, height))
        self._draw = ImageDraw.Draw(self.image)

    def tone(self, color: Tone) -> Tone:
        if not self.infrared:
            return color
        # Green reflects infrared strongly, blue (the sky) hardly.
        red, green, blue = color
        gray = int(np.clip(0.35 * red + 0.75 * green - 0.30 * blue, 6, 235))
        return gray, gray, gray

    def box(self, x: float, y: float, w: float, h: float, color: Tone) -> None:
        corners = [x * self.unit, y * self.unit, (x + w) * self.unit, (y + h) * self.unit]
        self._draw.rectangle(corners, self.tone(color))

    def blob(self, x: float, y: float, rx: float, ry: float, color: Tone) -> None:
        corners = [
            (x - rx) * self.unit, (y - ry) * self.unit, (x + rx) * self.unit, (y + ry) * self.unit
        ]  # fmt: skip
        self._draw.ellipse(corners, self.tone(color))

    def line(self, x0: float, y0: float, x1: float, y1: float, color: Tone, wide: float) -> None:
        ends = [x0 * self.unit, y0 * self.unit, x1 * self.unit, y1 * self.unit]
        self._draw.line(ends, self.tone(color), max(1, round(wide * self.unit)))

    def places(self, step: float) -> list[float]:
        """Positions along the scene, about `step` apart."""
        count = max(1, round(self.wide / step))
        return [float((i + self.rng.uniform(0.1, 0.9)) * step) for i in range(count)]

    def shade(self, color: Tone, spread: int) -> Tone:
        change = int(self.rng.integers(-spread, spread + 1))
        red, green, blue = (int(np.clip(c + change, 0, 255)) for c in color)
        return red, green, blue

    def finish(self) -> Image.Image:
        """Blur the scene and add grain, as real surfaces have no flat tone."""
        soft = np.asarray(self.image.filter(ImageFilter.GaussianBlur(0.006 * self.unit)), float)
        coarse = self.rng.normal(size=(self.image.height // 12, self.image.width // 12))
        cloud = Image.fromarray(coarse.astype(np.float32)).resize(self.image.size, 3)
        grain = 1 + 0.06 * np.asarray(cloud) + 0.02 * self.rng.normal(size=soft.shape[:2])
        return Image.fromarray(np.clip(soft * grain[..., None], 0, 255).astype(np.uint8))


def _room(p: _Painter) -> None:
    p.box(0, 0, p.wide, 0.62, (196, 190, 176))
    p.box(0, 0.60, p.wide, 0.025, (120, 104, 88))
    p.box(0, 0.625, p.wide, 0.4, (150, 122, 92))
    for y in (0.68, 0.76, 0.87):
        p.line(0, y, p.wide, y, (128, 102, 76), 0.004)
    for x in p.places(0.9):
        p.box(x, 0.08, 0.3, 0.26, (226, 226, 220))  # a poster in its frame
        p.box(x + 0.02, 0.10, 0.26, 0.22, p.shade((120, 140, 160), 50))
    for x in p.places(0.75):
        p.box(x, 0.42, 0.34, 0.04, (122, 90, 60))  # a desk
        p.box(x + 0.01, 0.46, 0.03, 0.28, (92, 68, 46))
        p.box(x + 0.30, 0.46, 0.03, 0.28, (92, 68, 46))
        p.box(x + 0.1, 0.31, 0.13, 0.1, (44, 46, 52))
    for x in p.places(1.3):
        p.box(x, 0.2, 0.24, 0.52, p.shade((150, 154, 160), 30))  # a locker
        p.line(x + 0.12, 0.2, x + 0.12, 0.72, (90, 92, 96), 0.006)


def _corridor(p: _Painter) -> None:
    p.box(0, 0, p.wide, 0.58, (214, 214, 206))
    p.box(0, 0.34, p.wide, 0.24, (160, 186, 180))
    p.box(0, 0.57, p.wide, 0.02, (84, 90, 92))
    p.box(0, 0.59, p.wide, 0.5, (170, 170, 168))
    for i in range(14):
        p.line(0.3 * i, 0.59, 0.5 * i - 1.2, 1.05, (138, 138, 138), 0.004)
    for y in (0.64, 0.72, 0.84, 0.98):
        p.line(0, y, p.wide, y, (138, 138, 138), 0.004)
    for x in p.places(0.95):
        p.box(x, 0.06, 0.3, 0.52, p.shade((116, 82, 58), 25))  # a door
        p.box(x + 0.025, 0.085, 0.25, 0.495, p.shade((146, 106, 76), 15))
        p.blob(x + 0.25, 0.34, 0.012, 0.012, (220, 210, 150))
    for x in p.places(1.6):
        p.box(x, 0.12, 0.13, 0.17, (196, 52, 44))  # a notice
        p.box(x + 0.02, 0.14, 0.09, 0.06, (240, 240, 236))


def _garden(p: _Painter) -> None:
    p.box(0, 0, p.wide, 0.25, (176, 204, 228))
    p.box(0, 0.24, p.wide, 0.3, (48, 74, 42))
    for x in p.places(0.09):
        y, r = p.rng.uniform(0.1, 0.4), p.rng.uniform(0.08, 0.17)
        p.blob(x, float(y), float(r), float(0.9 * r), p.shade((70, 110, 56), 32))
    for x in p.places(0.55):
        p.box(x, 0.2, 0.045, 0.42, p.shade((92, 74, 56), 14))  # a trunk
    p.box(0, 0.48, p.wide, 0.13, (58, 92, 44))
    for x in p.places(0.05):
        p.blob(x, 0.49, 0.04, 0.03, p.shade((66, 104, 50), 24))
    p.box(0, 0.60, p.wide, 0.5, (112, 140, 72))
    p.box(0, 0.72, p.wide, 0.22, (190, 180, 158))
    p.line(0, 0.72, p.wide, 0.72, (140, 132, 116), 0.008)
    p.line(0, 0.94, p.wide, 0.94, (140, 132, 116), 0.008)


def _street(p: _Painter) -> None:
    p.box(0, 0, p.wide, 0.58, (168, 112, 88))
    for row in range(24):
        p.line(0, 0.024 * row, p.wide, 0.024 * row, (148, 98, 78), 0.003)
    for x in p.places(0.62):
        p.box(x, 0.05, 0.26, 0.34, (226, 222, 212))  # a window
        p.box(x + 0.02, 0.07, 0.22, 0.30, p.shade((74, 92, 112), 18))
        p.line(x + 0.13, 0.07, x + 0.13, 0.37, (226, 222, 212), 0.012)
    p.box(0, 0.57, p.wide, 0.035, (112, 108, 104))
    p.box(0, 0.60, p.wide, 0.5, (156, 154, 150))
    for i in range(18):
        p.line(0.24 * i, 0.60, 0.36 * i - 1.0, 1.05, (134, 132, 128), 0.005)
    for y in (0.66, 0.75, 0.88):
        p.line(0, y, p.wide, y, (134, 132, 128), 0.005)
    for x in p.places(1.4):
        p.box(x, 0.1, 0.03, 0.62, (64, 66, 70))  # a lamp post
    for x in p.places(1.7):
        p.box(x, 0.5, 0.14, 0.2, p.shade((52, 84, 62), 12))  # a bin


_PLACES: dict[SceneName, Callable[[_Painter], None]] = {
    "room": _room,
    "corridor": _corridor,
    "garden": _garden,
    "street": _street,
}
