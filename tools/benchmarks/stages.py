"""The stages of SIM, the lower bound (floor), and the plain implementations."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from benchmarks import plain
from benchmarks.timing import Stages, best_times
from simgraph.distances import l2_distance, nearest_neighbors
from simgraph.rerankers import rerank
from simgraph.search import SIMIndex
from simgraph.sim.fusion import fuse, sim_distance
from simgraph.sim.mnnr import neighbor_sets
from simgraph.sim.params import SIMParams
from simgraph.sim.sgr import two_hop_distances

DEFAULTS = SIMParams()
K = DEFAULTS.k

FLOOR = "floor: both products and top-k"
PRODUCT = "one product Nq × Ng × D"
SGR = "SGR"
SETS = "reciprocal sets"
MNNR = "MNNR and fusion"
WHOLE = "whole, from features"
PLAIN_SEARCH = "one query: plain row and top-20"
INDEX_SEARCH = "one query: SIMIndex.search, top 20"
EXACT_SEARCH = "one query: SIMIndex.search, top 20, all lists"

# Bytes above which D_gg, or a plain implementation that holds as much, is skipped.
_DENSE_LIMIT = 2 * 2**30
# Peak bytes of `plain.k_reciprocal` per pair of images.
_RECIPROCAL_BYTES = 24


def sim_stages(query: Tensor, gallery: Tensor) -> Stages:
    """The floor, and each stage from features of length 1 to d_SIM.

    Args:
        query: [Nq, D].
        gallery: [Ng, D].

    Returns:
        The stages, ready to run: each finds its inputs made.
    """
    d_qg = l2_distance(query, gallery)
    nearest = nearest_neighbors(gallery, K)
    d_s = two_hop_distances(d_qg, nearest, DEFAULTS)
    sets = neighbor_sets(nearest[1], DEFAULTS.k_gallery, True)
    stages: Stages = {
        FLOOR: lambda: plain.products_and_topk(query, gallery, K),
        PRODUCT: lambda: query @ gallery.T,
        "distances D_qg": lambda: l2_distance(query, gallery),
        "gallery neighbors": lambda: nearest_neighbors(gallery, K),
        SGR: lambda: two_hop_distances(d_qg, nearest, DEFAULTS),
        SETS: lambda: neighbor_sets(nearest[1], DEFAULTS.k_gallery, True),
        MNNR: lambda: fuse(d_s, sets, DEFAULTS),
        WHOLE: lambda: rerank(query, gallery, normalize=False),
    }
    if len(gallery) ** 2 * gallery.element_size() < _DENSE_LIMIT:
        d_gg = l2_distance(gallery, gallery)
        stages["whole, from distances"] = lambda: sim_distance(d_qg, d_gg)
    return stages


def plain_stages(query: Tensor, gallery: Tensor) -> tuple[Stages, list[str]]:
    """The plain implementations, and which were skipped and why.

    Args:
        query: [Nq, D].
        gallery: [Ng, D].

    Returns:
        The stages, and notes.
    """
    d_qg, nearest = l2_distance(query, gallery), nearest_neighbors(gallery, K)
    stages: Stages = {
        "plain SGR: gather and top-k": lambda: plain.sgr(
            d_qg, *nearest, DEFAULTS.lam, DEFAULTS.num_paths
        )
    }
    images = len(query) + len(gallery)
    needed = images**2 * _RECIPROCAL_BYTES
    if needed >= _DENSE_LIMIT:
        return stages, [
            f"k-reciprocal re-ranking as published is left out: its matrices over {images} images "
            f"would take {needed / 2**30:.0f} GiB"
        ]
    numbers = query.cpu().numpy(), gallery.cpu().numpy()
    stages["plain k-reciprocal re-ranking"] = lambda: plain.k_reciprocal(*numbers)
    return stages, []


def search_times(
    index: SIMIndex, query: Tensor, gallery: Tensor, device: str, repeats: int
) -> dict[str, float]:
    """Time single queries, plain and by the index: the median over queries of each best time.

    Args:
        index: of the gallery.
        query: [B, D], rows of length 1.
        gallery: [Ng, D], likewise.
        device: `"cpu"` or `"cuda"`.
        repeats: rounds that count.

    Returns:
        Seconds by name.
    """
    squares = gallery.square().sum(1)
    best = []
    for one in torch.split(query, 1):
        ways: Stages = {
            PLAIN_SEARCH: partial(plain.row_and_topk, one[0], gallery, squares, 20),
            INDEX_SEARCH: partial(index.search, one, 20),
        }
        if index.num_lists:
            ways[EXACT_SEARCH] = partial(index.search, one, 20, index.num_lists)
        best.append(best_times(ways, device, repeats))
    medians = {name: torch.tensor([b[name] for b in best]).median() for name in best[0]}
    return {name: float(seconds) for name, seconds in medians.items()}


def answer_recalls(index: SIMIndex, query: Tensor, probes: list[int]) -> dict[str, float]:
    """Share of the 20 nearest by d_SIM that a search of a few lists finds.

    Args:
        index: with lists.
        query: [B, D].
        probes: how many lists to look into, one search each.

    Returns:
        The shares by name.
    """
    exact = index.search(query, 20, index.num_lists)[1]
    recalls = {}
    for count in probes:
        found = index.search(query, 20, count)[1]
        share = (found[:, :, None] == exact[:, None]).any(1).float().mean()
        recalls[f"recall of the top 20, {count} lists probed"] = float(share)
    return recalls
