"""Ranks of matches by counting equal those by sorting."""

import pytest
import torch

from simgraph.kernels import cpu, reference
from tests.kernels.problems import KINDS, equal, rng, values


@KINDS
@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("many", [0, 10**6], ids=["sorted", "counted"])
def test_match_ranks_equal_the_reference(monkeypatch, many, share, kind):
    monkeypatch.setattr(cpu, "_MANY", many)
    d = values((17, 90), torch.float32, kind)
    kept = torch.rand(d.shape, generator=rng(7)) < 0.7
    query_of, column = (kept & (torch.rand(d.shape, generator=rng(8)) < share)).nonzero(
        as_tuple=True
    )
    args = kept, query_of, column, torch.randint(0, 12, (90,), generator=rng(9))
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        converted = d.to(dtype)
        found, expected = cpu.match_ranks(converted, *args), reference.match_ranks(converted, *args)
        assert equal(found, expected)
    for e in range(0, len(column), 40):
        row, j = d[query_of[e]], column[e]
        ahead = [t for t in range(90) if kept[query_of[e], t] and (row[t], t) < (row[j], int(j))]
        assert reference.match_ranks(d, *args)[0][e] == len(ahead) + 1
