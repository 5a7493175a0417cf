"""THE SEAM: the few inner functions that have a fast form for each device.

Every function is written more than once, with one signature: `reference` in torch, for any device;
`cpu` in numba; `cuda` in triton, where that is installed. Callers pass tensors of one device and
never ask which. Inputs are not checked here and carry no gradient; a tensor that is filled in place
says so.
"""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from types import ModuleType

from torch import Tensor

from simgraph.kernels.sets import MemberSets

__all__ = [
    "LANES",
    "MemberSets",
    "distances_of_products",
    "fused_overlap",
    "keep_smallest",
    "match_ranks",
    "path_means",
    "smallest",
]

LANES = 64
"""Queries that go through the compiled path kernel side by side: four AVX-512 registers."""


def _kernels(tensor: Tensor) -> ModuleType:
    # Imported here, not above: numba and triton take their time, and triton is not everywhere.
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

    A pair whose d² is below `CANCELLED` · (|x|² + |y|²) has lost its digits to the subtraction and
    is computed again from x − y, so that equal rows are at exactly 0.

    Args:
        products: p = x yᵀ [N, M]; overwritten by the distances.
        x: [N, D].
        y: [M, D].
        x_squares: |x|² [N].
        y_squares: |y|² [M].

    Returns:
        The distances [N, M], in the memory of `products`.
    """
    answer: Tensor = _kernels(products).distances_of_products(products, x, y, x_squares, y_squares)
    return answer


def smallest(d: Tensor, k: int, own: int | None = None) -> tuple[Tensor, Tensor]:
    """The k smallest values of each row, ascending, ties to the lower column.

    Args:
        d: [N, M], without NaN.
        k: 1 <= k <= M, less than M with `own`.
        own: if given, row i leaves out its column own + i.

    Returns:
        values [N, k] and columns [N, k] (int64).
    """
    values, index = _kernels(d).smallest(d, k, own)
    return values, index


def keep_smallest(values: Tensor, index: Tensor, d: Tensor, first: int, rows: bool = True) -> None:
    """Let a block of further columns take part in the k smallest of each row, in place.

    Blocks must come in the order of their columns: among equals the lower column stays.

    Args:
        values: [N, k], the smallest so far, ascending; `inf` where fewer came.
        index: [N, k] int64, their columns.
        d: [N, B] distances to columns first, first + 1, …; or [B, N] with `rows=False`, where
            each column of d is one of the N.
        first: the column that d starts at.
        rows: whether the rows of d or its columns are the N.
    """
    _kernels(d).keep_smallest(values, index, d, first, rows)


def path_means(
    direct: Tensor,
    legs: Tensor,
    neighbors: Tensor,
    weight: Tensor,
    num_paths: int,
    targets: Tensor | None = None,
) -> Tensor:
    r"""Mean of the K smallest of the direct edge and the paths through each neighbour (Eq. 4–5).

    $$\mathrm{mean}_K \{\mathrm{direct}_{qj}\} \cup \{\mathrm{legs}_{qt} + w_{jt} : t \in N(j)\}$$

    The sum runs from the smallest upwards. Values of `inf` are no paths: fewer than K give the mean
    of those there are, none gives `inf`.

    Args:
        direct: [Nq, Ng]; `inf` where no edge is.
        legs: [Nq, Ng], length of the first leg to each gallery image; `direct` for two hops.
        neighbors: [T, k] int64, gallery images.
        weight: [T, k], lengths of the last hops.
        num_paths: K >= 1.
        targets: [T] int64, which gallery images the rows of `neighbors` belong to; None: all.

    Returns:
        [Nq, T].
    """
    answer: Tensor = _kernels(direct).path_means(
        direct, legs, neighbors, weight, num_paths, targets
    )
    return answer


def fused_overlap(
    d: Tensor, nearest: Tensor, reached: Tensor, sets: MemberSets, alpha: float
) -> Tensor:
    r"""Eq. 7–8 in one pass: the overlap of neighbourhoods, fused with a distance.

    $$\alpha\, d + (1 - \alpha) \left(1 - \frac{|N_c \cap R^*|}{|N_c \cup R^*|}\right)$$

    Only pairs that share a member are counted; nothing of size N_q × N_g is held but the answer.

    Args:
        d: [Nq, Ng]; where it is `inf`, so is the answer.
        nearest: [Nq, k_q] int64, members of N_c.
        reached: [Nq] int64, how many of them count: the first so many of each row.
        sets: R* of every gallery image.
        alpha: α in [0, 1].

    Returns:
        [Nq, Ng], a new tensor.
    """
    answer: Tensor = _kernels(d).fused_overlap(d, nearest, reached, sets, alpha)
    return answer


def match_ranks(
    d: Tensor, kept: Tensor, query_of: Tensor, column: Tensor, codes: Tensor
) -> tuple[Tensor, Tensor]:
    """Ranks of some images in their queries' ranked lists, without or with sorting those.

    A list holds the kept images by distance, ties by column.

    Args:
        d: [Nq, Ng] real, without NaN.
        kept: [Nq, Ng] bool.
        query_of: [E] int64, ascending.
        column: [E] int64, ascending for each query, all of them kept.
        codes: [Ng] int64 in 0..Ng − 1, identities of the gallery.

    Returns:
        ranks [E], from 1; and for each query [Nq] how many identities have a kept image before its
        first match, 0 for a query without one.
    """
    ranks, before = _kernels(d).match_ranks(d, kept, query_of, column, codes)
    return ranks, before
