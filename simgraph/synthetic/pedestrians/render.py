"""Rendering of one picture from an identity's looks, a camera and an image number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from simgraph.synthetic.pedestrians.cameras import Camera
from simgraph.synthetic.pedestrians.canvas import Canvas, Part
from simgraph.synthetic.pedestrians.figure import draw_figure
from simgraph.synthetic.pedestrians.looks import Garment, Looks, draw_looks
from simgraph.synthetic.pedestrians.pose import Pose, View
from simgraph.synthetic.pedestrians.scenes import scene

__all__ = ["render"]

_Pixels = NDArray[np.float32]

_FINE = 3  # the figure is drawn this many times larger, then reduced, for smooth edges
_STRANGER = 1_000_000  # identities above this number are passers-by
_EYES, _EYES_INFRARED = (0.15, 0.10, 0.10), 0.25


def render(
    seed: int,
    pid: int,
    camera: Camera,
    number: int,
    size: tuple[int, int],
    clear: bool = False,
) -> Image.Image:
    """Draw one image of a synthetic identity.

    Args:
        seed: of the whole set.
        pid: identity, in [1, 1000000).
        camera: that takes the image.
        number: of the image, per identity and camera.
        size: (height, width) in pixels.
        clear: identities that are easier to tell apart, see `draw_looks`.

    Returns:
        RGB image; infrared and thermal images have three equal channels. It depends on the
        arguments only, not on earlier calls.
    """
    track = np.random.default_rng([seed, pid, 10, camera.number % 10])
    rng = np.random.default_rng([seed, pid, 20, camera.number, number])
    picture = _background(seed, camera, track, rng, size)
    if rng.random() < 0.12:
        _add_stranger(picture, seed, camera, rng, size)
    view = _view(camera, track, rng, size)
    if camera.light != "thermal":
        _add_shadow(picture, view)
    looks = draw_looks(seed, pid, clear)
    figure, cover = _figure(looks, _pose(rng), view, camera, rng, size)
    picture.paste(figure, mask=cover)
    if rng.random() < 0.10:
        _add_occluder(picture, camera, rng)
    return _expose(picture, camera, rng)


def _background(
    seed: int,
    camera: Camera,
    track: np.random.Generator,
    rng: np.random.Generator,
    size: tuple[int, int],
) -> Image.Image:
    """Crop the scene; the crops of one identity and camera are near each other."""
    place = scene(camera.scene, camera.light != "visible", seed * 100 + camera.number, size)
    free = place.width - size[1], place.height - size[0]
    x = round(float(np.clip(track.uniform() + 0.04 * rng.normal(), 0, 1)) * free[0])
    y = round(float(np.clip(0.5 + 0.2 * rng.normal(), 0, 1)) * free[1])
    cut = place.crop((x, y, x + size[1], y + size[0]))
    if camera.light == "thermal":  # objects have nearly the temperature of the air
        return cut.point([round(38 + 0.22 * v) for v in range(256)] * 3)
    if camera.light == "infrared":  # the lamp lights the person more than the background
        return cut.point([round(0.7 * v) for v in range(256)] * 3)
    return cut


def _pose(rng: np.random.Generator) -> Pose:
    return Pose(
        phase=float(rng.uniform(0, 2 * np.pi)),
        stride=float(rng.uniform(0.30, 0.52) if rng.random() < 0.85 else rng.uniform(0.02, 0.1)),
        lean=float(rng.normal(0.06, 0.04)),
    )


def _view(
    camera: Camera, track: np.random.Generator, rng: np.random.Generator, size: tuple[int, int]
) -> View:
    """Draw a view: each identity has its own direction per camera, and images vary around it."""
    mirrored = -1.0 if track.random() < 0.5 else 1.0
    yaw = mirrored * camera.yaw + camera.spread * track.uniform(-1, 1) + 8 * rng.normal()
    nearness = track.uniform(0.97, 1.03) * (1 + 0.025 * rng.normal())
    foot = (0.5 + 0.03 * rng.normal(), 0.955 + 0.010 * rng.normal())
    return View(
        yaw=float(np.radians(yaw)),
        pitch=float(np.radians(camera.pitch + rng.normal())),
        roll=float(np.radians(camera.tilt + 1.2 * rng.normal())),
        foot=(float(foot[0] * size[1]), float(foot[1] * size[0])),
        scale=float(camera.scale * nearness * size[0]),
    )


def _figure(
    looks: Looks,
    pose: Pose,
    view: View,
    camera: Camera,
    rng: np.random.Generator,
    size: tuple[int, int],
) -> tuple[Image.Image, Image.Image]:
    """Draw a figure, as an image and the coverage of each pixel."""
    height, width = size
    fine = View(
        view.yaw, view.pitch, view.roll, (_FINE * view.foot[0], _FINE * view.foot[1]),
        _FINE * view.scale,
    )  # fmt: skip
    canvas = Canvas(_FINE * width, _FINE * height)
    draw_figure(canvas, looks, pose, fine)
    parts = np.array(canvas.parts())
    _weave(parts, looks.upper, Part.UPPER, Part.UPPER_SECOND, fine)
    _weave(parts, looks.lower, Part.LOWER, Part.LOWER_SECOND, fine)
    light = _lit(canvas.light(0.012 * fine.scale), camera, rng, fine)
    table = _palette(looks) if camera.light == "visible" else _reflectances(looks, camera)
    pixels = np.take(table, parts, axis=0) * light.reshape(*light.shape, *[1] * (table.ndim - 1))
    drawn = Image.fromarray((255 * np.clip(pixels, 0, 1)).astype(np.uint8))
    cover = Image.fromarray(np.where(parts > 0, 255, 0).astype(np.uint8))
    return _reduce(drawn, cover)


def _reduce(drawn: Image.Image, cover: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Average to the picture's size; pixels at the edge take the color of the covered part."""
    small, alpha = drawn.reduce(_FINE).convert("RGB"), cover.reduce(_FINE)
    share = np.maximum(np.asarray(alpha, np.float32)[..., None], 1) / 255
    whole = np.clip(np.asarray(small, np.float32) / share, 0, 255).astype(np.uint8)
    return Image.fromarray(whole), alpha


def _weave(
    parts: NDArray[np.uint8], garment: Garment, first: Part, second: Part, view: View
) -> None:
    """Add stripes or checks to a garment, scaled with the body."""
    if garment.pattern not in ("stripes", "checks"):
        return
    rows, columns = np.ogrid[: parts.shape[0], : parts.shape[1]]
    down = (view.foot[1] - rows) / (view.scale * garment.period) % 1 < 0.5
    if garment.pattern == "checks":
        down = down ^ ((columns - view.foot[0]) / (view.scale * garment.period) % 1 < 0.5)
    parts[(parts == first) & down] = second


def _lit(drawn: Image.Image, camera: Camera, rng: np.random.Generator, view: View) -> _Pixels:
    """Add folds, and light from the side (visible) or from the camera (infrared)."""
    light = np.asarray(drawn, np.float32) / 200
    folds = rng.normal(size=(18, 9)).astype(np.float32)
    shape = light.shape[::-1]
    creased = np.asarray(Image.fromarray(folds).resize(shape, Image.Resampling.BICUBIC))
    if camera.light == "thermal":
        return np.asarray((0.75 + 0.25 * light) * (1 + 0.05 * creased), np.float32)
    if camera.light == "infrared":
        return np.asarray(light**1.2 * (1 + 0.06 * creased), np.float32)
    across = (np.arange(shape[0], dtype=np.float32) - view.foot[0]) / view.scale
    lamp = 1 + rng.uniform(-0.8, 0.8) * across
    return np.asarray((0.2 + 0.8 * light) * (1 + 0.07 * creased) * lamp, np.float32)


def _palette(looks: Looks) -> _Pixels:
    """Colors by part, [parts, 3]."""
    table: dict[Part, Any] = {part: fabric.color for part, fabric in _fabrics(looks).items()}
    table[Part.FEATURE] = _EYES
    return np.array([table.get(part, (0, 0, 0)) for part in Part], np.float32)


def _reflectances(looks: Looks, camera: Camera) -> _Pixels:
    """Gray level by part, [parts]: the brightness in infrared light, or the temperature."""
    table = {part: fabric.infrared for part, fabric in _fabrics(looks).items()}
    table[Part.FEATURE] = _EYES_INFRARED
    if camera.light == "thermal":  # each cloth lets its own share of the warmth through
        table = {part: 0.32 + 0.5 * value for part, value in table.items()}
        table |= {Part.SKIN: 0.95, Part.FEATURE: 0.85}
    return np.array([table.get(part, 0) for part in Part], np.float32)


def _fabrics(looks: Looks) -> dict[Part, Any]:
    return {
        Part.SKIN: looks.skin,
        Part.HAIR: looks.hair_fabric,
        Part.UPPER: looks.upper.fabric,
        Part.UPPER_SECOND: looks.upper.second,
        Part.LOWER: looks.lower.fabric,
        Part.LOWER_SECOND: looks.lower.second,
        Part.INNER: looks.inner,
        Part.SHOES: looks.shoes,
        Part.BAG: looks.bag_fabric,
    }


def _add_stranger(
    picture: Image.Image,
    seed: int,
    camera: Camera,
    rng: np.random.Generator,
    size: tuple[int, int],
) -> None:
    """Add a passer-by who is further away, at the side of the picture."""
    looks = draw_looks(seed, _STRANGER + int(rng.integers(_STRANGER)))
    side = -0.02 if rng.random() < 0.5 else 1.02
    view = View(
        yaw=float(rng.uniform(0, 2 * np.pi)),
        pitch=float(np.radians(camera.pitch)),
        roll=0.0,
        foot=(side * size[1], float(rng.uniform(0.74, 0.84)) * size[0]),
        scale=float(rng.uniform(0.5, 0.65)) * camera.scale * size[0],
    )
    figure, cover = _figure(looks, _pose(rng), view, camera, rng, size)
    picture.paste(figure, mask=cover)


def _add_shadow(picture: Image.Image, view: View) -> None:
    shade = Image.new("L", picture.size, 0)
    (x, y), reach = view.foot, 0.15 * view.scale
    box = (x - reach, y - 0.035 * view.scale, x + reach, y + 0.03 * view.scale)
    ImageDraw.Draw(shade).ellipse(box, 110)
    shade = shade.filter(ImageFilter.GaussianBlur(0.02 * view.scale))
    picture.paste((10, 10, 12), mask=shade)


def _add_occluder(picture: Image.Image, camera: Camera, rng: np.random.Generator) -> None:
    """Add a post or a low box in front of the person."""
    width, height = picture.size
    visible = camera.light == "visible"
    tone = rng.integers(50, 150) + (rng.normal(scale=14, size=3) if visible else np.zeros(3))
    color, edge = (tuple(int(v) for v in np.clip(tone + more, 0, 255)) for more in (0, 35))
    draw = ImageDraw.Draw(picture)
    if rng.random() < 0.5:
        x = float(rng.uniform(0.1, 0.9)) * width
        draw.rectangle((x, 0, x + 0.07 * width, height), color)
        draw.line((x, 0, x, height), edge, 2)
    else:
        x, top = float(rng.uniform(-0.2, 0.7)) * width, float(rng.uniform(0.68, 0.82)) * height
        draw.rectangle((x, top, x + 0.5 * width, height), color)
        draw.line((x, top, x + 0.5 * width, top), edge, 3)


def _expose(picture: Image.Image, camera: Camera, rng: np.random.Generator) -> Image.Image:
    """Apply the effects of lens and sensor: blur, level, cast, contrast, vignette, noise."""
    height, width = picture.height, picture.width
    radius = camera.blur * height * float(rng.uniform(0.7, 1.4))
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(radius)), np.float32)
    level = camera.level * (1 + 0.05 * rng.normal())
    if camera.light == "visible":
        pixels = pixels * np.float32(level) * np.array(camera.cast, np.float32)
        noise = rng.normal(scale=camera.noise, size=pixels.shape)
    else:
        pixels = pixels[..., :1] * np.float32(level)
        noise = rng.normal(scale=camera.noise, size=pixels.shape)
    if camera.light == "infrared":
        rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        away = 0.7 * rows**2 + 0.5 * columns**2
        pixels = pixels * (1.12 - 0.45 * away[..., None]).astype(np.float32) + 8
    pixels = np.float32(camera.contrast) * (pixels - 112) + 112 + noise.astype(np.float32)
    exposed = np.clip(pixels, 0, 255).astype(np.uint8)
    return Image.fromarray(np.broadcast_to(exposed, (height, width, 3)).copy())
