"""What tuning refuses before it measures, and the queries that it leaves out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from simgraph._params import require_int, unknown_name
from simgraph.evaluation import PROTOCOLS, check_labels, excluded
from simgraph.features import Features
from simgraph.rerankers import METHODS
from simgraph.studies.tuning_grid import FOLLOW_K, REFINABLE, Grid, candidates


def check_settings(
    features: Features,
    protocol: str,
    method: str,
    grid: Grid | None,
    refine: Sequence[str],
    search: str,
) -> None:
    """Raise ValueError for settings that do not fit the method or the features' labels."""
    if method not in METHODS or method == "baseline":
        raise ValueError(unknown_name("method", method, [m for m in METHODS if m != "baseline"]))
    if protocol not in PROTOCOLS:
        raise ValueError(unknown_name("protocol", protocol, PROTOCOLS))
    for side in ("query", "gallery"):
        pids, cams = getattr(features, f"{side}_pids"), getattr(features, f"{side}_cams")
        if pids is None:
            raise ValueError(f"{side}_ids: expected identities to tune by, got None")
        check_labels(pids, cams, len(pids), side, protocol)
    if grid is None and method not in FOLLOW_K:
        raise ValueError(f"grid: {method} has no default grid; expected parameter → values")
    if grid is not None:
        if not grid:
            raise ValueError("grid: expected at least one parameter, got none")
        candidates(method, grid)
    for name in refine:
        if name not in REFINABLE or method != "sim":
            raise ValueError(
                f"refine: expected {', '.join(REFINABLE)} with method 'sim', got {name!r} with "
                f"{method!r}"
            )
    if search not in ("grid", "halving"):
        raise ValueError(unknown_name("search", search, ("grid", "halving")))
    if search == "halving" and METHODS[method].transductive:
        raise ValueError(
            f"search: halving scores some queries only, which changes the rankings of {method}, a "
            "transductive method; use search='grid'"
        )


def check_numbers(
    images: int | None, draws: int, resamples: int, confidence: float, seed: int
) -> None:
    """Raise ValueError for numbers out of range."""
    if images is not None:
        require_int("images_per_identity", images, 1)
    require_int("draws", draws, 1)
    require_int("resamples", resamples, 100)
    require_int("seed", seed, 0)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence: expected a number in (0, 1), got {confidence!r}")


def with_match(features: Features, protocol: str) -> Features:
    """Leave out queries without a match; their AP does not exist."""
    assert features.query_pids is not None and features.gallery_pids is not None
    labels = (
        features.query_pids, features.gallery_pids, features.query_cams, features.gallery_cams,
    )  # fmt: skip
    same = features.query_pids[:, None] == features.gallery_pids
    rows = (same & ~excluded(*labels, protocol)).any(dim=1).nonzero().flatten().numpy()
    if len(rows) == 0:
        raise ValueError(
            f"no query has a gallery image of its identity under protocol {protocol!r}; expected "
            "query_ids and gallery_ids that share identities"
        )
    if len(rows) == len(features.query):
        return features
    return features.select(rows, np.arange(len(features.gallery)))
