"""Approximate gallery neighbors, for galleries whose exact ones would take hours.

Needs the extra `large`. Only the choice of neighbors is approximate: their distances and their
order are exact.
"""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import torch
from torch import Tensor

from simgraph._arrays import Floats, Ints
from simgraph._exact_products import exact_products
from simgraph.distances import CenteredRows, k_smallest, l2_blocks, nearest_neighbors
from simgraph.kernels._threads import pool_of_products
from simgraph.kernels.csr import group_by_key
from simgraph.kernels.inverted_file import merge_list_topk
from simgraph.kernels.nn_descent import add_reverse_neighbors, neighbors_of_neighbors
from simgraph.search.inverted_file import InvertedFile, random_rows

logger = logging.getLogger(__name__)

# Rows per matrix product: these narrow products are slow with more.
_PRODUCT = 512
# Rounds of NN-descent, and rows on which recall is measured.
_ROUNDS, _SAMPLE = 2, 1000


def approximate_neighbors(
    rows: CenteredRows, k: int, num_probes: int
) -> tuple[tuple[Tensor, Tensor], float, InvertedFile]:
    """Find most of the k nearest other rows of each row, and measure the share that was found.

    Each row probes the lists whose centers are nearest to it. Then, in each of two rounds, the
    lists of neighbors take in reverse neighbors, and each row tries the neighbors of its
    neighbors: two rows that share a list soon become known to all rows near either of them.

    Args:
        rows: features [Ng, D] on the CPU.
        k: 0 <= k < Ng.
        num_probes: lists to probe, >= 1; all of them is exact.

    Returns:
        distances [Ng, k], ascending, and indices [Ng, k]; the recall: the share of neighbors
        no farther than the k-th exact one, on up to 1000 random rows; and the lists.

    Source: Sivic and Zisserman, ICCV 2003; neighbors of neighbors after Dong et al., WWW 2011.
    """
    file, near = InvertedFile.of(rows.features, num_probes)
    logger.info("%d lists, %d probed per image", len(file.centers), near.shape[1])
    if k == 0 or near.shape[1] == len(file.centers):
        return nearest_neighbors(rows.features, k), 1.0, file
    values, index = _probe_lists(rows, k, file, near)
    for _ in range(_ROUNDS):
        values, index = add_reverse_neighbors(values, index)
        values, index = neighbors_of_neighbors(rows.features.numpy(), file.list_members, index)
    distances, neighbors = torch.from_numpy(values).sqrt_(), torch.from_numpy(index).long()
    incomplete = (neighbors < 0).any(1).nonzero().squeeze(1)
    if len(incomplete):  # their lists hold fewer than k images
        distances[incomplete], neighbors[incomplete] = _nearest(rows, incomplete, k)
    recall = _recall(rows, distances)
    logger.info("recall of gallery neighbors: %.4f", recall)
    return (distances, neighbors), recall, file


def _probe_lists(
    rows: CenteredRows, k: int, file: InvertedFile, near: Tensor
) -> tuple[Floats, Ints]:
    """The k nearest others of each row in its lists: squared distances, and indices or -1."""
    values = np.full((len(rows), k), np.inf, rows.features.numpy().dtype)
    index = np.full((len(rows), k), -1, np.int32)
    all_rows = np.arange(len(rows), dtype=np.int32).repeat(near.shape[1])
    ptr, probing = group_by_key(near.reshape(-1).numpy(), all_rows, len(file.centers))
    # List by list: a row may probe several, and its neighbors must not change in two threads.
    with pool_of_products() as pool:
        for c in range(len(file.centers)):
            members = file.list_members[file.list_ptr[c] : file.list_ptr[c + 1]]
            wanted = probing[ptr[c] : ptr[c + 1]]
            y = rows[torch.from_numpy(members)]
            parts = [wanted[i : i + _PRODUCT] for i in range(0, len(wanted), _PRODUCT)]
            list(pool.map(partial(_scan_list, rows, y, members, values, index), parts))
    # The term that all distances of a row share, left out until here.
    values += rows.squares.numpy()[:, None]
    return values, index


def _scan_list(
    rows: CenteredRows, y: CenteredRows, members: Ints, values: Floats, index: Ints, wanted: Ints
) -> None:
    """Compare some rows with all members of a list, up to the term |x|² of each row."""
    x = rows.columns.index_select(0, torch.from_numpy(wanted))
    with exact_products("cpu"):
        d = torch.addmm(y.squares, x, y.columns.T, alpha=-2)
    merge_list_topk(d.numpy(), wanted, members, values, index)


def _nearest(rows: CenteredRows, wanted: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """The k nearest others of the wanted rows, exactly."""
    found = []
    for part, d in l2_blocks(rows.features[wanted], rows):
        d[torch.arange(len(d)), wanted[part]] = torch.inf
        found.append(k_smallest(d, k))
    values, index = (torch.cat(parts) for parts in zip(*found, strict=True))
    return values, index


def _recall(rows: CenteredRows, distances: Tensor) -> float:
    """Share of neighbors no farther than the k-th exact one, up to rounding."""
    sample = random_rows(len(rows), _SAMPLE)
    farthest = _nearest(rows, sample, distances.shape[1])[0][:, -1:]
    return float((distances[sample] <= farthest * (1 + 1e-5)).float().mean())
