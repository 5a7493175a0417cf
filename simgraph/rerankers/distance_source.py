"""What methods read: distances among queries and gallery, from features by blocks or as given."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from simgraph._arrays import (
    common_dtype,
    distance_pair,
    matrix,
    require_distances,
    without_diagonal,
)
from simgraph._exact_products import exact_products
from simgraph._memory import distance_blocks, feature_blocks
from simgraph.distances import (
    concat_blocks,
    k_smallest,
    l2_blocks,
    l2_distance,
    map_query_blocks,
    nearest_in_distances,
    nearest_neighbors,
    needs_grad,
    row_blocks,
)

# Rows whose length differs from 1 by more are refused; float16 features differ by far less.
_UNIT = 1e-2


class DistanceSource(Protocol):
    """Distances of Nq queries and Ng gallery images; jointly, the queries come first."""

    num_queries: int
    num_gallery: int

    def require_unit(self) -> None:
        """Raise ValueError for distances that unit vectors cannot have: cosines need those."""

    def query_gallery(self) -> Tensor:
        """D_qg [Nq, Ng], a new tensor."""

    def query_blocks(self, method: str, memory: str | int, k: int | None) -> Iterator[slice]:
        """Blocks of queries that keep a method within its budget; see `simgraph._memory.blocks`.

        k is the number of gallery neighbors that the method finds, None where it finds none.
        """

    def map_queries(self, finish: Callable[[Tensor], Tensor], blocks: Iterable[slice]) -> Tensor:
        """finish(D_qg) by the given blocks of queries; in one piece where a gradient is needed."""

    def whole(self, method: str, memory: str | int, k: int) -> tuple[Tensor, Tensor]:
        """D_qg [Nq, Ng] and D_gg [Ng, Ng], for a method that holds both within its budget."""

    def gallery_neighbors(self, k: int) -> tuple[Tensor, Tensor]:
        """Distances and indices [Ng, k] of the k nearest others of each gallery image."""

    def gallery_among(self, index: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Distances [B, n, n] among the gallery images of each row of index [N, n], by blocks."""

    def joint_blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """Rows of the distances among all Nq + Ng, block by block, each a new tensor."""

    def joint_pairs(self, i: Tensor, j: Tensor) -> Tensor:
        """Distances [E] of listed pairs among all Nq + Ng."""


class FeatureDistances:
    """Euclidean distances of features [Nq, D], [Ng, D]; nothing of size (Nq + Ng)² is held."""

    def __init__(self, query: Tensor, gallery: Tensor) -> None:
        self.query, self.gallery = query, gallery
        self.num_queries, self.num_gallery = len(query), len(gallery)

    def require_unit(self) -> None:
        """See DistanceSource."""
        require_unit_rows(self.query, "query")
        require_unit_rows(self.gallery, "gallery")

    def query_gallery(self) -> Tensor:
        """See DistanceSource."""
        return l2_distance(self.query, self.gallery)

    def query_blocks(self, method: str, memory: str | int, k: int | None) -> Iterator[slice]:
        """See DistanceSource."""
        return feature_blocks(method, memory, self.query, self.gallery, k)

    def map_queries(self, finish: Callable[[Tensor], Tensor], blocks: Iterable[slice]) -> Tensor:
        """See DistanceSource."""
        return map_query_blocks(self.query, self.gallery, blocks, finish)

    def whole(self, method: str, memory: str | int, k: int) -> tuple[Tensor, Tensor]:
        """See DistanceSource."""
        feature_blocks(method, memory, self.query, self.gallery, k, authors=True)
        return l2_distance(self.query, self.gallery), l2_distance(self.gallery, self.gallery)

    def gallery_neighbors(self, k: int) -> tuple[Tensor, Tensor]:
        """See DistanceSource."""
        return nearest_neighbors(self.gallery, k)

    def gallery_among(self, index: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """See DistanceSource."""
        n, width = index.shape[1], self.gallery.shape[1]
        for rows in row_blocks(len(index), (2 * width + 4 * n) * n * self.gallery.element_size()):
            x = self.gallery[index[rows]]
            # Near images differ by little of their length: centered, the product form keeps that.
            x -= x.mean(1, keepdim=True)
            squared = torch.linalg.vector_norm(x, dim=2).square()
            sums = squared[:, :, None] + squared[:, None]
            with exact_products(x.device.type):
                among = torch.baddbmm(sums, x, x.transpose(1, 2), alpha=-2)
            yield rows, _without_self(among.clamp_(min=0).sqrt_())

    def joint_blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """See DistanceSource."""
        joint = torch.cat([self.query, self.gallery])
        return l2_blocks(joint, joint)

    def joint_pairs(self, i: Tensor, j: Tensor) -> Tensor:
        """See DistanceSource."""
        joint = torch.cat([self.query, self.gallery])
        distances = joint.new_empty(len(i))
        for part in row_blocks(len(i), 3 * joint.shape[1] * joint.element_size()):
            difference = joint[i[part]] - joint[j[part]]
            distances[part] = torch.linalg.vector_norm(difference, dim=1)
        return distances


class GivenDistances:
    """Distances as given, each of the three matrices in any metric.

    Args:
        d_qg: D_qg [Nq, Ng].
        d_gg: D_gg [Ng, Ng], read by rows; the diagonal has no effect.
        d_qq: D_qq [Nq, Nq], for the joint distances.
    """

    def __init__(self, d_qg: Tensor, d_gg: Tensor, d_qq: Tensor | None = None) -> None:
        self.d_qg, self.d_gg, self.d_qq = d_qg, d_gg, d_qq
        self.num_queries, self.num_gallery = d_qg.shape

    def require_unit(self) -> None:
        """See DistanceSource."""
        for name, d in (("d_qg", self.d_qg), ("d_gg", self.d_gg), ("d_qq", self.d_qq)):
            if d is not None and float(d.max()) > 2 + _UNIT:
                raise ValueError(
                    f"{name}: expected distances of vectors of length 1, at most 2, as cosine "
                    f"similarity needs them, got up to {float(d.max()):.4g}"
                )

    def query_gallery(self) -> Tensor:
        """See DistanceSource."""
        return self.d_qg.clone()

    def query_blocks(self, method: str, memory: str | int, k: int | None) -> Iterator[slice]:
        """See DistanceSource."""
        return distance_blocks(method, memory, self.d_qg, k)

    def map_queries(self, finish: Callable[[Tensor], Tensor], blocks: Iterable[slice]) -> Tensor:
        """See DistanceSource."""
        if needs_grad(self.d_qg, self.d_gg):
            return finish(self.d_qg)
        parts = ((rows, self.d_qg[rows]) for rows in blocks)
        return concat_blocks(parts, self.num_queries, finish)

    def whole(self, method: str, memory: str | int, k: int) -> tuple[Tensor, Tensor]:
        """See DistanceSource."""
        distance_blocks(method, memory, self.d_qg, k, authors=True)
        return self.d_qg, self.d_gg

    def gallery_neighbors(self, k: int) -> tuple[Tensor, Tensor]:
        """See DistanceSource."""
        return nearest_in_distances(self.d_gg, k)

    def gallery_among(self, index: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """See DistanceSource."""
        n = index.shape[1]
        for rows in row_blocks(len(index), 32 * n * n):
            part = index[rows]
            yield rows, _without_self(self.d_gg[part[:, :, None], part[:, None, :]])

    def joint_blocks(self) -> Iterator[tuple[slice, Tensor]]:
        """See DistanceSource."""
        assert self.d_qq is not None, "rerank_distances checks that it is given"
        count = self.num_queries + self.num_gallery
        for start, left, right in (
            (0, self.d_qq, self.d_qg),
            (self.num_queries, self.d_qg.T, self.d_gg),
        ):
            for rows in row_blocks(len(left), 3 * count * self.d_qg.element_size()):
                joint = slice(start + rows.start, start + rows.stop)
                yield joint, torch.cat([left[rows], right[rows]], dim=1)

    def joint_pairs(self, i: Tensor, j: Tensor) -> Tensor:
        """See DistanceSource."""
        assert self.d_qq is not None, "rerank_distances checks that it is given"
        distances = self.d_qg.new_empty(len(i))
        n = self.num_queries
        for part, given, row, column in (
            ((i < n) & (j < n), self.d_qq, i, j),
            ((i < n) & (j >= n), self.d_qg, i, j - n),
            ((i >= n) & (j < n), self.d_qg, j, i - n),
            ((i >= n) & (j >= n), self.d_gg, i - n, j - n),
        ):
            distances[part] = given[row[part], column[part]]
        return distances.masked_fill_(i == j, 0)


def _without_self(among: Tensor) -> Tensor:
    """Distances [B, n, n] with those of images to themselves set to exactly 0."""
    among.diagonal(dim1=1, dim2=2).zero_()
    return among


@dataclass(frozen=True, eq=False)
class JointNeighbors:
    """The nearest of every query and gallery image among all others, N = Nq + Ng.

    Attributes:
        distances: [N, k], ascending.
        index: [N, k], the image itself not among them; ties go to the lower index.
        largest: [N], the distance of each image to the farthest.
        query_gallery: D_qg [Nq, Ng].
    """

    distances: Tensor
    index: Tensor
    largest: Tensor
    query_gallery: Tensor

    def index_with_self(self) -> Tensor:
        """[N, 1 + k]: each image itself, then its nearest."""
        own = torch.arange(len(self.index), device=self.index.device)
        return torch.cat([own[:, None], self.index], dim=1)


def joint_neighbors(distances: DistanceSource, k: int) -> JointNeighbors:
    """The k nearest of every image, in one pass over the joint distances.

    Args:
        distances: among all.
        k: 0 <= k < Nq + Ng.

    Returns:
        The neighbors, and what the same pass computes as well.
    """
    values, indices, largest, cross = [], [], [], []
    for rows, d in distances.joint_blocks():
        own = torch.arange(rows.start, rows.stop, device=d.device)
        cross.append(
            d[: max(0, distances.num_queries - rows.start), distances.num_queries :].clone()
        )
        d[own - rows.start, own] = 0
        largest.append(d.amax(1))
        d[own - rows.start, own] = torch.inf
        value, index = k_smallest(d, k)
        values.append(value)
        indices.append(index)
    return JointNeighbors(*map(torch.cat, (values, indices, largest, cross)))


def given_distances(d_qg: object, d_gg: object, d_qq: object | None) -> GivenDistances:
    """Checked distances as given; see GivenDistances."""
    qg, gg = distance_pair(d_qg, d_gg)
    if d_qq is None:
        return GivenDistances(qg, gg)
    qq = matrix(without_diagonal(d_qq, "d_qq"), "d_qq")
    if qq.shape != (len(qg), len(qg)):
        raise ValueError(f"d_qq: expected [Nq, Nq] = {(len(qg), len(qg))}, got {tuple(qq.shape)}")
    require_distances(qq, "d_qq")
    _, qq = common_dtype(qg, "d_qg", qq, "d_qq")
    return GivenDistances(qg, gg, qq.to(qg.dtype))


def require_unit_rows(x: Tensor, name: str) -> None:
    """Raise ValueError for rows whose length is neither 1 nor 0; rows of zeros cannot be scaled."""
    length = torch.linalg.vector_norm(x.detach(), dim=1)
    off = torch.where(length > 0, (length - 1).abs(), 0)
    worst = int(off.argmax())
    if float(off[worst]) > _UNIT:
        raise ValueError(
            f"{name}: expected rows of length 1, as cosine similarity needs them, row {worst} "
            f"has length {float(length[worst]):.4g}; use normalize=True"
        )


def similarity(distances: Tensor) -> Tensor:
    """1 − d²/2, which is the cosine of two vectors of unit length at distance d."""
    return 1 - distances.square() / 2
