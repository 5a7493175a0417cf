"""The indexed gallery: lists of given neighbors, and images that are added."""

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.distances import nearest_neighbors
from simgraph.rerankers.ranked_lists import ranked_lists
from simgraph.search.gallery import gallery_lists
from tests.search.galleries import SMALL, clustered

GALLERY = torch.randn(600, 16, generator=torch.Generator().manual_seed(0))


def test_lists_by_hand():
    # Images at 0, 1, 3 and 9; the nearest of each: 1, 0, 1, 2. Only 0 and 1 have each other.
    distances = torch.tensor([[1.0], [1], [2], [6]])
    lists = gallery_lists(distances, torch.tensor([[1], [0], [1], [2]]), 1, expand=False)
    assert lists.near_ptr.tolist() == [0, 1, 3, 4, 4] and lists.near.tolist() == [1, 0, 2, 3]
    assert lists.owner_ptr.tolist() == [0, 2, 4, 5, 6]
    assert lists.owner.tolist() == [0, 1, 0, 1, 2, 3]
    assert lists.size.tolist() == [2, 2, 1, 1] and lists.size.dtype == np.float32
    assert not any(array.flags.writeable for array in lists)


def test_neighbors_found_elsewhere():
    exact = nearest_neighbors(torch.nn.functional.normalize(GALLERY), 20)
    given = sg.SIMIndex().fit(GALLERY, (exact[0].numpy(), exact[1].int().numpy()))
    for part, whole in zip(
        given.search(GALLERY), sg.SIMIndex().fit(GALLERY).search(GALLERY), strict=True
    ):
        assert torch.equal(part, whole)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda d, i: (d[:, :-1], i), r"expected distances and indices \[Ng, k\] = \[600, 5\]"),
        (lambda d, i: (d, i.float()), "integer indices"),
        (lambda d, i: (d.flip(1), i), "row 0 is not like that"),
        (lambda d, i: (d, i.clone().fill_(600)), "row 0 is not like that"),
        (lambda d, i: (d, torch.arange(600)[:, None].expand(-1, 5)), "row 0 is not like that"),
        (lambda d, i: (d - 10, i), "row 0 is not like that"),
        (lambda d, i: (d * torch.nan, i), r"\(600 of 600 rows\)"),
    ],
)
def test_bad_neighbors(change, message):
    nearest = nearest_neighbors(GALLERY, 5)
    params = {"k": 5, "num_paths": 3, "k_gallery": 5}
    with pytest.raises(ValueError, match=message):
        sg.SIMIndex(**params).fit(GALLERY, change(*nearest))


def opposite_pairs(num_pairs, seed):
    """Small whole numbers with mean exactly 0: all distances are exact, and ties many."""
    half = np.random.default_rng(seed).integers(-2, 3, (num_pairs, 3)).astype(np.float32)
    return torch.from_numpy(np.concatenate([half, -half]))


@pytest.mark.parametrize("sizes", [(20, 1), (20, 20), (4, 40), (15, 3, 9)])
@pytest.mark.parametrize("expand", [True, False])
def test_adding_is_fitting_all(sizes, expand):
    params = SMALL | {"expand": expand, "normalize": False}
    parts = [opposite_pairs(num, seed) for seed, num in enumerate(sizes)]
    index = sg.SIMIndex(**params).fit(parts[0])
    for part in parts[1:]:
        assert index.add(part) is index
    fresh = sg.SIMIndex(**params).fit(torch.cat(parts))
    assert index.num_gallery == 2 * sum(sizes)
    pairs = zip(index._prepared.lists, fresh._prepared.lists, strict=True)
    for name, (grown, whole) in zip(fresh._prepared.lists._fields, pairs, strict=True):
        np.testing.assert_array_equal(grown, whole, err_msg=name)
    for part, whole in zip(index.search(parts[0]), fresh.search(parts[0]), strict=True):
        assert torch.equal(part, whole)


def test_adding_real_numbers_finds_the_same():
    query, gallery = clustered(30, 8, 0), clustered(300, 8, 1)
    index = sg.SIMIndex().fit(gallery[:120]).add(gallery[120:121]).add(gallery[121:])
    values, indices = ranked_lists(sg.rerank(query, gallery), 20)
    found = index.search(query)
    torch.testing.assert_close(found[0], values)
    assert torch.equal(found[1], indices)


def test_adding_leaves_the_old_gallery_to_its_readers():
    gallery = clustered(100, 8, 1)
    index = sg.SIMIndex().fit(gallery[:60])
    before = index._prepared
    copies = [array.copy() for array in before.lists]
    index.add(gallery[60:])
    assert len(before.rows) == 60 and index.num_gallery == 100
    for array, copy in zip(before.lists, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


REPEATED = {"k": 8, "num_paths": 4, "k_query": 8, "k_gallery": 8}


@pytest.mark.parametrize("count", [30, 300])
def test_adding_copies_of_images_is_fitting_all(count):
    rng = np.random.default_rng(0)
    centers = rng.normal(size=(400, 16))
    gallery = (centers.repeat(10, 0) + 0.4 * rng.normal(size=(4000, 16))).astype("f4")
    query = (centers[:50] + 0.6 * rng.normal(size=(50, 16))).astype("f4")
    grown = sg.SIMIndex(**REPEATED).fit(gallery).add(gallery[:count])
    fresh = sg.SIMIndex(**REPEATED).fit(np.r_[gallery, gallery[:count]])
    found, expected = grown.search(query, 10), fresh.search(query, 10)
    np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
    np.testing.assert_array_equal(found[1], expected[1])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-3), (torch.float64, 1e-12)])
@pytest.mark.parametrize("shift", [0, 1, 100], ids="shift {}".format)
def test_neighbors_of_a_grown_gallery_are_within_the_bound(seed, dtype, bound, shift):
    rng = np.random.default_rng(seed)
    dim, k = int(rng.choice([2, 16, 256])), int(rng.choice([1, 7]))
    old = clustered(150, dim, seed, dtype=dtype)
    new = clustered(60, dim, seed + 50, shift=shift, dtype=dtype)
    new[:20] = old[torch.from_numpy(rng.integers(0, 150, 20))]
    params = {"k": k, "num_paths": 1, "k_query": 3, "k_gallery": k, "normalize": bool(seed % 2)}
    index = sg.SIMIndex(**params).fit(old).add(new[:20]).add(new[20:])
    rows, lists = index._prepared.rows.features.double(), index._prepared.lists
    exact = (rows[:, None] - rows[None]).square().sum(2).sqrt().fill_diagonal_(torch.inf)
    nearest = exact.sort(1).values[:, :k].numpy()
    listed = exact.gather(1, torch.from_numpy(lists.neighbors).long()).numpy()
    np.testing.assert_allclose(lists.distances, listed, rtol=bound, atol=0)
    np.testing.assert_allclose(listed, nearest, rtol=2 * bound, atol=0)
    fresh = sg.SIMIndex(**params).fit(torch.cat([old, new]))._prepared.lists
    np.testing.assert_allclose(lists.distances, fresh.distances, rtol=bound, atol=0)
    gaps = np.diff(exact.sort(1).values[:, : k + 1].numpy(), axis=1) / np.maximum(nearest, 1e-300)
    apart = (gaps > 4 * bound).all(1)
    np.testing.assert_array_equal(lists.neighbors[apart], fresh.neighbors[apart])
    assert apart.any() or k > 1
