"""A gallery prepared for search: features, neighbours, reciprocal sets, and both turned round."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from simgraph._arrays import Array, Floats, Ints, read_only, to_tensor
from simgraph.distances import (
    CenteredRows,
    k_smallest,
    l2_blocks,
    l2_row_blocks,
    nearest_in_blocks,
    nearest_neighbors,
)
from simgraph.kernels.csr import group_by_key, reciprocal_members
from simgraph.kernels.inverted_file import probed_distances
from simgraph.kernels.pruned_search import GalleryIndex
from simgraph.search.approximate_knn import approximate_neighbors
from simgraph.search.inverted_file import InvertedFile


@dataclass(frozen=True, eq=False)
class PreparedGallery:
    """All that a search needs to know of a gallery; never changed in place.

    Attributes:
        rows: features [Ng, D], ready for distances to them.
        lists: neighbours, those that are near an image, and the sets it is in.
        file: lists of images about centres, or None where searches look at all.
    """

    rows: CenteredRows
    lists: GalleryIndex
    file: InvertedFile | None = None

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> PreparedGallery:
        """The gallery of arrays that `arrays` gave."""
        rows = {key: to_tensor(arrays[key], key) for key in CenteredRows.__dataclass_fields__}
        lists = GalleryIndex(*(arrays[key] for key in GalleryIndex._fields))
        file = None
        if "centers" in arrays:
            file = InvertedFile(*(arrays[key] for key in InvertedFile._fields))
        return cls(CenteredRows(**rows), lists, file)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, on the CPU, without a copy of those there."""
        rows = {name: tensor.cpu().numpy() for name, tensor in vars(self.rows).items()}
        file = {} if self.file is None else self.file._asdict()
        return rows | self.lists._asdict() | file

    def query_distances(
        self, q: Tensor, probes: int | None, k_query: int
    ) -> Iterator[NDArray[Any]]:
        """D_qg by blocks of queries; `inf` to images that are not looked at.

        Args:
            q: [Nq, D], in the dtype and on the device of the features.
            probes: lists of the file to look into; None, or all of them, is all images.
            k_query: how many of the nearest images found have their neighbours looked at.

        Returns:
            Blocks [B, Ng].
        """
        if self.file is None or probes is None or probes >= len(self.file.centers):
            for _, d in l2_blocks(q, self.rows):
                yield d.cpu().numpy()
            return
        x, (_, ptr, members) = self.rows.features, self.file
        for part in l2_row_blocks(len(q), x):
            lists = self.file.nearest(q[part], probes).numpy()
            yield probed_distances(
                q[part].numpy(), x.numpy(), lists, ptr, members, self.lists.neighbors, k_query
            )


def prepare(
    x: Tensor,
    nearest: tuple[Tensor, Tensor] | None,
    k: int,
    probes: int | None,
    k_gallery: int,
    expand: bool,
) -> tuple[PreparedGallery, float]:
    """Find what a search needs to know of a gallery.

    Args:
        x: features [Ng, D].
        nearest: distances and indices [Ng, k] of each image's neighbours; None finds them.
        k: how many.
        probes: lists to look into for them, see `simgraph.search.approximate_knn`; None looks at
            all images, and makes no lists.
        k_gallery: k_g of the reciprocal sets.
        expand: whether they are expanded.

    Returns:
        The gallery, and the share of the neighbours that was found.
    """
    rows, file, recall = CenteredRows.of(x), None, 1.0
    if probes is not None and nearest is not None:
        file, _ = InvertedFile.of(x)
    elif probes is not None:
        nearest, recall, file = approximate_neighbors(rows, k, probes)
    elif nearest is None:
        nearest = nearest_neighbors(x, k)
    return PreparedGallery(rows, gallery_lists(*nearest, k_gallery, expand), file), recall


def gallery_lists(
    distances: Tensor, neighbors: Tensor, k_gallery: int, expand: bool
) -> GalleryIndex:
    """Turn each gallery image's nearest into the lists that a search reads.

    Args:
        distances: [Ng, k], ascending.
        neighbors: [Ng, k], their images.
        k_gallery: k_g of the reciprocal sets.
        expand: whether they are expanded.

    Returns:
        The lists, on the CPU, read-only.
    """
    near = neighbors.cpu().numpy().astype(np.int32)
    everyone = np.arange(len(near), dtype=np.int32)
    size, members = reciprocal_members(near, everyone, k_gallery, expand)
    return _turned_round(near, distances.cpu().numpy(), size, members)


def checked_neighbors(
    distances: Array, neighbors: Array, features: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """Neighbours that were found elsewhere, in the dtype and on the device of the features.

    Args:
        distances: [Ng, k], >= 0, ascending.
        neighbors: [Ng, k] integers, each image another one's and in its row once.
        features: [Ng, D].
        k: how many.

    Returns:
        The same, as tensors.

    Raises:
        ValueError: for other shapes or types, or rows that are not like that.
    """
    value, index = to_tensor(distances, "distances"), to_tensor(neighbors, "neighbors")
    shape = (len(features), k)
    if value.shape != shape or index.shape != shape:
        raise ValueError(
            f"neighbors: expected distances and indices [Ng, k] = {list(shape)}, "
            f"got {list(value.shape)} and {list(index.shape)}"
        )
    if not value.is_floating_point() or index.dtype not in (torch.int32, torch.int64):
        raise ValueError(
            f"neighbors: expected floating distances and integer indices, "
            f"got {value.dtype} and {index.dtype}"
        )
    value, index = value.to(features), index.to(features.device).long()
    own = torch.arange(len(index), device=index.device)[:, None]
    repeated = (index.sort(1).values.diff(dim=1) == 0).any(1)
    outside = ((index < 0) | (index >= len(index)) | (index == own)).any(1)
    unordered = ~torch.isfinite(value).all(1) | (value < 0).any(1) | (value.diff(dim=1) < 0).any(1)
    bad = (repeated | outside | unordered).nonzero().squeeze(1)
    if len(bad):
        raise ValueError(
            f"neighbors: expected {k} other images in each row, by ascending distance; row "
            f"{int(bad[0])} is not like that ({len(bad)} of {len(index)} rows)"
        )
    return value, index


def extend(old: PreparedGallery, features: Tensor, k_gallery: int, expand: bool) -> PreparedGallery:
    """Add images: new columns are merged into the old lists, and touched sets built anew.

    The set of an image depends on its neighbours and on theirs, two steps deep. So only sets
    within two steps of an image whose list changed can be others than before.

    Args:
        old: a gallery of N0 images.
        features: [N1, D] of the new images, in the dtype and on the device of the old.
        k_gallery: as the old was prepared with.
        expand: likewise.

    Returns:
        A gallery of N0 + N1 images, the new ones last; the old stays as it is.
    """
    rows = CenteredRows.of(torch.cat([old.rows.features, features]))
    distances, neighbors = _merged(old.lists, rows)
    before = len(old.lists.neighbors)
    changed = np.ones(len(rows), np.bool_)
    changed[:before] = (neighbors[:before] != old.lists.neighbors).any(1)
    touched = _with_followers(_with_followers(changed, neighbors), neighbors)
    size, members = _sets(old.lists, neighbors, touched, k_gallery, expand)
    file = None if old.file is None else old.file.extended(features)
    return PreparedGallery(rows, _turned_round(neighbors, distances, size, members), file)


def _sets(
    old: GalleryIndex,
    neighbors: Ints,
    touched: NDArray[np.bool_],
    k_gallery: int,
    expand: bool,
) -> tuple[Ints, Ints]:
    """Sizes and members of all sets: the old ones, but for those touched."""
    which = np.flatnonzero(touched).astype(np.int32)
    size, members = reciprocal_members(neighbors, which, k_gallery, expand)
    kept = ~touched[old.owner]
    member = np.arange(len(old.size), dtype=np.int32).repeat(np.diff(old.owner_ptr))[kept]
    owner = np.concatenate([old.owner[kept], which.repeat(size)])
    ptr, members = group_by_key(owner, np.concatenate([member, members]), len(neighbors))
    return np.diff(ptr), members


def _turned_round(neighbors: Ints, distances: Floats, size: Ints, members: Ints) -> GalleryIndex:
    num_gallery, k = neighbors.shape
    everyone = np.arange(num_gallery, dtype=np.int32)
    near_ptr, near = group_by_key(neighbors.reshape(-1), everyone.repeat(k), num_gallery)
    owner_ptr, owner = group_by_key(members, everyone.repeat(size), num_gallery)
    counts = size.astype(distances.dtype)
    return GalleryIndex(
        *map(read_only, (neighbors, distances, near_ptr, near, owner_ptr, owner, counts))
    )


def _merged(old: GalleryIndex, rows: CenteredRows) -> tuple[Floats, Ints]:
    """Neighbours of all rows, where the first have some already among themselves."""
    before, k = old.neighbors.shape
    added = rows[before:]
    ahead = min(k, len(added))
    values, index = [], []
    for part, d in l2_blocks(rows.features[:before], added):
        found, new = k_smallest(d, ahead)
        known = [torch.tensor(a[part], device=d.device) for a in (old.distances, old.neighbors)]
        # Old images come first, so that k_smallest leaves ties to the lower index.
        value, place = k_smallest(torch.cat([known[0], found], 1), k)
        values.append(value)
        index.append(torch.cat([known[1].long(), new + before], 1).gather(1, place))
    blocks = l2_blocks(added.features, rows)
    value, place = nearest_in_blocks(blocks, k, start=before)
    distances, neighbors = torch.cat([*values, value]), torch.cat([*index, place])
    return distances.cpu().numpy(), neighbors.cpu().numpy().astype(np.int32)


def _with_followers(marked: NDArray[np.bool_], neighbors: Ints) -> NDArray[np.bool_]:
    """The marked images and those that have one of them among their neighbours."""
    return marked | marked[neighbors].any(1)
