"""Histograms count the pairs that the protocol keeps."""

import numpy as np
import pytest
import torch
from matplotlib.patches import StepPatch

from simgraph.features import Features
from simgraph.visualization import plots
from simgraph.visualization.trial_view import trial_view_of_features

pytestmark = pytest.mark.filterwarnings("error")


def panels(figure):
    for axes in figure.axes:
        yield axes.get_title(), [p.get_data() for p in axes.patches if isinstance(p, StepPatch)]


def test_histograms_by_hand():
    # Same identity: 0 and 0; different: 0 and 1. Two bins of width 1/2: (2, 0) and (1, 1): half.
    f = Features(np.ones((2, 2)), np.ones((2, 2)), [0, 1], [0, 1])
    d = torch.tensor([[0.0, 0.0], [1.0, 0.0]])
    ((title, (same, different)),) = panels(
        plots.draw_distance_histograms(trial_view_of_features(f), {"baseline": d}, bins=2)
    )
    assert title == "baseline: 50.0 % shared"
    assert same.values.tolist() == [2, 0] and different.values.tolist() == [1, 1]
    assert same.edges.tolist() == [0, 0.5, 1]


def test_histograms_count_what_the_protocol_leaves_and_paths_reach():
    f = Features(np.ones((1, 2)), np.ones((5, 2)), [0], [0, 0, 1, 1, 1], [3], [1, 2, 1, 1, 2])
    d = torch.tensor([[0.0, 9, 1, torch.inf, 9]])  # camera 2 is not seen from camera 3
    ((title, (same, different)),) = panels(
        plots.draw_distance_histograms(trial_view_of_features(f, "sysu_mm01"), {"sim": d}, bins=2)
    )
    assert title == "SIM: 0.0 % shared" and same.edges.tolist() == [0, 0.5, 1]
    assert same.values.tolist() == [2, 0] and different.values.tolist() == [0, 2]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distances": {}}, "expected at least one method, got none"),
        ({"distances": {"sim": torch.ones(2, 3)}}, r"sim: expected \[24, 24\], got \[2, 3\]"),
        (
            {"distances": {"sim": torch.full((24, 24), torch.inf)}},
            "sim: expected pairs of the same",
        ),
        ({"bins": 0}, "bins = 0 must be at least 1"),
    ],
)
def test_histograms_refuse(bare, arguments, message):
    usual = {"view": bare, "distances": {"sim": torch.ones(24, 24)}}
    with pytest.raises(ValueError, match=message):
        plots.draw_distance_histograms(**usual | arguments)


def test_histograms_of_equal_distances(bare, tmp_path):
    figure = plots.draw_distance_histograms(bare, {"sim": torch.ones(24, 24)})
    plots.save_figure(figure, tmp_path / "equal.png")
    assert next(panels(figure))[0] == "SIM: 100.0 % shared"
