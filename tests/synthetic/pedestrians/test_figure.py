"""A figure: which parts each view and each look shows."""

from dataclasses import replace

import numpy as np
import pytest

from simgraph.synthetic.pedestrians.canvas import Canvas, Part
from simgraph.synthetic.pedestrians.figure import draw_figure
from simgraph.synthetic.pedestrians.looks import Looks, draw_looks
from simgraph.synthetic.pedestrians.pose import Pose, View

POSE = Pose(0.7, 0.4, 0.05)


def looks(cut: str = "shirt", lower: str = "trousers", **more: str) -> Looks:
    drawn = draw_looks(0, 5)
    upper = replace(drawn.upper, cut=cut, pattern=more.pop("pattern", "plain"))
    trousers = replace(drawn.lower, cut=lower, pattern="plain")
    return replace(drawn, upper=upper, lower=trousers, **({"hair": "short", "bag": "none"} | more))


def pixels(look: Looks, yaw: float = 0.0) -> dict[Part, int]:
    """How many pixels each part has, of a figure of 180 pixels."""
    canvas = Canvas(120, 240)
    draw_figure(canvas, look, POSE, View(yaw, 0.1, 0.0, (60.0, 220.0), 180.0))
    counts = np.bincount(np.asarray(canvas.parts()).ravel(), minlength=len(Part))
    return {part: int(counts[part]) for part in Part}


def test_a_figure_fills_its_height_and_leaves_the_rest_empty() -> None:
    canvas = Canvas(120, 240)
    draw_figure(canvas, looks(), POSE, View(0.0, 0.1, 0.0, (60.0, 220.0), 180.0))
    rows = np.flatnonzero(np.asarray(canvas.parts()).any(axis=1))
    assert 25 < rows[0] < 65 and 210 < rows[-1] < 232


@pytest.mark.parametrize("yaw", np.linspace(0, 2 * np.pi, 7))
def test_every_view_shows_garments_hair_and_shoes(yaw: float) -> None:
    found = pixels(looks(), yaw)
    for part in (Part.UPPER, Part.LOWER, Part.HAIR, Part.SHOES, Part.SKIN):
        assert found[part] > 20


def test_a_face_is_seen_from_the_front_only() -> None:
    assert pixels(looks())[Part.FEATURE] > 0 == pixels(looks(), np.pi)[Part.FEATURE]


@pytest.mark.parametrize(("cut", "shown"), [("shirt", False), ("jacket", True), ("coat", True)])
def test_open_jackets_show_the_cloth_below_in_front(cut: str, shown: bool) -> None:
    assert (pixels(looks(cut))[Part.INNER] > 0) == shown
    assert pixels(looks(cut), np.pi)[Part.INNER] == 0


def test_bags_and_patterns_have_their_own_parts() -> None:
    assert pixels(looks())[Part.BAG] == 0
    for bag in ("backpack", "shoulder", "hand"):
        assert pixels(looks(bag=bag))[Part.BAG] > 0
    back, front = (pixels(looks(bag="backpack"), yaw)[Part.BAG] for yaw in (np.pi, 0.0))
    assert back > 3 * front
    assert pixels(looks(pattern="logo"))[Part.UPPER_SECOND] > 0
    assert pixels(looks(pattern="plain"))[Part.UPPER_SECOND] == 0


def test_shorts_and_skirts_show_more_skin_than_trousers() -> None:
    skin = [pixels(looks(lower=cut))[Part.SKIN] for cut in ("trousers", "skirt", "shorts")]
    assert skin[0] < skin[1] and skin[0] < skin[2]


def test_long_hair_shows_more_hair_than_short_and_bald_none() -> None:
    hair = [pixels(looks(hair=kind), np.pi)[Part.HAIR] for kind in ("bald", "short", "long")]
    assert hair[0] == 0 < hair[1] < hair[2]
