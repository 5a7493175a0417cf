"""Diffusion: random walks with restart over the gallery, from each query's nearest images."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csr_array
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair, like_inputs
from simgraph._memory import DEFAULT, require_room
from simgraph._params import require_at_most, require_fraction, require_positive
from simgraph.distances import k_smallest, row_blocks
from simgraph.rerankers.distance_source import DistanceSource, FeatureDistances, similarity
from simgraph.rerankers.method import Method
from simgraph.rerankers.sparse import scaled_rows, sparse_rows

# The solver stops at this length of the residual, relative to that of the start.
_TOLERANCE = 1e-8


@torch.no_grad()
def diffusion(
    query: ArrayT,
    gallery: ArrayT,
    *,
    k: int = 50,
    k_query: int = 10,
    gamma: float = 3.0,
    alpha: float = 0.99,
    normalize: bool = True,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Distances by how often a random walk from the query's nearest images visits each image.

    $$f = (I - \alpha D^{-1/2} W D^{-1/2})^{-1} y, \qquad
      d(q, g) = 1 - \frac{f_g}{\max_h f_h}$$

    W holds max(0, s)^γ between gallery images that are among each other's k nearest, y the same
    between the query and its k_query nearest; s is the cosine. The gallery's graph contains
    no query, so new queries are computed exactly; nothing is truncated. Images that no walk reaches
    come last, at 1 + their direct distance.

    Args:
        query: [Nq, D], floating, numpy or torch.
        gallery: [Ng, D], the same.
        k: mutual neighbors, the image itself counted, 1..Ng.
        k_query: gallery images a walk starts from, 1..Ng.
        gamma: γ > 0, exponent of the similarities.
        alpha: α in [0, 1), the probability that a walk continues.
        normalize: scale every feature row to length 1 first; else rows must have that length.
        memory: budget of the call in addition to its inputs, in bytes or as text.

    Returns:
        [Nq, Ng], >= 0; without gradient.

    Raises:
        ValueError: for bad features, parameters out of range, or a budget that does not hold the
            answer.

    Source: Iscen et al., CVPR 2017, and Yang et al., AAAI 2019, whose offline step is the same
    system, truncated.
    """
    q, g = feature_pair(query, gallery, normalize)
    distances = FeatureDistances(q, g)
    return like_inputs(from_distances(distances, k, k_query, gamma, alpha, memory), query, gallery)


@torch.no_grad()
def from_distances(
    distances: DistanceSource,
    k: int,
    k_query: int,
    gamma: float,
    alpha: float,
    memory: str | int = DEFAULT,
) -> Tensor:
    """The same from distances; see diffusion."""
    distances.require_unit()
    require_at_most("k", k, 1, distances.num_gallery, "Ng")
    require_at_most("k_query", k_query, 1, distances.num_gallery, "Ng")
    require_positive("gamma", gamma)
    require_fraction("alpha", alpha)
    if alpha == 1:
        raise ValueError("alpha = 1 must be less than 1: the walk would never end")
    entries = 6 * distances.num_gallery * k + distances.num_queries * k_query
    require_room("diffusion", memory, (distances.num_queries, distances.num_gallery), 3, entries)
    d_qg = distances.query_gallery()
    near, index = k_smallest(d_qg, k_query)
    start = similarity(near).clamp_(min=0).pow_(gamma)
    spread = _spread(distances, k, gamma, alpha)
    for rows in row_blocks(len(d_qg), 48 * distances.num_gallery):
        starts = sparse_rows(index[rows], start[rows].double(), distances.num_gallery).toarray()
        reached = torch.from_numpy(_solve(spread, starts.T).T).to(d_qg.device)
        most = reached.amax(1, keepdim=True)
        closeness = (reached / torch.where(most > 0, most, 1)).to(d_qg.dtype)
        d_qg[rows] = torch.where(closeness > 0, 1 - closeness, 1 + d_qg[rows])
    return d_qg


def _spread(distances: DistanceSource, k: int, gamma: float, alpha: float) -> csr_array:
    """α D^(−1/2) W D^(−1/2) [Ng, Ng], symmetric."""
    near, index = distances.gallery_neighbors(k - 1)
    affinity = similarity(near).clamp_(min=0).pow_(gamma).double()
    directed = sparse_rows(index, affinity, distances.num_gallery)
    listed = sparse_rows(index, torch.ones_like(affinity), distances.num_gallery)
    mutual = directed.multiply(listed.T).tocsr()
    mutual = (mutual + mutual.T) / 2
    degree = np.asarray(mutual.sum(axis=1))
    root = np.sqrt(np.divide(1, degree, out=np.zeros_like(degree), where=degree > 0))
    return alpha * scaled_rows(scaled_rows(mutual, root).T.tocsr(), root)


def _solve(spread: csr_array, starts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve x − spread·x = start by conjugate gradients, for each column [Ng, B] at once."""
    x, residual, step = np.zeros_like(starts), starts.copy(), starts.copy()
    error = (residual**2).sum(0)
    wanted = _TOLERANCE**2 * error
    for _ in range(len(starts)):
        if (error <= wanted).all():
            break
        applied = step - spread @ step
        curvature = (step * applied).sum(0)
        length = np.divide(error, curvature, out=np.zeros_like(error), where=curvature > 0)
        x += length * step
        residual -= length * applied
        before, error = error, (residual**2).sum(0)
        step *= np.divide(error, before, out=np.zeros_like(error), where=before > 0)
        step += residual
    return x


METHOD = Method(
    "diffusion",
    diffusion,
    from_distances=from_distances,
    transductive=False,
    needs="distances",
    cost="gallery distances Ng² by blocks, some 100 sparse products with Nq columns",
    source="Iscen et al., CVPR 2017; Yang et al., AAAI 2019",
)
