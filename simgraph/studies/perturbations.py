"""Perturbed test sets: fewer images per identity, distractors, noise, fewer queries.

Each is drawn by a seed. With the same seed the smaller of two draws is part of the larger.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph.features import Features


def images_per_identity(features: Features, most: int, seed: Sequence[int]) -> Features:
    """Draw at most `most` gallery images per identity.

    Args:
        features: with gallery identities.
        most: images per identity, at least 1.
        seed: of the draw.

    Returns:
        All queries; the drawn gallery rows in their original order.
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
    """Keep the queries of half of the identities; add a share of the other half to the gallery.

    Args:
        features: with query and gallery identities.
        share: of the identities of the other half, the distractors, in [0, 1].
        seed: of the halves and the order in which distractors are added.

    Returns:
        The queries of the first half, the same for any share; gallery rows in their original
        order.
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
        features: with or without labels.
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
        features.query_cams, features.gallery_cams, features.query_names, features.gallery_names,
    )  # fmt: skip


def some_queries(features: Features, count: int, seed: Sequence[int]) -> Features:
    """Draw some of the queries.

    Args:
        features: with or without labels.
        count: of queries, at most their number.
        seed: of the draw.

    Returns:
        The queries in the order of the draw, so that fewer are the first of more; the whole
        gallery.
    """
    order = np.random.default_rng(seed).permutation(len(features.query))
    return features.select(order[:count], np.arange(len(features.gallery)))


def most_images(features: Features) -> int:
    """The number of gallery images of the identity with the most."""
    return int(np.unique(_labels(features.gallery_pids), return_counts=True)[1].max())


def _labels(labels: Tensor | None) -> NDArray[np.int64]:
    assert labels is not None, "trials are labeled"
    return labels.numpy()
