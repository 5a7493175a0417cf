"""The inner loops, with one implementation per device and one signature for all of them.

`reference` is in torch, for any device; `cpu` is in numba; `cuda` is in triton, where that is
installed. The device of the tensors selects the implementation, so callers never ask for it. All
tensors of a call are on one device. Inputs are not checked here and carry no gradient. A function
that fills a tensor in place says so.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from torch import Tensor

from simgraph.kernels._constants import CANCELLED, LANES
from simgraph.kernels.csr import ReciprocalSets

__all__ = [
    "CANCELLED",
    "LANES",
    "ReciprocalSets",
    "distances_of_products",
    "jaccard_fuse",
    "match_ranks",
    "mean_k_shortest",
    "merge_topk",
    "reciprocal_sets",
    "topk_smallest",
]


def _kernels(tensor: Tensor) -> ModuleType:
    # Imported on demand: numba and triton take their time, and triton is not always installed.
    device = tensor.device.type
    name = "reference"
    if device == "cpu" or (device == "cuda" and find_spec("triton") is not None):
        name = device
    return import_module(f"simgraph.kernels.{name}")


def distances_of_products(
    products: Tensor, x: Tensor, y: Tensor, x_squares: Tensor, y_squares: Tensor
) -> Tensor:
    r"""Euclidean distances from inner products, in place.

    $$d_{ij} = \sqrt{\max(|x_i|^2 + |y_j|^2 - 2 p_{ij}, 0)}$$

    A pair whose d² is below `CANCELLED` · (|x|² + |y|²) has lost its digits to the subtraction. It
    is computed again from x − y, so equal rows are at exactly 0.

    Args:
        products: p = x yᵀ [N, M]; overwritten by the distances.
        x: [N, D].
        y: [M, D].
        x_squares: |x|² [N].
        y_squares: |y|² [M].

    Returns:
        The distances [N, M], in the memory of `products`.
    """
    d: Tensor = _kernels(products).distances_of_products(products, x, y, x_squares, y_squares)
    return d


def topk_smallest(d: Tensor, k: int, own: int | None = None) -> tuple[Tensor, Tensor]:
    """Find the k smallest values of each row, ascending, with ties to the lower column.

    Args:
        d: [N, M], without NaN.
        k: 1 <= k <= M, less than M with `own`.
        own: if given, row i excludes its column own + i.

    Returns:
        values [N, k] and columns [N, k] (int64).
    """
    values, index = _kernels(d).topk_smallest(d, k, own)
    return values, index


def merge_topk(values: Tensor, index: Tensor, d: Tensor, first: int, rows: bool = True) -> None:
    """Merge a block of further columns into the k smallest of each row, in place.

    Blocks must come in the order of their columns: among equal values the lower column stays.

    Args:
        values: [N, k], the smallest so far, ascending; `inf` where there are fewer.
        index: [N, k] int64, their columns.
        d: [N, B] distances to columns first, first + 1, …; or [B, N] with `rows=False`, where
            each column of d is one of the N.
        first: the column that d starts at.
        rows: whether the N are the rows of d or its columns.
    """
    _kernels(d).merge_topk(values, index, d, first, rows)


def mean_k_shortest(
    direct: Tensor,
    legs: Tensor,
    neighbors: Tensor,
    weight: Tensor,
    num_paths: int,
    targets: Tensor | None = None,
) -> Tensor:
    r"""Mean of the K shortest among the direct edge and the paths through neighbors (Eq. 4–5).

    $$\mathrm{mean}_K \{\mathrm{direct}_{qj}\} \cup \{\mathrm{legs}_{qt} + w_{jt} : t \in N(j)\}$$

    The sum runs from the smallest upwards. Values of `inf` are no paths: fewer than K paths give
    the mean of those, none gives `inf`.

    Args:
        direct: [Nq, Ng]; `inf` where there is no edge.
        legs: [Nq, Ng], length of the first leg to each gallery image; `direct` for two hops.
        neighbors: [T, k] int64, gallery images.
        weight: [T, k], lengths of the last hops.
        num_paths: K >= 1.
        targets: [T] int64, the gallery images that the rows of `neighbors` belong to; None: all.

    Returns:
        [Nq, T].
    """
    means: Tensor = _kernels(direct).mean_k_shortest(
        direct, legs, neighbors, weight, num_paths, targets
    )
    return means


def reciprocal_sets(neighbors: Tensor, k: int, expand: bool) -> ReciprocalSets:
    """Build R(g, k), expanded to R*(g) if asked, of every gallery image.

    R(g, k) holds g and those of its k nearest that have g among their k nearest. The expansion
    adds R(c, k/2) of every member c of which more than 2/3 lies in R(g, k), with k/2 rounded half
    to even.

    Args:
        neighbors: [Ng, any] int64, nearest first, without the image itself; the first k count.
        k: k_g >= 0.
        expand: whether to expand the sets.

    Returns:
        The sets; every g is in its own.
    """
    sets: ReciprocalSets = _kernels(neighbors).reciprocal_sets(neighbors, k, expand)
    return sets


def jaccard_fuse(
    d: Tensor, nearest: Tensor, reached: Tensor, sets: ReciprocalSets, alpha: float
) -> Tensor:
    r"""Eq. 7–8 in one pass: the Jaccard distance of neighborhoods, fused with a distance.

    $$\alpha\, d + (1 - \alpha) \left(1 - \frac{|N_c \cap R^*|}{|N_c \cup R^*|}\right)$$

    Only pairs that share a member are counted. Nothing of size N_q × N_g is held but the result.

    Args:
        d: [Nq, Ng]; where it is `inf`, so is the result.
        nearest: [Nq, k_q] int64, members of N_c.
        reached: [Nq] int64, how many of them count: the first ones of each row.
        sets: R* of every gallery image.
        alpha: α in [0, 1].

    Returns:
        [Nq, Ng], a new tensor.
    """
    fused: Tensor = _kernels(d).jaccard_fuse(d, nearest, reached, sets, alpha)
    return fused


def match_ranks(
    d: Tensor, kept: Tensor, query_of: Tensor, column: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """Rank some images in the ranked lists of their queries.

    A list holds the kept images by distance, with ties by column.

    Args:
        d: [Nq, Ng] real, without NaN.
        kept: [Nq, Ng] bool.
        query_of: [E] int64, ascending.
        column: [E] int64, ascending per query, all of them kept.
        codes: [Ng] int64 in 0..Ng − 1, identities of the gallery.

    Returns:
        ranks [E], from 1; and per query [Nq] how many identities have a kept image before its
        first match, 0 for a query without one.
    """
    ranks, before = _kernels(d).match_ranks(d, kept, query_of, column, codes)
    return ranks, before
