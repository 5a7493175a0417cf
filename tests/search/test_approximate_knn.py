"""Approximate neighbors: exact if all lists are probed, with measured recall if not."""

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.distances import CenteredRows, l2_distance, nearest_neighbors
from simgraph.search.approximate_knn import approximate_neighbors

pytest.importorskip("faiss")
GALLERY = torch.randn(600, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("k", [0, 1, 20])
def test_probing_all_lists_is_exact(k):
    found, recall, file = approximate_neighbors(CenteredRows.of(GALLERY), k, num_probes=98)
    for part, exact in zip(found, nearest_neighbors(GALLERY, k), strict=True):
        assert torch.equal(part, exact)
    assert recall == 1 and len(file.centers) == 98


def test_fewer_lists_find_less_and_recall_says_so():
    rows = CenteredRows.of(GALLERY)
    exact = nearest_neighbors(GALLERY, 5)[1]
    recalls = []
    for probes in (1, 2, 4, 8):
        (_, neighbors), recall, _ = approximate_neighbors(rows, 5, probes)
        # 600 rows are all in the sample, so that the share can be counted out.
        shared = (neighbors[:, :, None] == exact[:, None]).any(2).float().mean()
        assert recall == pytest.approx(float(shared), abs=1e-6)
        recalls.append(recall)
    assert recalls == sorted(recalls) and recalls[0] < recalls[1] < 1


@pytest.mark.parametrize("probes", [1, 3])
def test_one_round_by_loops(probes, monkeypatch):
    """Lists, then reverse neighbors and neighbors of neighbors, by sets and a sort."""
    monkeypatch.setattr("simgraph.search.approximate_knn._ROUNDS", 1)
    gallery, k = GALLERY[:150].double(), 6
    (distances, neighbors), _, file = approximate_neighbors(CenteredRows.of(gallery), k, probes)
    d = l2_distance(gallery, gallery)
    near = l2_distance(gallery, torch.from_numpy(file.centers)).argsort(1)[:, :probes]
    bounds = zip(file.list_ptr, file.list_ptr[1:], strict=False)
    lists = [file.list_members[a:b].tolist() for a, b in bounds]

    def nearest(i, images):
        return sorted(images - {i}, key=lambda g: (float(d[i, g]), g))[:k]

    first = [nearest(i, {g for c in near[i] for g in lists[c]}) for i in range(150)]
    mutual = [
        nearest(i, {*first[i], *(j for j in range(150) if i in first[j])}) for i in range(150)
    ]
    for i in range(150):
        wide = nearest(i, {*mutual[i], *(g for t in mutual[i] for g in mutual[t])})
        if len(wide) == k:  # others were compared with all
            assert neighbors[i].tolist() == wide
            torch.testing.assert_close(distances[i], d[i, wide])
        else:
            assert neighbors[i].tolist() == nearest(i, set(range(150)))


def test_every_row_gets_k_others_with_their_distances():
    gallery = GALLERY.clone()
    gallery[:100] = gallery[0]  # duplicates fill whole lists
    (distances, neighbors), _, _ = approximate_neighbors(CenteredRows.of(gallery), 30, 1)
    own = torch.arange(600)[:, None]
    assert (neighbors != own).all() and (neighbors.sort(1).values.diff(dim=1) > 0).all()
    assert (distances.diff(dim=1) >= 0).all()
    torch.testing.assert_close(
        distances, l2_distance(gallery, gallery).gather(1, neighbors), atol=1e-5, rtol=1e-4
    )


def test_two_images():
    found = approximate_neighbors(CenteredRows.of(GALLERY[:2]), 1, num_probes=1)
    assert found[0][1].tolist() == [[1], [0]]


def test_an_approximate_index_says_its_recall_and_keeps_it(tmp_path):
    index = sg.SIMIndex(num_probes=2).fit(GALLERY)
    assert 0.2 < index.recall < 1 and index.num_lists == 98
    index.save(tmp_path / "index")
    loaded = sg.SIMIndex.load(tmp_path / "index")
    assert (loaded.recall, loaded.num_probes) == (index.recall, 2)
    assert sg.SIMIndex().fit(GALLERY).recall == 1


def test_features_from_a_memory_map(tmp_path):
    np.save(tmp_path / "gallery.npy", GALLERY.numpy())
    mapped = np.load(tmp_path / "gallery.npy", mmap_mode="r")
    found = sg.SIMIndex(num_probes=8).fit(mapped).search(mapped[:5])
    expected = sg.SIMIndex(num_probes=8).fit(GALLERY).search(GALLERY[:5].numpy())
    for part, whole in zip(found, expected, strict=True):
        np.testing.assert_array_equal(part, whole)


def test_bad_probes():
    with pytest.raises(ValueError, match="num_probes = 0 must be at least 1"):
        sg.SIMIndex(num_probes=0)
