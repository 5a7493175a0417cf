"""Evaluation during training: baseline and SIM under the dataset's protocol."""

from __future__ import annotations

import torch

from simgraph.config import Config
from simgraph.datasets import TestSet, find_dataset
from simgraph.features import Features
from simgraph.pipeline import check_fit, require_labels, run_test, scoring_protocol
from simgraph.training.extraction import labeled

_METHODS = ("baseline", "sim")
_SCORES = ("mAP", "rank1")


def check_evaluation(config: Config, test_set: TestSet) -> None:
    """Check before training what the evaluations check: parameters and labels.

    Args:
        config: whose `sim` must fit the gallery of each trial.
        test_set: of the evaluations, with the cameras that its protocol needs.

    Raises:
        ValueError: for parameters or labels that do not fit, with their values.
    """
    query, gallery = (torch.ones(len(s), 1) for s in (test_set.query, test_set.gallery))
    placeholder = labeled(query, gallery, test_set)
    evaluated = _evaluation_config(config)
    for number, trial in enumerate(test_set.trials):
        features = placeholder.select(trial.query, trial.gallery)
        check_fit(features, evaluated, warn=number == 0)
        require_labels(features, scoring_protocol(evaluated))


def score_features(config: Config, features: Features) -> dict[str, float]:
    """Score the features of a network.

    Args:
        config: dataset and sim.
        features: of all images of one split's test set.

    Returns:
        `baseline_mAP`, `baseline_rank1`, `sim_mAP`, `sim_rank1`, means over the trials.
    """
    methods = run_test(_evaluation_config(config), source=lambda *_: features)["methods"]
    return {f"{method}_{key}": methods[method][key] for method in _METHODS for key in _SCORES}


def _evaluation_config(config: Config) -> Config:
    """The config with both methods and, where each trial has its own network, one trial."""
    one = {"trials": 1} if find_dataset(config.dataset.name).split_per_trial else {}
    dataset = config.dataset.model_copy(update=one)
    return config.model_copy(update={"methods": _METHODS, "dataset": dataset})
