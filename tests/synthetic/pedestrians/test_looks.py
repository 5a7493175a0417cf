"""Looks: what infrared shows is independent of colors."""

import numpy as np

from simgraph.synthetic.pedestrians.looks import draw_looks


def test_infrared_reflectance_says_nothing_about_color() -> None:
    looks = [draw_looks(0, pid) for pid in range(1, 3001)]
    for cloth in ([x.upper.fabric for x in looks], [x.lower.fabric for x in looks],
                  [x.upper.second for x in looks], [x.bag_fabric for x in looks]):  # fmt: skip
        infrared = np.array([c.infrared for c in cloth])
        colors = np.array([c.color for c in cloth])
        features = np.column_stack([colors, colors.mean(axis=1), np.ptp(colors, axis=1)])
        found = [np.corrcoef(infrared, column)[0, 1] for column in features.T]
        assert np.abs(found).max() < 0.06  # 3 standard errors of 3000 independent draws
    printed = [x.upper.fabric.infrared == x.upper.second.infrared for x in looks]
    assert 0.25 < np.mean(printed) < 0.45
