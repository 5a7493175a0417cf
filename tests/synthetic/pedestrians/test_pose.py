"""A walking skeleton: on the ground, as tall as its looks say, and seen from any side."""

import numpy as np
import pytest

from simgraph.synthetic.pedestrians.looks import draw_looks
from simgraph.synthetic.pedestrians.pose import Pose, View, joints

PHASES = np.linspace(0, 2 * np.pi, 9)


def view(**more: float) -> View:
    options = {"yaw": 0.0, "pitch": 0.0, "roll": 0.0, "scale": 100.0} | more
    return View(foot=(50.0, 150.0), **options)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("pid", [1, 2, 3])
def test_the_lower_foot_is_on_the_ground(pid: int, phase: float) -> None:
    placed = joints(draw_looks(0, pid), Pose(phase, 0.45, 0.06))
    assert min(placed[f"ankle_{side}"][1] for side in "lr") == pytest.approx(0.035)
    assert placed["head"][1] > placed["neck"][1] > placed["pelvis"][1] > placed["knee_l"][1]


@pytest.mark.parametrize("phase", PHASES)
def test_bones_keep_their_lengths(phase: float) -> None:
    looks = draw_looks(0, 4)
    placed = joints(looks, Pose(phase, 0.5, 0.05))
    for side in "lr":
        thigh = np.linalg.norm(placed[f"knee_{side}"] - placed[f"hip_{side}"])
        shin = np.linalg.norm(placed[f"ankle_{side}"] - placed[f"knee_{side}"])
        assert thigh == pytest.approx(0.50 * looks.leg * looks.height)
        assert shin == pytest.approx(0.44 * looks.leg * looks.height)


def test_legs_swing_against_each_other_and_arms_against_legs() -> None:
    placed = joints(draw_looks(0, 1), Pose(np.pi / 2, 0.5, 0.0))
    forward = {name: at[2] for name, at in placed.items()}
    assert forward["knee_r"] > 0 > forward["knee_l"]
    assert forward["elbow_r"] < 0 < forward["elbow_l"]


def test_the_ground_between_the_feet_is_at_the_foot_of_the_view() -> None:
    for turned in (view(), view(yaw=1.0), view(pitch=0.3), view(roll=0.2)):
        assert turned.flat(0.0, 0.0) == pytest.approx((50.0, 150.0))


def test_projection() -> None:
    assert view().flat(0.0, 1.0) == pytest.approx((50.0, 50.0))
    assert view().flat(0.2, 0.0) == pytest.approx((70.0, 150.0))
    assert view(yaw=np.pi / 2).flat(0.0, 0.0, 0.2) == pytest.approx((70.0, 150.0))
    assert view(yaw=np.pi).flat(0.2, 0.0) == pytest.approx((30.0, 150.0))
    near = view().project(np.array([0.0, 0.5, 0.1]))[2]
    assert near > view().project(np.array([0.0, 0.5, -0.1]))[2]
