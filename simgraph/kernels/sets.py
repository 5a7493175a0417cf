"""The compressed form of sets of gallery images, as kernels read it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class MemberSets:
    """A set of gallery images for every gallery image, listed by member.

    Sorted by member c: the owners g of the sets c is in stand at `owner[ptr[c]:ptr[c + 1]]`.

    Attributes:
        owner: [nnz] int64.
        member: [nnz] int64, ascending.
        ptr: [Ng + 1] int64.
        size: [Ng] int64, members of each owner's set.
    """

    owner: Tensor
    member: Tensor
    ptr: Tensor
    size: Tensor


def expand_rows(ptr: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """All entries of the given rows of a compressed list: which row of `rows`, which entry."""
    count = ptr[rows + 1] - ptr[rows]
    which = torch.arange(len(rows), device=rows.device).repeat_interleave(count)
    first = ptr[rows] - (count.cumsum(0) - count)
    return which, torch.arange(len(which), device=rows.device) + first[which]
