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


def test_clear_identities_have_their_own_infrared_too_and_it_shows_every_pattern() -> None:
    looks = [draw_looks(0, pid, clear=True) for pid in range(1, 3001)]
    for cloth in ([x.upper.fabric for x in looks], [x.lower.fabric for x in looks],
                  [x.upper.second for x in looks], [x.bag_fabric for x in looks]):  # fmt: skip
        infrared = np.array([c.infrared for c in cloth])
        assert infrared.min() >= 0 and infrared.max() <= 1
        colors = np.array([c.color for c in cloth])
        assert colors.min() >= 0 and colors.max() <= 1
        features = np.column_stack([colors, colors.mean(axis=1), np.ptp(colors, axis=1)])
        found = [np.corrcoef(infrared, column)[0, 1] for column in features.T]
        assert np.abs(found).max() < 0.06  # 3 standard errors of 3000 independent draws
    apart = [abs(x.upper.fabric.infrared - x.upper.second.infrared) for x in looks]
    assert min(apart) > 0.05 and np.mean(apart) > 0.3
    usual = [draw_looks(0, pid) for pid in range(1, 3001)]
    plain, clear = (np.mean([x.upper.pattern == "plain" for x in some]) for some in (usual, looks))
    assert clear < plain
    assert np.std([x.girth for x in looks]) > np.std([x.girth for x in usual])
