"""Ranked lists and their files."""

import csv

import numpy as np
import pytest
import torch

from simgraph.rerankers.ranked_lists import check_output, ranked_lists, write_ranked

DISTANCES = torch.tensor([[0.3, 0.1, 0.1, torch.inf], [4.0, 3.0, 2.0, 1.0]])


def test_lists_ascend_and_ties_go_to_the_lower_index():
    distances, indices = ranked_lists(DISTANCES)
    assert indices.tolist() == [[1, 2, 0, 3], [3, 2, 1, 0]]
    assert torch.equal(distances, DISTANCES.gather(1, indices))


@pytest.mark.parametrize(("top", "length"), [(1, 1), (3, 3), (4, 4), (100, 4), (None, 4)])
def test_top_is_at_most_the_gallery(top, length):
    whole = ranked_lists(DISTANCES)[1]
    assert torch.equal(ranked_lists(DISTANCES, top)[1], whole[:, :length])


def test_blocks_equal_the_whole(monkeypatch):
    d = torch.rand(50, 30, generator=torch.Generator().manual_seed(0)).mul(5).round()
    whole = ranked_lists(d, 7)
    monkeypatch.setattr("simgraph.distances.BLOCK_BYTES", 2000)
    blocks = ranked_lists(d, 7)
    assert torch.equal(whole[1], blocks[1])
    assert torch.equal(whole[1], d.sort(dim=1, stable=True).indices[:, :7])


def test_npz_round_trip(tmp_path):
    distances, indices = ranked_lists(DISTANCES, 2)
    write_ranked(distances, indices, tmp_path / "out" / "ranked.npz")
    with np.load(tmp_path / "out" / "ranked.npz", allow_pickle=False) as file:
        assert sorted(file.files) == ["distances", "indices"]
        np.testing.assert_array_equal(file["indices"], indices.numpy())
        np.testing.assert_array_equal(file["distances"], distances.numpy())
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["ranked.npz"]


def test_csv_holds_a_line_a_query_and_rank(tmp_path):
    write_ranked(*ranked_lists(DISTANCES, 2), tmp_path / "ranked.csv")
    with (tmp_path / "ranked.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        ["query", "rank", "gallery", "distance"],
        ["0", "1", "1", "0.1"],
        ["0", "2", "2", "0.1"],
        ["1", "1", "3", "1.0"],
        ["1", "2", "2", "2.0"],
    ]


def test_bad_arguments():
    with pytest.raises(ValueError, match="top = 0 must be at least 1"):
        ranked_lists(DISTANCES, 0)
    with pytest.raises(ValueError, match=r"ranked\.txt: expected a name ending in \.npz or \.csv"):
        check_output("ranked.txt")
