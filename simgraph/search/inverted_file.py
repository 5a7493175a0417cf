"""An inverted file: a gallery split into lists around centers, so that a search probes a few.

Needs the extra `large` to be built, but not to be read.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from simgraph._arrays import Floats, Ints, to_tensor
from simgraph._exact_products import exact_products
from simgraph.distances import k_smallest
from simgraph.kernels.csr import group_by_key

# Lists per √Ng. Images per center that k-means is trained on, and its rounds.
_LISTS, _TRAINED, _ROUNDS = 4, 40, 5
# Rows per product that finds their nearest lists.
_ROWS = 1024


class InvertedFile(NamedTuple):
    """Lists of images: each image is in the list of its nearest center.

    centers: [C, D]; list c is list_members[list_ptr[c] : list_ptr[c + 1]], int32, ascending.
    """

    centers: Floats
    list_ptr: Ints
    list_members: Ints

    @classmethod
    def of(cls, x: Tensor, num_probes: int = 1) -> tuple[InvertedFile, Tensor]:
        """Split rows into up to 4·√N lists, none of them empty, around k-means centers.

        Args:
            x: features [N, D] on the CPU.
            num_probes: how many of its nearest lists to return for each row, at most all.

        Returns:
            The lists, and the nearest ones of each row [N, num_probes], nearest first.

        Raises:
            ImportError: without faiss.
            ValueError: for features on another device.

        Source: Sivic and Zisserman, ICCV 2003; k-means of Douze et al., The Faiss library, 2024.
        """
        centers = _k_means(x)
        near = _nearest_lists(x, centers, num_probes)
        owned = torch.bincount(near[:, 0], minlength=len(centers)).nonzero().squeeze(1)
        if len(owned) < len(centers):  # probing an empty list would be wasted
            centers = centers[owned]
            near = _nearest_lists(x, centers, num_probes)
        return cls.of_assignment(centers.numpy(), near[:, 0]), near

    @classmethod
    def of_assignment(cls, centers: Floats, assigned: Tensor) -> InvertedFile:
        """The lists around centers [C, D], from the list that each row is assigned to [N]."""
        rows = np.arange(len(assigned), dtype=np.int32)
        return cls(centers, *group_by_key(assigned.numpy(), rows, len(centers)))

    def nearest(self, x: Tensor, num_probes: int) -> Tensor:
        """The lists nearest to each row of x [B, D]: [B, num_probes] or all, nearest first."""
        return _nearest_lists(x, to_tensor(self.centers, "centers"), num_probes)

    def extended(self, x: Tensor) -> InvertedFile:
        """Append new rows [B, D] to the lists nearest to them; the centers stay."""
        assigned = np.empty(len(self.list_members), np.int64)
        assigned[self.list_members] = np.arange(len(self.centers)).repeat(np.diff(self.list_ptr))
        return self.of_assignment(
            self.centers, torch.cat([torch.from_numpy(assigned), self.nearest(x, 1)[:, 0]])
        )


def _nearest_lists(x: Tensor, centers: Tensor, num_probes: int) -> Tensor:
    squares, count = centers.square().sum(1), min(num_probes, len(centers))
    with exact_products(x.device.type):
        parts = [
            k_smallest(torch.addmm(squares, part, centers.T, alpha=-2), count)[1]
            for part in torch.split(x, _ROWS)
        ]
    return torch.cat(parts)


def _k_means(x: Tensor) -> Tensor:
    if x.device.type != "cpu":
        raise ValueError(f"num_probes: expected a gallery on the CPU, got one on {x.device}")
    count = min(len(x), round(_LISTS * len(x) ** 0.5))
    means = _faiss().Kmeans(
        x.shape[1], count, niter=_ROUNDS, seed=0, min_points_per_centroid=1,
        max_points_per_centroid=_TRAINED,
    )  # fmt: skip
    means.train(x[random_rows(len(x), _TRAINED * count)].float().numpy())
    return torch.from_numpy(means.centroids).to(x)


def _faiss() -> Any:
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "approximate neighbors need faiss: pip install 'simgraph[large]'"
        ) from error
    return faiss


def random_rows(num_rows: int, count: int) -> Tensor:
    """Up to count random rows, ascending, the same ones in every call."""
    generator = torch.Generator().manual_seed(0)
    return torch.randperm(num_rows, generator=generator)[:count].sort().values
