"""Graphs that the tests of graphs share."""

import pytest
import torch

import simgraph as sg
import simgraph.distances
from tests.oracles.sim import CASES, Case

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def graph_of(case: Case, **params):
    return sg.similarity_graph_from_distances(
        *case.tensors(), **({"k": case.k, "lam": case.lam} | params)
    )


def features(rows, seed=0, dim=6, dtype=torch.float32):
    return torch.randn(rows, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)
