"""CMC curves are the scores, and any number of them look different."""

import pytest
import torch
from matplotlib.artist import getp

from simgraph.rerankers import METHODS
from simgraph.visualization import plots

pytestmark = pytest.mark.filterwarnings("error")


def test_cmc_curves_are_the_scores():
    cmc = {"baseline": torch.tensor([0.25, 0.5, 1.0]), "sim": [0.75, 0.75, 1.0]}
    (axes,) = plots.draw_cmc(cmc).axes
    assert [line.get_label() for line in axes.lines] == ["baseline", "SIM"]
    for line, expected in zip(axes.lines, ([25, 50, 100], [75, 75, 100]), strict=True):
        assert line.get_xdata().tolist() == [1, 2, 3] and line.get_ydata().tolist() == expected
    looks = {(line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(looks) == 2


@pytest.mark.parametrize("names", [[*METHODS], [f"m{i}" for i in range(60)]])
def test_any_number_of_curves_look_different(names):
    (axes,) = plots.draw_cmc({name: [1.0] for name in names}).axes
    strokes = {(line.get_color(), line.get_linestyle(), line.get_marker()) for line in axes.lines}
    assert len(strokes) == len(names)
    # Without lines, as in a scatter, they still differ, and in gray, too.
    inside = {
        (line.get_marker(), line.get_markerfacecolor(), line.get_color()) for line in axes.lines
    }
    assert len(inside) == len(names)
    assert len(axes.figure.legends[0].get_texts()) == len(names)


def test_a_method_looks_alike_beside_any_other():
    alone, beside = (
        plots.draw_cmc({name: [1.0] for name in names}).axes[0].lines[-1]
        for names in (["k_reciprocal"], ["mine", "baseline", "k_reciprocal"])
    )
    for look in ("color", "linestyle", "marker", "markerfacecolor"):
        assert getp(alone, look) == getp(beside, look)


def test_no_curve_and_an_empty_one_are_refused():
    with pytest.raises(ValueError, match="at least one method"):
        plots.draw_cmc({})
    with pytest.raises(ValueError, match="sim: expected a CMC of at least one rank"):
        plots.draw_cmc({"sim": []})
