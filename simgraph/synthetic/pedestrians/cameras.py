"""The synthetic cameras: light, color cast, place, view and faults of each."""

from dataclasses import dataclass
from typing import Literal

from simgraph.synthetic.pedestrians.scenes import SceneName

__all__ = ["REGDB", "SYSU_MM01", "Camera"]


@dataclass(frozen=True)
class Camera:
    """How a camera sees.

    Args:
        number: tells the cameras' random numbers apart, unique among all cameras.
        light: "visible", "infrared" (active, near) or "thermal" (far).
        scene: the place.
        level: brightness, 1 is neutral.
        cast: what the three colors are multiplied with.
        contrast: around middle gray, 1 is neutral.
        yaw: mean direction people walk in, degrees; 0 is towards the camera, 90 sideways.
        spread: of that direction between people, degrees.
        pitch: degrees the camera looks down.
        tilt: degrees the picture leans.
        scale: body height of 1 in shares of the picture's height.
        blur: radius in shares of the picture's height.
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

# One visible and one thermal camera side by side, out of doors.
REGDB: dict[str, Camera] = {
    "visible": Camera(11, "visible", "street", 1.0, _GRAY, 1.0, 0, 25, 6, 0.0, 0.90, 0.005, 4),
    "thermal": Camera(12, "thermal", "street", 1.0, _GRAY, 1.0, 0, 25, 6, 0.0, 0.90, 0.012, 3),
}
