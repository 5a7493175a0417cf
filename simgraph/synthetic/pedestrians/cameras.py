"""The synthetic cameras: light, color cast, scene, view and image errors of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from simgraph.synthetic.pedestrians.scenes import SceneName

__all__ = ["REGDB", "SYSU_MM01", "Camera"]


@dataclass(frozen=True)
class Camera:
    """The properties of a camera.

    Args:
        number: part of the camera's random seeds, unique among all cameras.
        light: "visible", "infrared" (active, near) or "thermal" (far).
        scene: the background.
        level: brightness, 1 is neutral.
        cast: factors of the three colors.
        contrast: around middle gray, 1 is neutral.
        yaw: mean walking direction, in degrees; 0 is towards the camera, 90 sideways.
        spread: of the walking direction between people, in degrees.
        pitch: downward angle of the camera, in degrees.
        tilt: rotation of the picture, in degrees.
        scale: a body height of 1, relative to the picture's height.
        blur: radius, relative to the picture's height.
        noise: of the sensor, standard deviation in gray levels.
    """

    number: int
    light: Literal["visible", "infrared", "thermal"]
    scene: SceneName
    level: float
    cast: tuple[float, float, float]
    contrast: float
    yaw: float
    spread: float
    pitch: float
    tilt: float
    scale: float
    blur: float
    noise: float


_GRAY = (1.0, 1.0, 1.0)

# Cameras 1 to 3 are indoors, 4 to 6 outdoors; 3 and 6 are infrared, as in the real set.
SYSU_MM01: dict[int, Camera] = {
    c.number: c
    for c in (
        Camera(1, "visible", "room", 1.02, (1.06, 1.0, 0.88), 1.0, 0, 22, 9, 0.0, 0.90, 0.004, 3),
        Camera(2, "visible", "corridor", 0.86, (0.94, 1.02, 1.0), 0.9, 180, 24, 12, -1.5, 0.86,
               0.006, 4),
        Camera(3, "infrared", "room", 1.0, _GRAY, 1.05, 15, 30, 9, 0.5, 0.89, 0.006, 7),
        Camera(4, "visible", "garden", 1.12, (0.98, 1.02, 0.98), 1.12, 75, 22, 6, 1.0, 0.91, 0.003,
               2),
        Camera(5, "visible", "street", 0.98, (0.95, 0.98, 1.08), 1.05, -35, 28, 7, 0.0, 0.88, 0.005,
               3),
        Camera(6, "infrared", "garden", 1.02, _GRAY, 1.0, 150, 35, 8, -1.0, 0.88, 0.007, 8),
    )
}  # fmt: skip

# One visible and one thermal camera side by side, outdoors.
REGDB: dict[str, Camera] = {
    "visible": Camera(11, "visible", "street", 1.0, _GRAY, 1.0, 0, 25, 6, 0.0, 0.90, 0.005, 4),
    "thermal": Camera(12, "thermal", "street", 1.0, _GRAY, 1.0, 0, 25, 6, 0.0, 0.90, 0.012, 3),
}
