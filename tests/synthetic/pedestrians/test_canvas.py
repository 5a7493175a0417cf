"""Parts and their light are drawn at the same pixels, the later over the earlier."""

import numpy as np

from simgraph.synthetic.pedestrians.canvas import Canvas, Part


def drawn(canvas: Canvas) -> tuple[np.ndarray, np.ndarray]:
    return np.asarray(canvas.parts()), np.asarray(canvas.light(0))


def test_an_empty_canvas_shows_nothing_in_one_light() -> None:
    parts, light = drawn(Canvas(6, 9))
    assert parts.shape == light.shape == (9, 6)
    assert set(parts.ravel()) == {Part.NOTHING} and len(set(light.ravel())) == 1


def test_later_shapes_cover_earlier_ones() -> None:
    canvas = Canvas(20, 20)
    canvas.polygon(Part.UPPER, [(2, 2), (17, 2), (17, 17), (2, 17)], light=200)
    canvas.ellipse(Part.BAG, (10, 10), 4, 3, light=90)
    parts, light = drawn(canvas)
    assert (parts[10, 10], parts[3, 3], parts[0, 0]) == (Part.BAG, Part.UPPER, Part.NOTHING)
    assert (light[10, 10], light[3, 3]) == (90, 200)
    assert ((parts == Part.BAG) == (light == 90)).all()


def test_a_limb_tapers_and_is_lighter_along_its_middle() -> None:
    canvas = Canvas(40, 60)
    canvas.limb(Part.SKIN, (20, 12), (20, 48), 10, 4, light=180)
    parts, light = drawn(canvas)
    widths = (parts == Part.SKIN).sum(axis=1)
    assert widths[14] > widths[30] > widths[46] > 0
    assert light[30, 20] == 200 and light[30, 20 + widths[30] // 2 - 1] == 135


def test_light_is_softened_by_a_radius() -> None:
    canvas = Canvas(20, 20)
    canvas.polygon(Part.UPPER, [(10, 0), (19, 0), (19, 19), (10, 19)], light=200)
    soft = np.asarray(canvas.light(2)).astype(int)
    assert len(set(np.asarray(canvas.light(0))[10])) == 2 < len(set(soft[10]))
    assert (np.diff(soft[10]) >= 0).all()
