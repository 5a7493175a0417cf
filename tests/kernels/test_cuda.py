"""The triton kernels give the numbers of the torch reference, on a GPU or interpreted.

The interpreter has to be asked for before triton is first imported: see `make test-triton`.
"""

import os

import pytest
import torch

pytest.importorskip("triton", reason="triton is not installed: it comes with torch for CUDA")

from simgraph.kernels import cuda, reference
from simgraph.kernels.csr import ReciprocalSets

INTERPRETED = os.environ.get("TRITON_INTERPRET") == "1"
pytestmark = pytest.mark.skipif(
    not (INTERPRETED or torch.cuda.is_available()), reason="needs a GPU, or TRITON_INTERPRET=1"
)
DEVICE = "cpu" if INTERPRETED else "cuda"
DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])


def rng(seed):
    return torch.Generator().manual_seed(seed)


def values(shape, dtype, kind="distinct"):
    d = torch.rand(shape, generator=rng(0), dtype=dtype)
    d = {"distinct": d, "ties": (4 * d).round() / 4, "inf": d.masked_fill(d > 0.5, torch.inf)}[kind]
    return d.to(DEVICE)


@DTYPES
@pytest.mark.parametrize("kind", ["distinct", "ties", "inf"])
@pytest.mark.parametrize(("k", "num_paths"), [(0, 1), (1, 2), (6, 4)])
@pytest.mark.parametrize("legs_differ", [False, True])
def test_path_means_are_the_reference(legs_differ, k, num_paths, kind, dtype):
    direct = values((70, 9), dtype, kind)
    legs = direct * 0.5 if legs_differ else direct
    neighbors = torch.randint(0, 9, (9, k), generator=rng(1)).to(DEVICE)
    weight = values((9, k), dtype)
    args = direct, legs, neighbors, weight, num_paths
    torch.testing.assert_close(
        cuda.mean_k_shortest(*args), reference.mean_k_shortest(*args), rtol=1e-6, atol=0
    )
    some = torch.tensor([8, 0, 3], device=DEVICE)
    found = cuda.mean_k_shortest(direct, legs, neighbors[some], weight[some], num_paths, some)
    torch.testing.assert_close(found, reference.mean_k_shortest(*args)[:, some], rtol=1e-6, atol=0)


@DTYPES
@pytest.mark.parametrize("kind", ["distinct", "ties", "inf"])
@pytest.mark.parametrize("k_query", [1, 5])
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_fused_overlap_is_the_reference(alpha, k_query, kind, dtype):
    d = values((7, 23), dtype, kind)
    best, nearest = reference.topk_smallest(d, k_query)
    inside = torch.rand((23, 23), generator=rng(2)) < 0.3
    member, owner = (inside | torch.eye(23).bool()).nonzero(as_tuple=True)
    ptr = torch.searchsorted(member, torch.arange(24))
    sets = ReciprocalSets(*(t.to(DEVICE) for t in (owner, member, ptr, torch.bincount(owner))))
    args = d, nearest, torch.isfinite(best).sum(1), sets, alpha
    torch.testing.assert_close(
        cuda.jaccard_fuse(*args), reference.jaccard_fuse(*args), rtol=1e-6, atol=1e-7
    )
