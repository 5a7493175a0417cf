"""Memory budgets: the predicted peak of a call, the blocks that fit, and the measured peak."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from simgraph._bytes import DEFAULT, budget, readable
from simgraph.distances import SYMMETRIC_ROWS
from simgraph.kernels import LANES

__all__ = [
    "DEFAULT",
    "blocks",
    "budget",
    "distance_blocks",
    "feature_blocks",
    "peak",
    "require_room",
    "reset_peak",
]

logger = logging.getLogger(__name__)

# A block does not get faster with more than this.
_USEFUL = 64 * 2**20
# Packed panels of matrix products, threads, heap fragmentation.
_LIBRARIES = 48 * 2**20
# Blocks of rows that loops over distances and sparse products hold at a time.
_LOOPS = 4 * _USEFUL
# Int64 values per gallery edge while the reciprocal sets are built.
_VALUES_PER_EDGE = 32


def blocks(name: str, memory: str | int, whole: int, row: int, num_rows: int) -> Iterator[slice]:
    """Blocks of rows that keep a call within its budget; logs the predicted peak.

    Args:
        name: of the method, for the log and the error.
        memory: the budget, see `budget`.
        whole: bytes held for any size of block, including the result.
        row: bytes of working memory for each row of a block.
        num_rows: how many rows there are.

    Returns:
        Slices that cover the rows, in order.

    Raises:
        ValueError: for a budget too small for a block of one row, naming both sizes.
    """
    limit, whole = budget(memory), whole + _LIBRARIES
    step = max(0, min(_USEFUL, limit - whole)) // max(1, row)
    if step < 1 and limit >= whole + row:
        step = 1
    if step < 1:
        raise ValueError(
            f"memory = {readable(limit)} cannot hold the {readable(whole + row)} that {name} needs "
            "for its result and the smallest block; raise memory"
        )
    # The path kernels process LANES queries at once.
    step = min(num_rows, step - step % LANES or step)
    logger.info(
        "%s: predicted peak %s above the inputs, of %s; blocks of %d rows",
        name, readable(whole + step * row), readable(limit), step,
    )  # fmt: skip
    return (slice(start, min(start + step, num_rows)) for start in range(0, num_rows, step))


def require_room(
    name: str, memory: str | int, sizes: tuple[int, int], matrices: int, entries: int
) -> None:
    """Refuse a budget that does not hold what a method keeps at once; logs the predicted peak.

    Args:
        name: of the method, for the log and the error.
        memory: the budget, see `budget`.
        sizes: Nq and Ng.
        matrices: how many matrices [Nq, Ng] of float64 the method holds, the result among them.
        entries: of its lists and sparse matrices, each with a value and an index.

    Raises:
        ValueError: for a budget that is too small, naming both sizes.
    """
    limit = budget(memory)
    whole = 8 * matrices * sizes[0] * sizes[1] + 16 * entries + _LOOPS + _LIBRARIES
    if limit < whole:
        raise ValueError(
            f"memory = {readable(limit)} cannot hold the {readable(whole)} that {name} may need "
            f"for {sizes[0]} queries and {sizes[1]} gallery images; raise memory"
        )
    logger.info(
        "%s: predicted peak at most %s above the inputs, of %s",
        name, readable(whole), readable(limit),
    )  # fmt: skip


def feature_blocks(
    name: str, memory: str | int, q: Tensor, g: Tensor, k: int | None, authors: bool = False
) -> Iterator[slice]:
    """Blocks of queries for a method that goes from features to distances; see `blocks`.

    Args:
        name: of the method.
        memory: the budget.
        q: [Nq, D], a copy made for the method.
        g: [Ng, D], likewise.
        k: gallery neighbors that the method finds; None if it needs none.
        authors: whether it holds D_qg and D_gg whole, as the authors' variant does.

    Returns:
        Slices that cover the queries.
    """
    size, num_gallery = q.element_size(), len(g)
    # Besides the two copies: the centered gallery, the result.
    whole = (q.numel() + 2 * g.numel() + len(q) * num_gallery) * size
    if k is not None:
        whole += gallery_bytes(num_gallery, k, size) + SYMMETRIC_ROWS * num_gallery * size
    if authors:
        whole += (2 * len(q) + 2 * num_gallery) * num_gallery * size
    return blocks(name, memory, whole, (3 * num_gallery + 2 * q.shape[1]) * size, len(q))


def distance_blocks(
    name: str, memory: str | int, d_qg: Tensor, k: int | None, authors: bool = False
) -> Iterator[slice]:
    """The same for a method that is given distances."""
    num_queries, num_gallery = d_qg.shape
    size = d_qg.element_size()
    whole = num_queries * num_gallery * size
    if k is not None:
        whole += gallery_bytes(num_gallery, k, size)
    if authors:
        whole += 2 * num_queries * num_gallery * size
    return blocks(name, memory, whole, 2 * num_gallery * size, num_queries)


def gallery_bytes(num_gallery: int, k: int, size: int) -> int:
    """Bytes of neighbors, their distances, reciprocal sets under construction, and thread lanes."""
    edges = num_gallery * (int(k) + 1)  # k may be one of numpy's, which overflow
    lanes = torch.get_num_threads() * num_gallery * LANES * size
    return edges * (8 * _VALUES_PER_EDGE + size) + lanes


def reset_peak() -> int | None:
    """Reset the peak of this process; the bytes in use, or None if the system has no such count."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status("VmRSS")


def peak() -> int:
    """Most bytes of resident memory since the last reset (Linux)."""
    return _status("VmHWM")


def _status(key: str) -> int:
    # Not getrusage: its peak starts at that of the process that started this one.
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))
