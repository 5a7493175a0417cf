"""Approximate gallery neighbours, for galleries whose exact ones would take hours.

Needs the extra `large`. Only which neighbours are found is approximate: their distances and their
order are exact.
"""

from __future__ import annotations

import logging
from functools import partial

import numpy as np
import torch
from torch import Tensor

from simgraph._arrays import Floats, Ints
from simgraph.distances import CenteredRows, k_smallest, l2_blocks, nearest_neighbors
from simgraph.kernels._threads import one_thread_per_product, parallel_map
from simgraph.kernels.csr import group_by_key
from simgraph.kernels.inverted_file import merge_list_topk
from simgraph.kernels.nn_descent import add_reverse_neighbors, neighbors_of_neighbors
from simgraph.search.inverted_file import InvertedFile, drawn

logger = logging.getLogger(__name__)

# Rows of one matrix product: with more, these narrow ones are slow.
_PRODUCT = 512
# Rounds over the neighbours' neighbours, and rows that recall is measured on.
_ROUNDS, _SAMPLE = 2, 1000


def approximate_neighbors(
    rows: CenteredRows, k: int, probes: int
) -> tuple[tuple[Tensor, Tensor], float, InvertedFile]:
    """The k nearest other rows of each row, most of them, and the share that was found.

    Each row looks into the lists nearest to it. Then, twice, neighbours become mutual where that
    helps, and each row looks at its neighbours' neighbours: two that share a list are soon known
    to all that are near either.

    Args:
        rows: features [Ng, D] on the CPU.
        k: 0 <= k < Ng.
        probes: lists looked into, >= 1; all of them is exact.

    Returns:
        distances [Ng, k], ascending, and indices [Ng, k]; the recall: the share of neighbours
        no farther than the k-th exact one, on up to 1000 rows drawn at random; and the lists.

    Source: Sivic and Zisserman, ICCV 2003; neighbours' neighbours after Dong et al., WWW 2011.
    """
    file, near = InvertedFile.of(rows.features, probes)
    logger.info("%d lists, %d looked into for each image", len(file.centers), near.shape[1])
    if k == 0 or near.shape[1] == len(file.centers):
        return nearest_neighbors(rows.features, k), 1.0, file
    values, index = _in_lists(rows, k, file, near)
    for _ in range(_ROUNDS):
        values, index = add_reverse_neighbors(values, index)
        values, index = neighbors_of_neighbors(rows.features.numpy(), file.list_members, index)
    distances, neighbors = torch.from_numpy(values).sqrt_(), torch.from_numpy(index).long()
    lonely = (neighbors < 0).any(1).nonzero().squeeze(1)
    if len(lonely):  # their lists hold too few
        distances[lonely], neighbors[lonely] = _nearest(rows, lonely, k)
    recall = _recall(rows, distances)
    logger.info("recall of gallery neighbours: %.4f", recall)
    return (distances, neighbors), recall, file


def _in_lists(rows: CenteredRows, k: int, file: InvertedFile, near: Tensor) -> tuple[Floats, Ints]:
    """The k nearest others of each row in its lists: squared distances, and indices or -1."""
    values = np.full((len(rows), k), np.inf, rows.features.numpy().dtype)
    index = np.full((len(rows), k), -1, np.int32)
    everyone = np.arange(len(rows), dtype=np.int32).repeat(near.shape[1])
    ptr, looking = group_by_key(near.reshape(-1).numpy(), everyone, len(file.centers))
    with one_thread_per_product() as threads:
        for c in range(len(file.centers)):
            members = file.list_members[file.list_ptr[c] : file.list_ptr[c + 1]]
            wanted = looking[ptr[c] : ptr[c + 1]]
            y = rows[torch.from_numpy(members)]
            parts = [wanted[i : i + _PRODUCT] for i in range(0, len(wanted), _PRODUCT)]
            parallel_map(partial(_look, rows, y, members, values, index), parts, threads)
    # What all distances of a row have in common.
    values += rows.squares.numpy()[:, None]
    return values, index


def _look(
    rows: CenteredRows, y: CenteredRows, members: Ints, values: Floats, index: Ints, wanted: Ints
) -> None:
    """Some rows look into a list."""
    x = rows.columns.index_select(0, torch.from_numpy(wanted))
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
    """Share of neighbours no farther than the k-th exact one, but for rounding."""
    own = drawn(len(rows), _SAMPLE)
    farthest = _nearest(rows, own, distances.shape[1])[0][:, -1:]
    return float((distances[own] <= farthest * (1 + 1e-5)).float().mean())
