"""THE LINE: feature files → trials → re-ranked distances → scores → results, one call a stage."""

from __future__ import annotations

import logging
from typing import Any

import torch

from simgraph._arrays import feature_pair
from simgraph._memory import DEFAULT
from simgraph._params import check_graph_params, check_neighborhoods, check_num_paths
from simgraph._progress import Track, no_progress
from simgraph.config import FEATURES, SIM_FAMILY, Config, ParamsConfig, SIMConfig
from simgraph.datasets import DATASETS
from simgraph.evaluation import Metrics, check_labels, evaluate
from simgraph.features import Features
from simgraph.rerankers import parameters, rerank
from simgraph.results import RANKS, Results, summarize
from simgraph.sim.auto import CHOSEN, Choice, resolve
from simgraph.trials import Source, num_trials, trial_features

logger = logging.getLogger(__name__)


def run_test(config: Config, track: Track = no_progress, source: Source | None = None) -> Results:
    """Score every method on every trial, as in the paper's Table 3.

    Args:
        config: features, dataset, methods and parameters.
        track: shows progress over (trial, method) steps.
        source: gives the features of a test set; None reads the files that the config names.

    Returns:
        Means and deviations over trials, each trial's figures, and what they are of.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for bad features, labels or parameters.
    """
    protocol = scoring_protocol(config)
    scores: dict[str, list[Metrics]] = {method: [] for method in config.methods}
    sizes: list[tuple[int, int]] = []
    chosen: list[Choice] = []
    steps = (
        (number, features, method)
        for number, features in enumerate(trial_features(config, source))
        for method in config.methods
    )
    total = num_trials(config.dataset) * len(config.methods)
    for number, features, method in track(steps, total, "trial and method"):
        if number == len(sizes):
            settled, choice = settle(features, config)
            check_fit(features, settled, warn=number == 0 and choice is None)
            require_labels(features, protocol)
            sizes.append((len(features.query), len(features.gallery)))
            chosen += [choice] if choice else []
        params = method_params(method, settled.sim, config.normalize, config.params, config.memory)
        distances = rerank(features.query, features.gallery, method, **params)
        scores[method].append(score(distances, features, protocol))
    return summarize(scores, sizes, protocol, config, chosen)


def scoring_protocol(config: Config) -> str:
    """The protocol asked for, or the dataset's own."""
    name = config.dataset.name
    return config.dataset.protocol or ("plain" if name == FEATURES else DATASETS[name].protocol)


def method_params(
    method: str,
    sim: SIMConfig,
    normalize: bool,
    peers: ParamsConfig | None = None,
    memory: str = DEFAULT,
) -> dict[str, Any]:
    """The settings that a method knows, by name; None leaves the peers' at their defaults."""
    section = sim if method in SIM_FAMILY else getattr(peers, method, None)
    shared = {"normalize": normalize, "memory": memory}
    values = {**shared, **(section.model_dump() if section else {})}
    return {name: values[name] for name in parameters(method) if name in values}


def settle(features: Features, config: Config) -> tuple[Config, Choice | None]:
    """The config with numbers where `sim` says auto, and the choice; None where nothing does."""
    sim = config.sim
    asked = sim.k, sim.num_paths, sim.k_query, sim.k_gallery
    if "auto" not in asked or not set(config.methods).intersection(SIM_FAMILY):
        return config, None
    pair = feature_pair(features.query, features.gallery, config.normalize)
    choice = resolve(pair[0], pair[1], config.normalize, *asked, sim.variant)
    numbers = {name: getattr(choice, name) for name in CHOSEN}
    return config.model_copy(update={"sim": sim.model_copy(update=numbers)}), choice


def check_fit(features: Features, config: Config, warn: bool = True) -> None:
    """Raise for parameters that the gallery is too small for; warn where SIM is likely to hurt.

    Where something is still `"auto"` there is nothing to check: see `settle`.
    """
    methods, sim, num_gallery = set(config.methods), config.sim, len(features.gallery)
    k, num_paths, k_query, k_gallery = (getattr(sim, name) for name in CHOSEN)
    if not methods.intersection(SIM_FAMILY) or "auto" in (k, num_paths, k_query, k_gallery):
        return
    check_graph_params(k, sim.lam, None, num_gallery)
    if methods.intersection(("sgr", "sim")):
        check_num_paths(num_paths, k, sim.variant)
    if methods.intersection(("mnnr", "sim")):
        check_neighborhoods(k_query, k_gallery, k, num_gallery, sim.variant)
    if warn and features.gallery_pids is not None:
        _warn_if_thin(features.gallery_pids, k)


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
    if images < k:
        logger.warning(
            "the gallery has %g images an identity (median), fewer than k = %d: SIM then averages "
            "over other identities and is likely to hurt. %s",
            images, k, _advice(round(images)),
        )  # fmt: skip


def _advice(images: int) -> str:
    if images <= 1:
        return "With one image an identity no method of neighbourhoods helps."
    return (
        f"Try --sim.k auto, or k, k_query and k_gallery near {images - 1} and num_paths near "
        f"{max(1, round(images / 2))}."
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
