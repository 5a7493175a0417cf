"""Inputs of the kernels: distances with ties and gaps, graphs, sets; shared by their tests."""

import pytest
import torch

from simgraph.kernels import reference
from simgraph.kernels.csr import ReciprocalSets

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
KINDS = pytest.mark.parametrize("kind", ["distinct", "ties", "equal", "some inf", "all inf"])


def rng(seed):
    return torch.Generator().manual_seed(seed)


def values(shape, dtype, kind="distinct", seed=0):
    d = torch.rand(shape, generator=rng(seed), dtype=dtype)
    if kind == "ties":
        return (4 * d).round() / 4
    if kind == "some inf":
        return d.masked_fill(d > 0.6, torch.inf)
    if kind == "all inf":
        return torch.full_like(d, torch.inf)
    return torch.ones_like(d) if kind == "equal" else d


def equal(found, expected):
    if isinstance(found, tuple):
        return all(map(equal, found, expected))
    return found.dtype == expected.dtype and torch.equal(found, expected)


def path_problem(num_queries, num_gallery, k, dtype, kind="distinct", seed=0):
    direct = values((num_queries, num_gallery), dtype, kind, seed)
    neighbors = torch.randint(0, num_gallery, (num_gallery, k), generator=rng(seed))
    weight = values((num_gallery, k), dtype, "ties" if kind == "ties" else "distinct", seed + 1)
    return direct, neighbors, weight


def random_sets(num_gallery, share, seed):
    member, owner = (torch.rand((num_gallery, num_gallery), generator=rng(seed)) < share).nonzero(
        as_tuple=True
    )
    ptr = torch.searchsorted(member, torch.arange(num_gallery + 1))
    return ReciprocalSets(owner, member, ptr, torch.bincount(owner, minlength=num_gallery))


def overlap_problem(num_queries, num_gallery, k_query, dtype, kind, seed=0):
    d = values((num_queries, num_gallery), dtype, kind, seed)
    best, nearest = reference.topk_smallest(d, k_query)
    return d, nearest, torch.isfinite(best).sum(1)


def neighbor_lists(num_gallery, k, seed=0):
    """Other images of each image, each once, in random order."""
    d = torch.rand((num_gallery, num_gallery), generator=rng(seed)).fill_diagonal_(torch.inf)
    return d.argsort(1)[:, :k]
