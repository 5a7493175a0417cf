"""What tuning refuses, before anything is measured."""

import pytest

import simgraph as sg
from simgraph.studies import experiment
from tests.studies.test_tuning import many, tuned


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"method": "baseline"}, "method: expected"),
        ({"method": "k_reciprocal"}, "k_reciprocal has no default grid"),
        ({"grid": {}}, "at least one parameter"),
        ({"grid": {"kk": [1]}}, "got 'kk'"),
        ({"grid": {"k": []}}, "expected a list of values for k"),
        ({"grid": {"k": ["auto"]}}, "expected a list of values for k"),
        ({"refine": ("k",)}, "refine: expected"),
        ({"search": "random"}, "search: expected"),
        ({"protocol": "sysu"}, "protocol: expected"),
        ({"protocol": "market"}, "needs query_cams"),
        ({"images_per_identity": 0}, "images_per_identity = 0"),
        ({"draws": 0}, "draws = 0"),
        ({"resamples": 10}, "resamples = 10"),
        ({"confidence": 1.0}, "confidence: expected"),
        ({"method": "k_reciprocal", "grid": {"k1": [4]}, "search": "halving"}, "search: halving"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_measured(settings, error, monkeypatch):
    monkeypatch.setattr(experiment, "measure", lambda *a: pytest.fail("measured"))
    with pytest.raises(ValueError, match=error):
        tuned(many(), **settings)


def test_labels_that_share_no_identity_are_refused():
    f = many()
    with pytest.raises(ValueError, match="share identities"):
        sg.tune(f.query, f.gallery, f.query_pids + 100, f.gallery_pids)
