"""What the authors' released code computes, for those who reproduce their table.

It differs from the paper, and from the rest of this package, in six places:

1. k counts the node itself: SGR looks at k − 1 neighbors and the direct edge.
2. SGR overwrites column j before it computes column j + 1, so later columns read earlier results.
3. d_S is squared and divided by the query's largest value over the gallery, and each row of
   D_gg likewise.
4. N_c has k_q + 1 members, chosen by that scaled distance (published k_q: 12).
5. Sets overlap by weight: exp(−d) over the set, summing to 1; with m the sum of the smaller
   weights, d_M = 1 − m / (2 − m).
6. α weighs the scaled d_S.

The settings published with it for RegDB: λ = 0.1, K = 5, k_q = 9, α = 0.7.
"""

from __future__ import annotations

import torch
from torch import Tensor

from simgraph._params import check_graph_params, require_int
from simgraph.distances import k_smallest, nearest_in_distances, row_blocks
from simgraph.kernels.csr import ReciprocalSets, gather_rows
from simgraph.sim.mnnr import neighbor_sets
from simgraph.sim.params import SIMParams


def check(params: SIMParams, num_gallery: int) -> None:
    """Raise ValueError for parameters that sim refuses on a gallery of this size."""
    check_sgr(params, num_gallery)
    check_mnnr(params, num_gallery)


def check_sgr(params: SIMParams, num_gallery: int) -> None:
    """Raise ValueError for parameters that sgr refuses on a gallery of this size."""
    require_numbers(params)
    check_graph_params(params.k, params.lam, None, num_gallery)
    require_int("num_paths", params.num_paths, 1)
    if params.num_paths > params.k:
        raise ValueError(
            f"num_paths = {params.num_paths} must be at most k = {params.k}: "
            "in the authors' code k counts the node itself"
        )


def check_mnnr(params: SIMParams, num_gallery: int) -> None:
    """Raise ValueError for parameters that mnnr refuses on a gallery of this size."""
    require_numbers(params)
    params.check_mnnr(num_gallery)
    if params.k_query == num_gallery:
        raise ValueError(
            f"k_query = {params.k_query} must be less than num_gallery = {num_gallery}: "
            "in the authors' code N_c has k_query + 1 members"
        )


def require_numbers(params: SIMParams) -> None:
    """Raise ValueError where a parameter is `"auto"`, which chooses by the paper's equations."""
    if params.has_auto:
        raise ValueError(
            "'auto': expected numbers, which the authors' methods need, got k, num_paths, k_query, "
            f"k_gallery = {params.k}, {params.num_paths}, {params.k_query}, {params.k_gallery}; "
            "'auto' is for the methods sgr, mnnr and sim"
        )


def sim(
    d_qg: Tensor,
    d_gg: Tensor,
    lam: float,
    k: int,
    num_paths: int,
    k_query: int,
    k_gallery: int,
    alpha: float,
    expand: bool,
) -> Tensor:
    """d_SIM [Nq, Ng] of the authors' code: sgr, then mnnr; see there for the arguments."""
    d_s = sgr(d_qg, d_gg, lam, k, num_paths)
    return mnnr(d_s, d_gg, k_query, k_gallery, alpha, expand)


def sgr(d_qg: Tensor, d_gg: Tensor, lam: float, k: int, num_paths: int) -> Tensor:
    """SGR in place: each column is replaced before the next one is computed.

    Args:
        d_qg: [Nq, Ng].
        d_gg: [Ng, Ng].
        lam: λ in [0, 1].
        k: neighbors of each gallery image, itself counted, 1 <= k < Ng.
        num_paths: K, 1..k.

    Returns:
        [Nq, Ng], a new matrix, without gradient.
    """
    distances, neighbors = nearest_in_distances(d_gg, k - 1)
    own = torch.arange(len(d_gg), device=d_gg.device)[:, None]
    via = torch.cat([own, neighbors], dim=1)
    last_hop = lam * torch.nn.functional.pad(distances, (1, 0))
    # Columns as rows, so that each step reads k contiguous runs. clone, because contiguous would
    # return the caller's own memory for a single query.
    columns = d_qg.detach().T.clone(memory_format=torch.contiguous_format)
    for j in range(len(columns)):
        paths = columns[via[j]] + last_hop[j, :, None]
        columns[j] = paths.sort(dim=0).values[:num_paths].mean(0)
    return columns.T.contiguous()


def mnnr(
    d: Tensor, d_gg: Tensor, k_query: int, k_gallery: int, alpha: float, expand: bool
) -> Tensor:
    """The fused distance: α · scaled d + (1 − α) · weighted Jaccard distance.

    Args:
        d: [Nq, Ng], d_S; or D_qg to leave SGR out.
        d_gg: [Ng, Ng].
        k_query: k_q, 1..Ng − 1.
        k_gallery: k_g, neighbors besides the node itself.
        alpha: α in [0, 1].
        expand: whether to expand the reciprocal sets.

    Returns:
        [Nq, Ng].
    """
    sets, set_weight = _weighted_sets(d_gg, k_gallery, expand)
    blocks = []
    for rows in row_blocks(len(d), 32 * d.shape[1]):
        scaled = _scale(d[rows])
        values, nearest = k_smallest(scaled, k_query + 1)
        m = _shared_weight(torch.softmax(-values, dim=1), nearest, sets, set_weight, d.shape[1])
        blocks.append(alpha * scaled + (1 - alpha) * (1 - m / (2 - m)))
    return torch.cat(blocks)


def _scale(d: Tensor) -> Tensor:
    """Squares of each row over the row's largest; a row of zeros stays one."""
    squared = d.square()
    largest = squared.amax(dim=1, keepdim=True)
    return squared / torch.where(largest > 0, largest, 1)


def _weighted_sets(d_gg: Tensor, k: int, expand: bool) -> tuple[ReciprocalSets, Tensor]:
    """R* of every gallery image and each member's weight exp(−d), 1 in sum over the set."""
    n = len(d_gg)
    sets = neighbor_sets(nearest_in_distances(d_gg, k)[1], k, expand)
    largest = torch.cat(
        [
            _others(d_gg, rows).square().amax(1)
            for rows in row_blocks(n, 3 * n * d_gg.element_size())
        ]
    )
    squared = d_gg[sets.owner, sets.member].square().masked_fill(sets.owner == sets.member, 0)
    scaled = squared / torch.where(largest > 0, largest, 1)[sets.owner]
    weight = torch.exp(-scaled)
    total = weight.new_zeros(n).index_add_(0, sets.owner, weight)
    return sets, weight / total[sets.owner]


def _others(d_gg: Tensor, rows: slice) -> Tensor:
    """Rows of D_gg with each image at distance 0 from itself, for any diagonal."""
    own = torch.arange(rows.start, rows.stop, device=d_gg.device)
    return d_gg[rows].index_put((own - rows.start, own), d_gg.new_zeros(()))


def _shared_weight(
    weight: Tensor, nearest: Tensor, sets: ReciprocalSets, set_weight: Tensor, num_gallery: int
) -> Tensor:
    """M [B, Ng]: the sum over shared members of the smaller of both weights."""
    shared = weight.new_zeros(len(weight) * num_gallery)
    row = torch.arange(len(weight), device=weight.device).repeat_interleave(weight.shape[1])
    which, place = gather_rows(sets.ptr, nearest.reshape(-1))
    smaller = torch.minimum(weight.reshape(-1)[which], set_weight[place])
    shared.index_add_(0, row[which] * num_gallery + sets.owner[place], smaller)
    return shared.view(-1, num_gallery)
