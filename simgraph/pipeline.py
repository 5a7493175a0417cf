"""THE LINE: features → distances → ranking → evaluation → table, one call a stage."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_geometric

from simgraph._files import replacing
from simgraph._inputs import check_graph_params, check_sim_params
from simgraph._version import __version__
from simgraph.config import Config, SIMConfig
from simgraph.evaluation import Metrics, evaluate
from simgraph.features import Features
from simgraph.rerankers import parameters, rerank
from simgraph.trials import num_trials, trial_features

logger = logging.getLogger(__name__)

RANKS = (1, 5, 10, 20)

Track = Callable[[Iterable[Any], int], Iterable[Any]]
"""Wraps a loop of known length in a progress bar."""


def run_test(config: Config, track: Track = lambda steps, total: steps) -> dict[str, Any]:
    """Score every method on every trial, as in the paper's Table 3.

    Args:
        config: features, dataset, methods and parameters.
        track: shows progress over (trial, method) steps; `rich.progress.track` fits.

    Returns:
        `methods`: name → rank1, rank5, rank10, rank20, mAP, mINP, means over trials in [0, 1];
        `std`: the same, standard deviations over trials; `per_trial`: the same for each trial;
        `trials`, `queries`, `gallery`, `protocol`, `config`, `versions`.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for bad features, labels or parameters.
    """
    protocol = scoring_protocol(config)
    per_trial: dict[str, list[dict[str, float]]] = {method: [] for method in config.methods}
    sizes: list[tuple[int, int]] = []
    steps = (
        (number, features, method)
        for number, features in enumerate(trial_features(config))
        for method in config.methods
    )
    for number, features, method in track(steps, num_trials(config.dataset) * len(config.methods)):
        if number == len(sizes):
            check_fit(features, config)
            sizes.append((len(features.query), len(features.gallery)))
        distances = rerank(
            features.query, features.gallery, method, **method_params(method, config)
        )
        per_trial[method].append(summary(score(distances, features, protocol)))
    return {
        "methods": _over_trials(per_trial, np.mean),
        "std": _over_trials(per_trial, np.std),
        "per_trial": per_trial,
        "trials": len(sizes),
        "queries": sizes[0][0],
        "gallery": sizes[0][1],
        "protocol": protocol,
        "config": config.model_dump(mode="json"),
        "versions": versions(),
    }


def scoring_protocol(config: Config) -> str:
    """The protocol asked for, or the dataset's own."""
    own = {"features": "plain", "folder": "plain"}.get(config.dataset.name, config.dataset.name)
    return config.dataset.protocol or own


def method_params(method: str, config: Config) -> dict[str, Any]:
    """The settings that a method knows, by name."""
    values = {**config.sim.model_dump(), "normalize": config.normalize}
    return {name: values[name] for name in parameters(method) if name in values}


def check_fit(features: Features, config: Config) -> None:
    """Raise for parameters that the gallery is too small for; warn where SIM is likely to hurt."""
    if set(config.methods) == {"baseline"}:
        return
    sim, num_gallery = config.sim, len(features.gallery)
    check_graph_params(sim.k, sim.lam, None, num_gallery)
    check_sim_params(sim.k, sim.num_paths, sim.k_query, sim.k_gallery, num_gallery, sim.variant)
    if features.gallery_pid is not None:
        _warn_if_sparse(features.gallery_pid, sim)


def _warn_if_sparse(gallery_pid: torch.Tensor, sim: SIMConfig) -> None:
    images = float(torch.unique(gallery_pid, return_counts=True)[1].double().median())
    if images < sim.k:
        logger.warning(
            "the gallery has %g images an identity (median), fewer than k = %d: SIM then averages "
            "over other identities and is likely to hurt. Try k, k_query and k_gallery near %d "
            "and num_paths near %d.",
            images, sim.k, max(1, round(images)), max(1, round(images / 2)),
        )  # fmt: skip


def score(distances: torch.Tensor, features: Features, protocol: str) -> Metrics:
    """CMC, mAP and mINP of one trial."""
    if features.query_pid is None or features.gallery_pid is None:
        raise ValueError("features: expected query_pid and gallery_pid to score with, got none")
    return evaluate(
        distances,
        features.query_pid,
        features.gallery_pid,
        features.query_cam,
        features.gallery_cam,
        protocol=protocol,
        max_rank=max(RANKS),
    )


def summary(metrics: Metrics) -> dict[str, float]:
    """The columns of the table, fractions in [0, 1]."""
    ranks = {f"rank{r}": float(metrics.cmc[r - 1]) for r in RANKS}
    return {**ranks, "mAP": metrics.mAP, "mINP": metrics.mINP}


def _over_trials(
    per_trial: dict[str, list[dict[str, float]]], statistic: Callable[[list[float]], Any]
) -> dict[str, dict[str, float]]:
    return {
        method: {key: float(statistic([trial[key] for trial in trials])) for key in trials[0]}
        for method, trials in per_trial.items()
    }


def versions() -> dict[str, str]:
    """What computed the figures."""
    return {
        "simgraph": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
        "numpy": np.__version__,
    }


def table(results: dict[str, Any]) -> list[list[str]]:
    """Methods × rank-1/5/10/20, mAP, mINP in percent, mean ± std over trials; headings first."""
    columns = [f"rank{r}" for r in RANKS] + ["mAP", "mINP"]
    rows = [["method", *(column.replace("rank", "rank-") for column in columns)]]
    for method, mean in results["methods"].items():
        std = results["std"][method]
        spread = [f" ± {100 * std[c]:.2f}" if results["trials"] > 1 else "" for c in columns]
        cells = [f"{100 * mean[c]:.2f}{s}" for c, s in zip(columns, spread, strict=True)]
        rows.append([method, *cells])
    return rows


def markdown(rows: list[list[str]]) -> str:
    """A table as Markdown, figures to the right."""
    rule = ["---"] + ["---:"] * (len(rows[0]) - 1)
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def caption(results: dict[str, Any]) -> str:
    """What the table's figures are of: sizes, trials, protocol, normalisation, parameters."""
    sim = results["config"]["sim"]
    return (
        f"{results['queries']} queries, {results['gallery']} gallery images, "
        f"{results['trials']} trial{'s' * (results['trials'] > 1)}, protocol "
        f"{results['protocol']}, features {'' if results['config']['normalize'] else 'not '}"
        f"L2-normalised, {', '.join(f'{key}={value}' for key, value in sim.items())}"
    )


def write_results(results: dict[str, Any], folder: str | Path) -> None:
    """Write `results.json` and `table.md`, each whole or not at all.

    Args:
        results: of `run_test`.
        folder: made if it is not there.
    """
    with replacing(Path(folder) / "results.json") as file:
        file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    with replacing(Path(folder) / "table.md") as file:
        text = f"{caption(results)}\n\n{markdown(table(results))}\n"
        file.write_text(text, encoding="utf-8")
