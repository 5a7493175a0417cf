"""The t-SNE map shows every image and the edges between them."""

import sys

import numpy as np
import pytest
from matplotlib.collections import LineCollection, PathCollection

from simgraph.graph.edges import NEAR
from simgraph.visualization import plots

pytestmark = pytest.mark.filterwarnings("error")


@pytest.mark.parametrize("identities", [None, (2, 0)])
def test_the_map_has_every_image_and_the_edges_between(bare, graph, identities):
    (axes,) = plots.draw_tsne(bare, k=4, identities=identities).axes
    shown = {0, 1, 2, 3} if identities is None else {0, 2}
    points = [c for c in axes.collections if isinstance(c, PathCollection)]
    assert [len(p.get_offsets()) for p in points] == [6] * (2 * len(shown))
    assert [text.get_text() for text in axes.texts] == [str(pid) for pid in sorted(shown)]
    pid = bare.features.gallery_pids.tolist()
    expected = sum(
        s != t and pid[s] in shown and pid[t] in shown for s, t in graph[NEAR].edge_index.T.tolist()
    )
    (edges,) = (c for c in axes.collections if isinstance(c, LineCollection))
    assert len(edges.get_segments()) == expected
    gallery = np.concatenate([p.get_offsets() for p in points[1::2]]).round(3).tolist()
    assert all(end in gallery for line in edges.get_segments() for end in line.round(3).tolist())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"k": 24}, "k = 24 must be less than num_gallery = 24"),
        ({"identities": (1, 9)}, r"expected some that both sides have, got \[9\]"),
        ({"identities": tuple(range(9))}, "identities: expected 1 to 8, got 9"),
        ({"identities": ()}, "identities: expected 1 to 8, got 0"),
    ],
)
def test_the_map_refuses(bare, arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.draw_tsne(bare, **{"k": 4} | arguments)


def test_without_scikit_learn_the_error_names_the_extra(monkeypatch, bare):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    with pytest.raises(ImportError, match=r"simgraph\[viz\]"):
        plots.draw_tsne(bare, k=4)
