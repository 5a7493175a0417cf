"""A gallery dealt to lists about centres, so that one need not look at all of it.

Needs the extra `large` to be made, not to be read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from simgraph._arrays import Floats, Ints, to_tensor
from simgraph.distances import k_smallest
from simgraph.kernels.csr import group_by_key

# Lists for each √Ng. Images each centre is trained on, and rounds of it.
_LISTS, _TRAINED, _ROUNDS = 4, 40, 5
# Rows that look for their lists together.
_ROWS = 1024


class InvertedFile(NamedTuple):
    """Lists of images, each image in that of its nearest centre.

    centers: [C, D]; list c stands at list_members[list_ptr[c] : list_ptr[c + 1]], int32, ascending.
    """

    centers: Floats
    list_ptr: Ints
    list_members: Ints

    @classmethod
    def of(cls, x: Tensor, probes: int = 1) -> tuple[InvertedFile, Tensor]:
        """Deal rows to 4·√N lists, or fewer, none of them empty, about k-means centres.

        Args:
            x: features [N, D] on the CPU.
            probes: how many of its nearest lists to name for each row, at most all.

        Returns:
            The lists, and those nearest to each row [N, probes], nearest first.

        Raises:
            ImportError: without faiss.
            ValueError: for features elsewhere.

        Source: Sivic and Zisserman, ICCV 2003; k-means of Douze et al., The Faiss library, 2024.
        """
        centers = _k_means(x)
        near = _nearest_lists(x, centers, probes)
        owned = torch.bincount(near[:, 0], minlength=len(centers)).nonzero().squeeze(1)
        if len(owned) < len(centers):  # lists without images would be looked into in vain
            centers = centers[owned]
            near = _nearest_lists(x, centers, probes)
        return cls.dealt(centers.numpy(), near[:, 0]), near

    @classmethod
    def dealt(cls, centers: Floats, owner: Tensor) -> InvertedFile:
        """The lists about centres [C, D], where it is known which list each row is in [N]."""
        rows = np.arange(len(owner), dtype=np.int32)
        return cls(centers, *group_by_key(owner.numpy(), rows, len(centers)))

    def nearest(self, x: Tensor, probes: int) -> Tensor:
        """The lists nearest to each row of x [B, D]: [B, probes] or all, nearest first."""
        return _nearest_lists(x, to_tensor(self.centers, "centers"), probes)

    def extended(self, x: Tensor) -> InvertedFile:
        """With new rows [B, D] behind the others, in the lists that are nearest to them."""
        owner = np.empty(len(self.list_members), np.int64)
        owner[self.list_members] = np.arange(len(self.centers)).repeat(np.diff(self.list_ptr))
        return self.dealt(
            self.centers, torch.cat([torch.from_numpy(owner), self.nearest(x, 1)[:, 0]])
        )


def _nearest_lists(x: Tensor, centers: Tensor, probes: int) -> Tensor:
    squares = centers.square().sum(1)
    parts = [
        k_smallest(torch.addmm(squares, part, centers.T, alpha=-2), min(probes, len(centers)))[1]
        for part in torch.split(x, _ROWS)
    ]
    return torch.cat(parts)


def _k_means(x: Tensor) -> Tensor:
    if x.device.type != "cpu":
        raise ValueError(f"probes: expected a gallery on the CPU, got one on {x.device}")
    count = min(len(x), round(_LISTS * len(x) ** 0.5))
    means = _faiss().Kmeans(
        x.shape[1], count, niter=_ROUNDS, seed=0, min_points_per_centroid=1,
        max_points_per_centroid=_TRAINED,
    )  # fmt: skip
    means.train(x[drawn(len(x), _TRAINED * count)].float().numpy())
    return torch.from_numpy(means.centroids).to(x)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "approximate neighbours need faiss: pip install 'simgraph[large]'"
        ) from error
    return faiss


def drawn(num_rows: int, count: int) -> Tensor:
    """Up to count rows at random, the same each time, ascending."""
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(num_rows, generator=generator)[:count].sort().values
