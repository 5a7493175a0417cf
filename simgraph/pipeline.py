"""The pipeline: feature files → trials → re-ranked distances → scores → results."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import torch

from simgraph._arrays import feature_pair
from simgraph._memory import DEFAULT
from simgraph._progress import Track, no_progress
from simgraph.config import AUTHORS, FEATURES, SIM_FAMILY, Config, ParamsConfig, SIMConfig
from simgraph.datasets import DATASETS
from simgraph.evaluation import Metrics, check_labels, evaluate
from simgraph.features import Features
from simgraph.rerankers import parameters, rerank
from simgraph.results import RANKS, Results, summarize
from simgraph.sim import authors
from simgraph.sim.auto import for_images_per_identity, resolve_auto
from simgraph.sim.params import SIMParams
from simgraph.trials import Source, num_trials, trial_features

logger = logging.getLogger(__name__)

_CHECKS: dict[str, Callable[[SIMParams, int], None]] = {
    "sgr": SIMParams.check_sgr,
    "mnnr": SIMParams.check_mnnr,
    "sim": SIMParams.check,
    "sgr_authors": authors.check_sgr,
    "mnnr_authors": authors.check_mnnr,
    "sim_authors": authors.check,
}


def run_test(config: Config, track: Track = no_progress, source: Source | None = None) -> Results:
    """Score every method on every trial, as in the paper's Table 3.

    Args:
        config: features, dataset, methods and parameters.
        track: shows progress over (trial, method) steps; with one, a line of scores is logged for
            each trial.
        source: gives the features of a test set; None reads the files that the config names.

    Returns:
        Means and deviations over trials, the scores of each trial, and what they belong to.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for bad features, labels or parameters.
    """
    protocol = scoring_protocol(config)
    scores: dict[str, list[Metrics]] = {method: [] for method in config.methods}
    sizes: list[tuple[int, int]] = []
    trial_params: list[SIMParams] = []
    steps = (
        (number, features, method)
        for number, features in enumerate(trial_features(config, source))
        for method in config.methods
    )
    total = num_trials(config.dataset) * len(config.methods)
    for number, features, method in track(steps, total, "trial and method"):
        if number == len(sizes):
            p = sim_params(features, config)
            check_fit(features, config, p, warn=number == 0 and not p.reason)
            require_labels(features, protocol)
            sizes.append((len(features.query), len(features.gallery)))
            trial_params.append(p)
        params = method_params(
            method, trial_params[-1], config.normalize, config.params, config.memory
        )
        distances = rerank(features.query, features.gallery, method, **params)
        scores[method].append(score(distances, features, protocol))
        if method == config.methods[-1] and track is not no_progress:
            _log_trial(number + 1, total // len(config.methods), scores)
    return summarize(scores, sizes, protocol, config, [p for p in trial_params if p.reason])


def _log_trial(number: int, trials: int, scores: dict[str, list[Metrics]]) -> None:
    found = ", ".join(f"{name} {100 * values[-1].mAP:.2f}" for name, values in scores.items())
    logger.info("trial %d/%d mAP: %s", number, trials, found)


def scoring_protocol(config: Config) -> str:
    """The protocol of the config, or the dataset's own."""
    name = config.dataset.name
    return config.dataset.protocol or ("plain" if name == FEATURES else DATASETS[name].protocol)


def method_params(
    method: str,
    sim: SIMConfig | SIMParams,
    normalize: bool,
    others: ParamsConfig | None = None,
    memory: str = DEFAULT,
) -> dict[str, Any]:
    """The settings that a method knows, by name.

    Args:
        method: a key of `simgraph.rerankers.METHODS`.
        sim: for SGR, MNNR and SIM and their authors' forms.
        normalize: for all methods.
        others: for the other methods; None leaves them at their defaults.
        memory: for the methods that take a budget.

    Returns:
        Parameters to call the method with.
    """
    section = vars(sim) if method in SIM_FAMILY else dict(getattr(others, method, None) or ())
    values = {"normalize": normalize, "memory": memory, **section}
    return {name: values[name] for name in parameters(method) if name in values}


def sim_params(features: Features, config: Config) -> SIMParams:
    """The settings under `sim`, with numbers where a method of the config needs them.

    Args:
        features: of one trial, which `auto` chooses by.
        config: the settings.

    Returns:
        Numbers, with a reason where `auto` chose any; or the settings as they are where no method
        reads them.

    Raises:
        ValueError: for `"auto"` with a method of the authors' code.
    """
    p = config.sim.params()
    if not p.has_auto or not set(config.methods).intersection(SIM_FAMILY):
        return p
    if set(config.methods).intersection(AUTHORS):
        authors.require_numbers(p)
    pair = feature_pair(features.query, features.gallery, config.normalize)
    return resolve_auto(p, *pair, config.normalize)


def check_fit(
    features: Features, config: Config, params: SIMParams | None = None, warn: bool = True
) -> None:
    """Raise for parameters that the gallery is too small for; warn where SIM is likely to hurt.

    Args:
        features: of one trial.
        config: whose methods will run.
        params: what `sim_params` gave for the trial; None takes the settings under `sim`, of which
            nothing can be checked while one is `"auto"`.
        warn: whether to warn of a gallery with few images per identity.

    Raises:
        ValueError: for parameters that a method will refuse.
    """
    p = config.sim.params() if params is None else params
    checks = [_CHECKS[method] for method in config.methods if method in _CHECKS]
    if params is None and p.has_auto:
        return
    for check in checks:
        check(p, len(features.gallery))
    if warn and checks and features.gallery_pids is not None:
        _warn_if_thin(features.gallery_pids, p.k)


def require_labels(features: Features, protocol: str) -> None:
    """Raise for cameras that the protocol needs and the features lack, before any ranking."""
    sides = (
        (features.query_pids, features.query_cams),
        (features.gallery_pids, features.gallery_cams),
    )
    for name, (pid, cam) in zip(("query", "gallery"), sides, strict=True):
        if pid is not None:
            check_labels(pid, cam, len(pid), name, protocol)


def _warn_if_thin(gallery_pid: torch.Tensor, k: int) -> None:
    images = float(torch.unique(gallery_pid, return_counts=True)[1].double().median())
    if k > images - 1:
        logger.warning(
            "the gallery has %g images per identity (median), so k = %d neighbors of an image "
            "include other identities, and SIM is likely to hurt. %s",
            images, k, _advice(images),
        )  # fmt: skip


def _advice(images: float) -> str:
    fit = for_images_per_identity(images)
    if fit.k == 0:
        return "With one image per identity no method of neighborhoods helps."
    return (
        f"Try --sim.k auto --sim.images_per_identity {images:g}, which takes k, k_query and "
        f"k_gallery of {fit.k} and num_paths of {fit.num_paths}; or --sim.k auto alone."
    )


def score(distances: torch.Tensor, features: Features, protocol: str) -> Metrics:
    """CMC, mAP and mINP of one trial."""
    if features.query_pids is None or features.gallery_pids is None:
        raise ValueError("features: expected query_pid and gallery_pid to score with, got none")
    return evaluate(
        distances,
        features.query_pids,
        features.gallery_pids,
        features.query_cams,
        features.gallery_cams,
        protocol=protocol,
        max_rank=max(RANKS),
    )
