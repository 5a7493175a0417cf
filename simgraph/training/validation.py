"""The evaluations on the way: baseline and SIM side by side under the protocol."""

from __future__ import annotations

import torch

from simgraph.config import Config
from simgraph.datasets import TestSet
from simgraph.features import Features
from simgraph.pipeline import check_fit, require_labels, run_test, scoring_protocol
from simgraph.training.extraction import labelled

_METHODS = ("baseline", "sim")
_FIGURES = ("mAP", "rank1")


def check_evaluation(config: Config, test_set: TestSet) -> None:
    """Refuse, before any training, what an evaluation would refuse after epochs of it.

    Args:
        config: whose `sim` must fit each trial's gallery.
        test_set: of the evaluations, with the cameras that its protocol needs.

    Raises:
        ValueError: naming the numbers that do not fit.
    """
    query, gallery = (torch.ones(len(s), 1) for s in (test_set.query, test_set.gallery))
    stand_in = labelled(query, gallery, test_set)
    seen = _seen(config)
    for number, trial in enumerate(test_set.trials):
        features = stand_in.select(trial.query, trial.gallery)
        check_fit(features, seen, warn=number == 0)
        require_labels(features, scoring_protocol(seen))


def score_features(config: Config, features: Features) -> dict[str, float]:
    """Figures of a network's features.

    Args:
        config: dataset and sim.
        features: of all images of its test set.

    Returns:
        `baseline_mAP`, `baseline_rank1`, `sim_mAP`, `sim_rank1`, means over the trials.
    """
    methods = run_test(_seen(config), source=lambda test_set, trial: features)["methods"]
    return {f"{method}_{key}": methods[method][key] for method in _METHODS for key in _FIGURES}


def _seen(config: Config) -> Config:
    """What an evaluation looks at: both methods, and of RegDB's networks the one at hand."""
    one = {"trials": 1} if config.dataset.name == "regdb" else {}
    dataset = config.dataset.model_copy(update=one)
    return config.model_copy(update={"methods": _METHODS, "dataset": dataset})
