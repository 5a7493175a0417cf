"""A test set with fewer images, more strangers, noise or fewer queries, by a seed.

With the same seed the smaller of two subsets is part of the larger.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph.features import Features


def images_per_identity(features: Features, most: int, seed: Sequence[int]) -> Features:
    """Keep at most so many gallery images of each identity, drawn at random.

    Args:
        features: with gallery identities.
        most: images, at least 1.
        seed: of the draw.

    Returns:
        All queries; the gallery's kept rows in their order.
    """
    pids = _labels(features.gallery_pids)
    order = np.random.default_rng(seed).permutation(len(pids))
    seen: dict[int, int] = {}
    kept = []
    for row in order:
        pid = int(pids[row])
        seen[pid] = seen.get(pid, 0) + 1
        if seen[pid] <= most:
            kept.append(row)
    return features.select(np.arange(len(features.query)), np.sort(kept))


def with_distractors(features: Features, share: float, seed: Sequence[int]) -> Features:
    """Ask for half the identities, in a gallery of them and a share of the other half.

    Args:
        features: with identities on both sides.
        share: of the other half's identities, in [0, 1].
        seed: of the halves and of the order in which distractors come in.

    Returns:
        The queries of the first half, whatever the share; the gallery's kept rows in their order.
    """
    query, gallery = _labels(features.query_pids), _labels(features.gallery_pids)
    identities = np.random.default_rng(seed).permutation(np.intersect1d(query, gallery))
    half = -(-len(identities) // 2)
    wanted, others = identities[:half], identities[half:]
    there = np.concatenate([wanted, others[: round(share * len(others))]])
    return features.select(
        np.flatnonzero(np.isin(query, wanted)), np.flatnonzero(np.isin(gallery, there))
    )


def with_noise(features: Features, length: float, seed: Sequence[int]) -> Features:
    """Add Gaussian noise to the gallery's features.

    Args:
        features: of any kind.
        length: expected length of the noise, in lengths of the feature it is added to.
        seed: of the noise.

    Returns:
        The same rows and labels.
    """
    gallery = features.gallery
    generator = torch.Generator().manual_seed(int(np.random.default_rng(seed).integers(2**63)))
    noise = torch.randn(gallery.shape, generator=generator, dtype=gallery.dtype)
    scale = length * gallery.norm(dim=1, keepdim=True) / gallery.shape[1] ** 0.5
    return Features(
        features.query, gallery + scale * noise, features.query_pids, features.gallery_pids,
        features.query_cams, features.gallery_cams,
    )  # fmt: skip


def some_queries(features: Features, count: int, seed: Sequence[int]) -> Features:
    """Keep so many queries, drawn at random.

    Args:
        features: of any kind.
        count: queries, at most as many as there are.
        seed: of the draw.

    Returns:
        The kept queries in the order of the draw: fewer are the first of more; all of the gallery.
    """
    order = np.random.default_rng(seed).permutation(len(features.query))
    return features.select(order[:count], np.arange(len(features.gallery)))


def most_images(features: Features) -> int:
    """Gallery images of the identity that has most."""
    return int(np.unique(_labels(features.gallery_pids), return_counts=True)[1].max())


def _labels(labels: Tensor | None) -> NDArray[np.int64]:
    assert labels is not None, "trials are labelled"
    return labels.numpy()
