"""Sparse matrices by rows, in scipy's form, from and to tensors."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from torch import Tensor

from simgraph.distances import row_blocks
from simgraph.kernels._threads import parallel_rows
from simgraph.kernels.loops import overlap


def sparse_rows(index: Tensor, values: Tensor, num_columns: int) -> csr_array:
    """The matrix [N, M] whose row i holds values[i] at the columns index[i].

    Args:
        index: [N, k] columns; values of a column given twice in a row are added.
        values: [N, k], or [k] for the same in every row.
        num_columns: M.

    Returns:
        The matrix, columns ascending within each row, in the dtype of values.
    """
    rows, k = index.shape
    data = values.expand(rows, k).reshape(-1).cpu().numpy()
    bounds = np.arange(rows + 1, dtype=np.int64) * k
    matrix = csr_array(
        (data, index.reshape(-1).cpu().numpy(), bounds), shape=(rows, num_columns), copy=True
    )
    matrix.sum_duplicates()
    return matrix


def scaled_rows(matrix: csr_array, factors: NDArray[np.floating]) -> csr_array:
    """Row i times factors[i]."""
    data = matrix.data * np.repeat(factors.astype(matrix.dtype), np.diff(matrix.indptr))
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def unit_rows(matrix: csr_array) -> csr_array:
    """Rows of length 1; rows of zeros stay."""
    length = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1), dtype=np.float64))
    return scaled_rows(matrix, 1 / np.where(length > 0, length, 1))


def add_products(out: Tensor, *pairs: tuple[csr_array, csr_array]) -> None:
    """Add Σ A Bᵀ of all pairs to out [N, M], by blocks of rows."""
    for rows in row_blocks(out.shape[0], 24 * out.shape[1]):
        for a, b in pairs:
            product = (a[rows] @ b.T).toarray()
            out[rows] += torch.from_numpy(product).to(out.device, out.dtype)


def add_overlaps(out: Tensor, query: csr_array, gallery: csr_array) -> None:
    """Add Σ_m min(V_qm, V_gm) to out [Nq, Ng]; only pairs that share a member are visited."""
    columns, kind = csc_array(gallery), torch.empty(0, dtype=out.dtype).numpy().dtype
    rows = query.indptr, query.indices, query.data.astype(kind)
    among = columns.indptr, columns.indices, columns.data.astype(kind)
    total = np.zeros(tuple(out.shape), kind)
    cost = query.nnz * max(1, columns.nnz // max(1, columns.shape[1])) // max(1, len(total))
    parallel_rows(overlap.add_min_overlaps, len(total), cost, *rows, *among, total)
    out += torch.from_numpy(total).to(out.device)
