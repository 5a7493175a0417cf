"""Approximate gallery neighbours, for galleries whose exact ones would take hours.

Needs the extra `large`. Only which neighbours are found is approximate: their distances and their
order are exact.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

from simgraph.distances import CenteredRows, k_smallest, l2_blocks

logger = logging.getLogger(__name__)

# Images each centre is trained on, rounds of it, and rows that recall is measured on.
_TRAINED, _ROUNDS, _SAMPLE = 40, 5, 1000
# Rows of one call to faiss.
_ROWS = 2**16


def approximate_neighbors(rows: CenteredRows, k: int, probes: int) -> tuple[Tensor, Tensor, float]:
    """The k nearest other rows of each row, most of them, and the share that was found.

    An inverted file: the rows are dealt to 2·√Ng lists by their nearest k-means centre, and the
    rows of a list look for neighbours in the lists whose centres are nearest to its own. So the
    work is one matrix product a list.

    Args:
        rows: features [Ng, D] on the CPU.
        k: 0 <= k < Ng.
        probes: lists looked into, >= 1; more where those hold too few. All of them is exact.

    Returns:
        distances [Ng, k], ascending, indices [Ng, k], and the recall: the share of neighbours
        no farther than the k-th exact one, on up to 1000 rows drawn at random.

    Source: Sivic and Zisserman, ICCV 2003; k-means of Douze et al., The Faiss library, 2024.
    """
    lists, order = _inverted_file(rows.features)
    values = rows.features.new_empty((len(rows), k))
    index = torch.empty((len(rows), k), dtype=torch.long)
    for members, near in zip(lists, order, strict=True):
        if len(members):
            among = _probed(lists, near, probes, k)
            values[members], index[members] = _nearest(rows, members, among, k)
    recall = _recall(rows, values)
    logger.info("%d lists, %d looked into: recall %.4f", len(lists), probes, recall)
    return values, index, recall


def _inverted_file(x: Tensor) -> tuple[list[Tensor], Tensor]:
    """The rows of each list, and for each list all lists by the distance of their centres."""
    faiss = _faiss()
    count = min(len(x), round(2 * len(x) ** 0.5))
    means = faiss.Kmeans(
        x.shape[1], count, niter=_ROUNDS, seed=0, min_points_per_centroid=1,
        max_points_per_centroid=_TRAINED,
    )  # fmt: skip
    means.train(x[_drawn(len(x), _TRAINED * count)].float().numpy())
    parts = [means.index.search(part.float().numpy(), 1)[1] for part in torch.split(x, _ROWS)]
    owner = torch.cat([torch.from_numpy(part[:, 0]) for part in parts])
    sizes = torch.bincount(owner, minlength=count).tolist()
    lists = list(torch.split(owner.argsort(stable=True), sizes))
    centers = torch.from_numpy(means.centroids)
    return lists, torch.cdist(centers, centers).argsort(1)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "approximate neighbours need faiss: pip install 'simgraph[large]'"
        ) from error
    return faiss


def _probed(lists: list[Tensor], near: Tensor, probes: int, k: int) -> Tensor:
    """The rows, ascending, of the nearest lists: of so many, or more to have k + 1 rows."""
    among = torch.cat([lists[i] for i in near[:probes]])
    while len(among) <= k:
        probes *= 2
        among = torch.cat([lists[i] for i in near[:probes]])
    return among.sort().values


def _nearest(
    rows: CenteredRows, wanted: Tensor, among: Tensor | slice, k: int
) -> tuple[Tensor, Tensor]:
    """The k nearest others of the wanted rows among some rows, ascending, or all."""
    everyone = torch.arange(len(rows))[among]
    own = torch.searchsorted(everyone, wanted)
    found = []
    for part, d in l2_blocks(rows.features[wanted], rows[among]):
        d[torch.arange(len(d)), own[part]] = torch.inf
        found.append(k_smallest(d, k))
    values, place = (torch.cat(parts) for parts in zip(*found, strict=True))
    return values, everyone[place]


def _recall(rows: CenteredRows, values: Tensor) -> float:
    """Share of neighbours no farther than the k-th exact one, but for rounding."""
    own, k = _drawn(len(rows), _SAMPLE), values.shape[1]
    if k == 0:
        return 1.0
    farthest = _nearest(rows, own, slice(None), k)[0][:, -1:]
    return float((values[own] <= farthest * (1 + 1e-5)).float().mean())


def _drawn(num_rows: int, count: int) -> Tensor:
    """Up to count rows at random, the same each time, ascending."""
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(num_rows, generator=generator)[:count].sort().values
