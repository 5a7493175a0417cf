"""Ranked lists show what the distances say."""

import numpy as np
import pytest
import torch
from matplotlib.patches import FancyArrowPatch

from simgraph.features import Features
from simgraph.visualization import plots
from simgraph.visualization.trial_view import trial_view_of_features

pytestmark = pytest.mark.filterwarnings("error")


def strip_by_hand():
    """Five images in two lists: 0 1 2 3 4, then 4 0 3 1 2; 0 and 3 are right."""
    f = Features(np.ones((1, 2)), np.ones((5, 2)), [7], [7, 1, 2, 7, 4])
    rows = {"baseline": torch.tensor([1.0, 2, 3, 4, 5]), "sim": torch.tensor([2.0, 4, 5, 3, 1])}
    return f, rows


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts if text.get_text()]


def test_strips_by_hand():
    f, rows = strip_by_hand()
    figure = plots.draw_ranked_lists(trial_view_of_features(f), 0, rows, top=3)
    shown = texts(figure)
    tiles = [text for text in shown if text.startswith("gallery")]
    assert tiles == [f"gallery {i}" for i in (0, 1, 2, 4, 0, 3)]
    signs = [text for text in shown if text in "✓×"]
    assert signs == ["✓", "×", "×", "×", "✓", "✓"]
    captions = [text for text in shown if text.startswith("id ")]
    assert captions == ["id 7", "id 1", "id 2", "id 4, was 5", "id 7, was 1", "id 7, was 4"]
    assert "baseline" in shown and "SIM" in shown and "query 0, id 7" in shown
    # 0 alone is in both rows: from place 1 to place 2, a right one.
    (arrow,) = [p for p in figure.axes[0].patches if isinstance(p, FancyArrowPatch)]
    (start, end) = arrow._posA_posB
    assert end[0] - start[0] == pytest.approx(1.2) and end[1] > start[1]
    assert arrow.get_linestyle() == "-"


def test_strips_leave_out_what_the_protocol_does():
    f, rows = strip_by_hand()
    cameras = Features(f.query, f.gallery, f.query_pids, f.gallery_pids, [3], [1, 2, 1, 1, 2])
    figure = plots.draw_ranked_lists(trial_view_of_features(cameras, "sysu_mm01"), 0, rows, top=10)
    tiles = [text for text in texts(figure) if text.startswith("gallery")]
    assert tiles == [f"gallery {i}" for i in (0, 2, 3, 0, 3, 2)]
    assert "id 7, was 3" in texts(figure) and "id 2, was 2" in texts(figure)


def test_strips_without_identities_have_no_signs():
    f, rows = strip_by_hand()
    figure = plots.draw_ranked_lists(trial_view_of_features(Features(f.query, f.gallery)), 0, rows)
    assert not {"✓", "×"} & set(texts(figure))
    assert "was 5" in texts(figure)


def test_strips_show_the_images_themselves(view, distances):
    rows = {"sim": distances["sim"][2]}
    figure = plots.draw_ranked_lists(view, 2, rows, top=4)
    first = int(rows["sim"].argmin())
    query, best, *rest = (np.asarray(image.get_array()) for image in figure.axes[0].images)
    np.testing.assert_array_equal(query, np.asarray(view.query.thumbnail(2, 256)))
    np.testing.assert_array_equal(best, np.asarray(view.gallery.thumbnail(first, 256)))
    assert len(rest) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"query": 24}, "query = 24 must be less than 24"),
        ({"query": -1}, "query = -1 must be at least 0"),
        ({"top": 0}, "top = 0 must be at least 1"),
        ({"distances": {}}, "expected at least one method, got none"),
        ({"distances": {"sim": torch.ones(3)}}, r"sim: expected distances \[24\], got \[3\]"),
    ],
)
def test_strips_refuse(bare, arguments, message):
    with pytest.raises(ValueError, match=message):
        plots.draw_ranked_lists(
            **{"view": bare, "query": 0, "distances": {"sim": torch.ones(24)}} | arguments
        )
