"""A gallery indexed for search: features, neighbors, reciprocal sets, and both inverted."""

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
class IndexedGallery:
    """Everything that a search reads of a gallery; never changed in place.

    Attributes:
        rows: features [Ng, D], centered for distances to them.
        lists: neighbors, and per image the images that have it as a neighbor or in their set.
        file: lists of images around centers, or None if searches score all images.
    """

    rows: CenteredRows
    lists: GalleryIndex
    file: InvertedFile | None = None

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> IndexedGallery:
        """The gallery of arrays that `arrays` returned."""
        rows = {key: to_tensor(arrays[key], key) for key in CenteredRows.__dataclass_fields__}
        lists = GalleryIndex(*(arrays[key] for key in GalleryIndex._fields))
        file = None
        if "centers" in arrays:
            file = InvertedFile(*(arrays[key] for key in InvertedFile._fields))
        return cls(CenteredRows(**rows), lists, file)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """All arrays by name, on the CPU; those that are there already are not copied."""
        rows = {name: tensor.cpu().numpy() for name, tensor in vars(self.rows).items()}
        file = {} if self.file is None else self.file._asdict()
        return rows | self.lists._asdict() | file

    def query_distances(
        self, q: Tensor, num_probes: int | None, k_query: int
    ) -> Iterator[NDArray[Any]]:
        """D_qg by blocks of queries; `inf` to images that are not scored.

        Args:
            q: [Nq, D], in the dtype and on the device of the features.
            num_probes: lists of the file to probe; None, or all of them, scores all images.
            k_query: how many of the nearest images found have their neighbors added.

        Yields:
            Blocks [B, Ng].
        """
        if self.file is None or num_probes is None or num_probes >= len(self.file.centers):
            for _, d in l2_blocks(q, self.rows):
                yield d.cpu().numpy()
            return
        x, (_, ptr, members) = self.rows.features, self.file
        for part in l2_row_blocks(len(q), x):
            lists = self.file.nearest(q[part], num_probes).numpy()
            yield probed_distances(
                q[part].numpy(), x.numpy(), lists, ptr, members, self.lists.neighbors, k_query
            )


def prepare(
    x: Tensor,
    nearest: tuple[Tensor, Tensor] | None,
    k: int,
    num_probes: int | None,
    k_gallery: int,
    expand: bool,
) -> tuple[IndexedGallery, float]:
    """Compute everything that a search reads of a gallery.

    Args:
        x: features [Ng, D].
        nearest: distances and indices [Ng, k] of the neighbors of each image; None finds them.
        k: number of neighbors.
        num_probes: lists to probe for them, see `simgraph.search.approximate_knn`; None compares
            all images, and builds no lists.
        k_gallery: k_g of the reciprocal sets.
        expand: whether to expand the sets.

    Returns:
        The gallery, and the share of the neighbors that was found.
    """
    rows, file, recall = CenteredRows.of(x), None, 1.0
    if num_probes is not None and nearest is not None:
        file, _ = InvertedFile.of(x)
    elif num_probes is not None:
        nearest, recall, file = approximate_neighbors(rows, k, num_probes)
    elif nearest is None:
        nearest = nearest_neighbors(x, k)
    return IndexedGallery(rows, gallery_lists(*nearest, k_gallery, expand), file), recall


def gallery_lists(
    distances: Tensor, neighbors: Tensor, k_gallery: int, expand: bool
) -> GalleryIndex:
    """Turn the neighbors of each gallery image into the lists that a search reads.

    Args:
        distances: [Ng, k], ascending.
        neighbors: [Ng, k], their images.
        k_gallery: k_g of the reciprocal sets.
        expand: whether to expand the sets.

    Returns:
        The lists, on the CPU, read-only.
    """
    near = neighbors.cpu().numpy().astype(np.int32)
    all_rows = np.arange(len(near), dtype=np.int32)
    size, members = reciprocal_members(near, all_rows, k_gallery, expand)
    return _inverted(near, distances.cpu().numpy(), size, members)


def checked_neighbors(
    distances: Array, neighbors: Array, features: Tensor, k: int
) -> tuple[Tensor, Tensor]:
    """Check neighbors that were found elsewhere; return them like the features.

    Args:
        distances: [Ng, k], >= 0, ascending.
        neighbors: [Ng, k] integers: other images, each once per row.
        features: [Ng, D].
        k: number of neighbors.

    Returns:
        Both as tensors, in the dtype and on the device of the features.

    Raises:
        ValueError: for other shapes or types, or rows of another form.
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


def extend(old: IndexedGallery, features: Tensor, k_gallery: int, expand: bool) -> IndexedGallery:
    """Add images: merge new columns into the old neighbor lists, and rebuild the affected sets.

    The set of an image depends on its neighbors and on theirs, two steps deep. So only sets
    within two steps of an image whose neighbors changed can differ from the old ones.

    Args:
        old: a gallery of N0 images.
        features: [N1, D] of the new images, in the dtype and on the device of the old.
        k_gallery: as for `prepare` of the old gallery.
        expand: likewise.

    Returns:
        A gallery of N0 + N1 images, the new ones last; the old one does not change.
    """
    rows = old.rows.extended(features)
    distances, neighbors = _merged(old.lists, rows)
    before = len(old.lists.neighbors)
    changed = np.ones(len(rows), np.bool_)
    changed[:before] = (neighbors[:before] != old.lists.neighbors).any(1)
    touched = _plus_reverse_neighbors(_plus_reverse_neighbors(changed, neighbors), neighbors)
    size, members = _sets(old.lists, neighbors, touched, k_gallery, expand)
    file = None if old.file is None else old.file.extended(features)
    return IndexedGallery(rows, _inverted(neighbors, distances, size, members), file)


def _sets(
    old: GalleryIndex,
    neighbors: Ints,
    touched: NDArray[np.bool_],
    k_gallery: int,
    expand: bool,
) -> tuple[Ints, Ints]:
    """Sizes and members of all sets: those touched are built, the others are the old ones."""
    which = np.flatnonzero(touched).astype(np.int32)
    size, members = reciprocal_members(neighbors, which, k_gallery, expand)
    kept = ~touched[old.owner]
    member = np.arange(len(old.size), dtype=np.int32).repeat(np.diff(old.owner_ptr))[kept]
    owner = np.concatenate([old.owner[kept], which.repeat(size)])
    ptr, members = group_by_key(owner, np.concatenate([member, members]), len(neighbors))
    return np.diff(ptr), members


def _inverted(neighbors: Ints, distances: Floats, size: Ints, members: Ints) -> GalleryIndex:
    """Invert neighbors and sets: per image, the images that have it among theirs."""
    num_gallery, k = neighbors.shape
    all_rows = np.arange(num_gallery, dtype=np.int32)
    near_ptr, near = group_by_key(neighbors.reshape(-1), all_rows.repeat(k), num_gallery)
    owner_ptr, owner = group_by_key(members, all_rows.repeat(size), num_gallery)
    counts = size.astype(distances.dtype)
    return GalleryIndex(
        *map(read_only, (neighbors, distances, near_ptr, near, owner_ptr, owner, counts))
    )


def _merged(old: GalleryIndex, rows: CenteredRows) -> tuple[Floats, Ints]:
    """Neighbors of all rows, where the first rows have neighbors among themselves already."""
    before, k = old.neighbors.shape
    added = rows[before:]
    ahead = min(k, len(added))
    values, index = [], []
    for part, d in l2_blocks(rows.features[:before], added):
        found, new = k_smallest(d, ahead)
        known = [torch.tensor(a[part], device=d.device) for a in (old.distances, old.neighbors)]
        # Old images come first, so that k_smallest gives ties to the lower index.
        value, place = k_smallest(torch.cat([known[0], found], 1), k)
        values.append(value)
        index.append(torch.cat([known[1].long(), new + before], 1).gather(1, place))
    blocks = l2_blocks(added.features, rows)
    value, place = nearest_in_blocks(blocks, k, start=before)
    distances, neighbors = torch.cat([*values, value]), torch.cat([*index, place])
    return distances.cpu().numpy(), neighbors.cpu().numpy().astype(np.int32)


def _plus_reverse_neighbors(marked: NDArray[np.bool_], neighbors: Ints) -> NDArray[np.bool_]:
    """The marked images, and those that have one of them among their neighbors."""
    return marked | marked[neighbors].any(1)
