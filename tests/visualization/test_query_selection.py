"""The query, and the image, that re-ranking changes most."""

import numpy as np
import pytest
import torch

from simgraph.features import Features
from simgraph.visualization.query_selection import most_changed_image, most_changed_query
from simgraph.visualization.trial_view import trial_view_of_features
from tests.visualization import sample_views as views


def test_the_query_that_changes_most_by_hand():
    # One right image of three for each query, at ranks 2 → 1, 3 → 1, 1 → 3: AP rises by 1/2,
    # rises by 2/3, falls by 2/3. The fourth query has no match.
    f = Features(np.ones((4, 2)), np.ones((3, 2)), [0, 1, 2, 9], [0, 1, 2])
    view = trial_view_of_features(f)
    before = torch.tensor([[2.0, 1, 3], [1, 3, 2], [2, 3, 1], [1, 2, 3]])
    after = torch.tensor([[1.0, 2, 3], [2, 1, 3], [1, 2, 3], [3, 2, 1]])
    assert most_changed_query(view, before, after) == 1
    assert most_changed_query(view, before, after, "hurt") == 2


def test_the_image_that_moves_most_by_hand():
    # Ranks before 1 2 3 4 5, after 5 3 1 2 4: 2 and 3 rise by two, 0 falls by four.
    pid = [0, 0, 1, 0, 0]
    f = Features(np.ones((1, 2)), np.ones((5, 2)), [0], pid, [3], [1, 1, 1, 1, 2])
    before, after = torch.tensor([1.0, 2, 3, 4, 5]), torch.tensor([5.0, 3, 1, 2, 4])
    assert most_changed_image(trial_view_of_features(f), 0, before, after) == 3
    assert most_changed_image(trial_view_of_features(f), 0, before, after, "hurt") == 0
    # Without identities 2 comes first; where the last is not seen, nothing changes for it.
    unlabeled = trial_view_of_features(Features(f.query, f.gallery))
    assert most_changed_image(unlabeled, 0, before, after) == 2
    assert most_changed_image(trial_view_of_features(f, "sysu_mm01"), 0, before, after) == 3


def test_without_identities_no_query_stands_out():
    f = views.features()
    with pytest.raises(ValueError, match="query: expected a number"):
        most_changed_query(
            trial_view_of_features(Features(f.query, f.gallery)), *torch.ones(2, 24, 24)
        )
