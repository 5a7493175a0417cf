"""Figures of studies: methods can be told apart, and legends are compact."""

import pytest

from simgraph.rerankers import METHODS
from simgraph.studies import figures


def test_every_method_and_variant_looks_different_and_says_that_it_is_transductive():
    methods = [*METHODS, "sim:k=auto", "sim:k=10"]
    points = {method: (1.0 + place, 50.0) for place, method in enumerate(methods)}
    drawn = figures.scatter(points, "seconds", "mAP (%)", "", {"sim:k=auto"})
    looks = {
        (line.get_marker(), line.get_color(), line.get_markerfacecolor())
        for line in drawn.axes[0].lines
    }
    assert len(looks) == len(methods)
    words = [text.get_text() for text in drawn.legends[0].get_texts()]
    assert words[-2:] == ["SIM, k=auto †", "SIM, k=10"]
    assert sum("†" in word for word in words) == 1


@pytest.mark.parametrize("count", [1, 4, 8, 13])
def test_the_rows_of_a_legend_have_similar_lengths(count):
    groups = {"one": dict.fromkeys(list(METHODS)[:count], (50.0, 0.0))}
    drawn = figures.bars([("mAP (%)", groups)] * 3, "title")
    (legend,) = drawn.legends
    columns = legend._ncols
    assert len(legend.get_texts()) == count
    assert columns * -(-count // columns) - count < columns
    assert -(-count // columns) * columns >= count > columns * (-(-count // columns) - 1)
