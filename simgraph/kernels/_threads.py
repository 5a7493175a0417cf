"""The thread pools of the CPU kernels: compiled loops that share their rows among threads.

numba's own threading layers are not used: one of them ends the process when two threads call at
once, another does so after a fork, and loops without them compile in a fraction of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

import torch

T = TypeVar("T")
R = TypeVar("R")

# Values that a thread must process to be worth its start.
_GRAIN = 2**17


def parallel_rows(
    loop: Callable[..., None], count: int, cost: int, *args: Any, multiple: int = 1
) -> None:
    """Run loop(start, stop, *args) over 0..count, in ranges shared among threads.

    Args:
        loop: compiled without the GIL; it writes its rows into arrays among args.
        count: number of rows.
        cost: values processed per row, which decides how many threads are worth their start.
        *args: passed to every call.
        multiple: ranges are a multiple of so many rows long.
    """
    threads = threads_worth(count * cost)
    parallel_map(lambda part: loop(*part, *args), row_ranges(count, threads, multiple), threads)


def threads_worth(num_values: int) -> int:
    """How many threads are worth their start to process so many values."""
    return min(torch.get_num_threads(), num_values // _GRAIN + 1)


def row_ranges(
    count: int, threads: int, multiple: int = 1, longest: int | None = None
) -> list[tuple[int, int]]:
    """Split 0..count into ranges (start, stop), four per thread if there is more than one thread.

    Four, so that no thread waits long for the last range.

    Args:
        count: number of rows.
        threads: that share them.
        multiple: ranges are a multiple of so many rows long.
        longest: rows per range at most; None sets no limit.
    """
    step = -(-count // (threads if threads == 1 else 4 * threads))
    step = max(1, -(-step // multiple)) * multiple
    step = step if longest is None else min(step, longest)
    return [(start, min(start + step, count)) for start in range(0, count, step)] or [(0, 0)]


def parallel_map(work: Callable[[T], R], parts: Sequence[T], threads: int) -> list[R]:
    """Compute work(part) of every part, in threads.

    Args:
        work: runs without the GIL for most of its time.
        parts: its arguments. A single one runs in the calling thread, because a thread takes
            longer to start than a query to answer.
        threads: how many parts run at a time.

    Returns:
        The results, in the order of the parts.
    """
    if len(parts) < 2:
        return [work(part) for part in parts]
    # A new pool per call: a kept one would not survive a fork.
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, parts))


@contextmanager
def pool_of_products() -> Iterator[ThreadPoolExecutor]:
    """A pool for many small matrix products, each in one thread.

    torch's own threads would wait for each other at every product. The pool is kept for all of
    them, because starting a thread costs as much as a small product.

    Yields:
        A pool of as many threads as torch uses, while torch uses one per product.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(threads) as pool:
            yield pool
    finally:
        torch.set_num_threads(threads)
