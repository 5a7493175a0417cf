"""A walking skeleton in three dimensions, and its projection to a camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from simgraph.synthetic.pedestrians.looks import Looks

__all__ = ["Pose", "View", "joints"]

Point = tuple[float, float]


@dataclass(frozen=True)
class Pose:
    """A moment of a walk: `phase`, `stride` (the swing of a leg) and `lean`, all in radians."""

    phase: float
    stride: float
    lean: float


@dataclass(frozen=True)
class View:
    """The direction from which a body is seen, and its position in the picture.

    Args:
        yaw: walking direction in radians; 0 is towards the camera, π away from it, π/2 to the
            right of the picture.
        pitch: downward angle of the camera, in radians.
        roll: rotation of the picture, in radians.
        foot: (x, y) in pixels of the point on the ground between the feet.
        scale: pixels per body height of 1.
    """

    yaw: float
    pitch: float
    roll: float
    foot: Point
    scale: float

    def project(self, point: NDArray[np.float64]) -> tuple[float, float, float]:
        """Project (right, up, forward) of the body to x and y in pixels, and nearness."""
        right, up, forward = point
        x = right * np.cos(self.yaw) + forward * np.sin(self.yaw)
        near = forward * np.cos(self.yaw) - right * np.sin(self.yaw)
        y = near * np.sin(self.pitch) - up * np.cos(self.pitch)
        turned = x * np.cos(self.roll) - y * np.sin(self.roll)
        down = x * np.sin(self.roll) + y * np.cos(self.roll)
        return (
            float(self.foot[0] + self.scale * turned),
            float(self.foot[1] + self.scale * down),
            float(near),
        )

    def flat(self, right: float, up: float, forward: float = 0.0) -> Point:
        """Project to x and y in pixels."""
        x, y, _ = self.project(np.array([right, up, forward]))
        return x, y


def joints(looks: Looks, pose: Pose) -> dict[str, NDArray[np.float64]]:
    """Place the joints of a walking body.

    Args:
        looks: lengths of the body.
        pose: moment of the walk.

    Returns:
        name → (right, up, forward) in body heights, with the ground at 0. Joints of limbs are
        `hip_l`, `knee_l`, `ankle_l`, `toe_l`, `shoulder_l`, `elbow_l`, `wrist_l`, and the same
        with `_r`.
    """
    leg, tall = looks.leg * looks.height, looks.height
    thigh, shin, foot = 0.50 * leg, 0.44 * leg, 0.075
    upper, fore = 0.165 * tall, 0.15 * tall
    neck = leg + (0.845 - looks.leg) * tall
    placed: dict[str, NDArray[np.float64]] = {}
    for side, sign in (("l", -1.0), ("r", 1.0)):
        swing = sign * pose.stride * np.sin(pose.phase)
        # The leg that moves forward is bent.
        bend = 0.12 + 0.9 * pose.stride * max(0.0, sign * np.cos(pose.phase)) * 1.6
        hip = np.array([sign * looks.hips, leg, 0.0])
        knee = hip + thigh * _down(swing, 0.03 * sign)
        ankle = knee + shin * _down(swing - bend, 0.0)
        placed |= {f"hip_{side}": hip, f"knee_{side}": knee, f"ankle_{side}": ankle}
        tip = 0.35 * (swing - bend)
        placed[f"toe_{side}"] = ankle + foot * np.array(
            [0.12 * sign, np.sin(tip) - 0.35, np.cos(tip)]
        )
        shoulder = np.array([sign * looks.shoulders, neck - 0.052, pose.lean * 0.3])
        arm = -0.85 * swing
        elbow = shoulder + upper * _down(arm - 0.05, 0.13 * sign)
        wrist = elbow + fore * _down(arm + 0.25 + 0.5 * max(0.0, arm), 0.05 * sign)
        placed |= {f"shoulder_{side}": shoulder, f"elbow_{side}": elbow, f"wrist_{side}": wrist}
    lowest = min(placed[f"ankle_{s}"][1] for s in "lr") - 0.035
    placed["neck"] = np.array([0.0, neck, pose.lean * 0.3])
    placed["head"] = np.array([0.0, neck + 0.088 * tall**0.5, pose.lean * 0.3 + 0.012])
    placed["pelvis"] = np.array([0.0, leg, 0.0])
    # Shift the body so that the lower foot is on the ground, as bent knees change the height.
    return {name: at - np.array([0.0, lowest, 0.0]) for name, at in placed.items()}


def _down(forward: float, outward: float) -> NDArray[np.float64]:
    """The unit vector down, rotated forward and outward by the given radians."""
    return np.array(
        [np.sin(outward), -np.cos(forward) * np.cos(outward), np.sin(forward) * np.cos(outward)]
    )
