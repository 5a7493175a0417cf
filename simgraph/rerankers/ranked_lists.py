"""Ranked lists: the nearest gallery images of each query, and files of them."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from simgraph._files import atomic_write, writable_file
from simgraph._params import require_int
from simgraph.distances import k_smallest, row_blocks

SUFFIXES = (".npz", ".csv")


def ranked_lists(distances: Tensor, top: int | None = None) -> tuple[Tensor, Tensor]:
    """The nearest gallery images of each query, ties to the lower index.

    Args:
        distances: [Nq, Ng], smaller is nearer; `inf` ranks last.
        top: length of each list; None, or more than Ng, takes the whole gallery.

    Returns:
        distances [Nq, top], ascending, and indices [Nq, top] into the gallery: the shape
        faiss uses.

    Raises:
        ValueError: for top below 1.
    """
    num_gallery = distances.shape[1]
    check_top(top)
    length = num_gallery if top is None else min(top, num_gallery)
    blocks = row_blocks(len(distances), 24 * num_gallery)
    parts = [k_smallest(distances[rows], length) for rows in blocks]
    return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])


def check_top(top: int | None) -> None:
    """Raise ValueError unless top is at least 1, or None for the whole gallery."""
    if top is not None:
        require_int("top", top, 1)


def check_output(path: str | Path) -> Path:
    """Raise ValueError unless `write_ranked` knows the suffix; to be called before the work."""
    return writable_file(path, SUFFIXES)


def write_ranked(distances: Tensor, indices: Tensor, path: str | Path) -> None:
    """Write ranked lists, to a temporary name first.

    Args:
        distances: [Nq, top].
        indices: [Nq, top].
        path: `.npz` holds `indices` int64 and `distances`; `.csv` has a header and the columns
            query, rank (from 1), gallery, distance.

    Raises:
        ValueError: for another suffix.
    """
    target = check_output(path)
    with atomic_write(target) as temporary:
        if target.suffix.lower() == ".npz":
            with temporary.open("wb") as file:
                np.savez(file, indices=indices.cpu().numpy(), distances=distances.cpu().numpy())
        else:
            _write_csv(distances, indices, temporary)


def _write_csv(distances: Tensor, indices: Tensor, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["query", "rank", "gallery", "distance"])
        for query, (values, found) in enumerate(zip(distances, indices, strict=True)):
            # str of a float32 widened to float64 would show digits that a float32 does not have.
            digits = values.cpu().numpy().astype(str)
            ranked = zip(found.tolist(), digits, strict=True)
            writer.writerows((query, rank, *pair) for rank, pair in enumerate(ranked, start=1))
