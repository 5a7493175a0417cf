"""Curves: what is drawn where, on which scale."""

import numpy as np
import pytest

from simgraph.studies.curves import Panel, _places, curves


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        ([1, 3, 5, 9], [1, 3, 5, 9]),
        ([0.5, 0, 1], [0, 0.5, 1]),
        ([1, 10, 100], [0, 1, 2]),
        ([0, 0.01, 0.1, 1], [-3, -2, -1, 0]),
        ([1, 2, 1000], [0, 1, 2]),
        ([20, 5, "auto"], [0, 1, 2]),
        ([True, False], [0, 1]),
        ([7], [0]),
        ([-5, -4, 100], [0, 1, 2]),
        ([0], [0]),
    ],
)
def test_values_are_to_scale_where_that_keeps_them_apart(values, wanted):
    places = _places(values)
    assert sorted(places, key=lambda v: (isinstance(v, str), v)) == list(places)
    np.testing.assert_allclose(list(places.values()), wanted, atol=1e-12)


def test_panels_of_one_metric_share_a_scale_on_which_small_differences_look_small():
    high, low = ({"sim": {1: (top, 0.0), 2: (top + 1, 0.0)}} for top in (80.0, 40.0))
    rows = [[Panel("k", "mAP (%)", high), Panel("K", "mAP (%)", low)]]
    left, right = curves(rows, "title").axes
    assert left.get_ylim() == right.get_ylim()
    assert left.get_ylim()[0] < 40 and left.get_ylim()[1] > 81
    (alone,) = curves([rows[0][:1]], "title").axes
    assert np.ptp(alone.get_ylim()) == pytest.approx(10)
    poor = Panel("k", "mAP (%)", {"sim": {1: (1.0, 0.0), 2: (2.0, 0.0)}})
    assert curves([[poor]], "title").axes[0].get_ylim() == pytest.approx((0, 10))
    apart = curves([[rows[0][0], Panel("K", "rank-1 (%)", low)]], "title").axes
    assert apart[0].get_ylim() != apart[1].get_ylim()


def test_auto_is_marked_as_transductive():
    lines = {"sim": {20: (50.0, 0.0), "auto": (60.0, 0.0)}}
    (axis,) = curves([[Panel("k", "mAP (%)", lines)]], "").axes
    assert [tick.get_text() for tick in axis.get_xticklabels()] == ["20", "auto †"]


def test_bands_stay_within_percents_and_lines_are_the_means():
    lines = {"sim": {1: (98.0, 5.0), 2: (3.0, 5.0)}}
    (axis,) = curves([[Panel("k", "mAP (%)", lines, {"baseline": (50.0, 1.0)}, {2})]], "").axes
    level, set_at, line = axis.lines
    assert set(level.get_ydata()) == {50.0} and set(set_at.get_xdata()) == {2.0}
    assert [*line.get_xdata()] == [1, 2] and [*line.get_ydata()] == [98.0, 3.0]
    corners = axis.collections[0].get_paths()[0].vertices[:, 1]
    assert corners.min() == 0 and corners.max() == 100


def test_a_method_of_any_panel_is_in_the_legend_and_looks_alike_in_all():
    one, two = ({m: {1: (50.0, 0.0)}} for m in ("sim:k=4", "sim:k=5"))
    drawn = curves([[Panel("k", "mAP (%)", one), Panel("K", "mAP (%)", {**two, **one})]], "")
    (legend,) = drawn.legends
    assert [text.get_text() for text in legend.get_texts()] == ["SIM, k=4", "SIM, k=5"]
    left, right = ({line.get_label(): line for line in axis.lines} for axis in drawn.axes)
    assert left["SIM, k=4"].get_color() == right["SIM, k=4"].get_color()
    assert right["SIM, k=5"].get_color() != right["SIM, k=4"].get_color()
