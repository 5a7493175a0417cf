"""An index that probes some lists: the same as infinite distances to all images it skips."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.search.inverted_file import InvertedFile
from tests.oracles import sim as oracles

pytest.importorskip("faiss")
PARAMS = {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 5, "alpha": 0.4}


def clustered(num, seed, dim=8, dtype=torch.float64):
    """Rows around 15 centers, the same for every seed."""
    centers = torch.randn(15, dim, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    rows = centers[torch.randint(15, (num,), generator=generator)]
    return (rows + 0.5 * torch.randn(num, dim, generator=generator)).to(dtype)


def probed(index, query, num_probes):
    """D_qg by one distance at a time, with inf where the index does not probe."""
    arrays, _ = index.state()
    x, centers, neighbors = (arrays[key] for key in ("features", "centers", "neighbors"))
    owner = np.argmin(oracles.euclidean(x, centers), axis=1)
    d = np.full((len(query), len(x)), np.inf)
    for i, q in enumerate(query):
        lists = np.argsort(oracles.euclidean(q[None], centers)[0])[:num_probes]
        exact = oracles.euclidean(q[None], x)[0]
        seen = np.isin(owner, lists)
        d[i, seen] = exact[seen]
        nearest = [g for g in np.argsort(d[i], kind="stable") if d[i, g] < np.inf]
        around = neighbors[nearest[: index.fitted.k_query]].ravel()
        d[i, around] = exact[around]
    return d


def answers(index, d, top):
    """Algorithm 1 over given distances and the index's own neighbors, by loops and sets."""
    arrays, p = index.state()
    lists = arrays["neighbors"].tolist()
    near = {
        (t, j): p["lam"] * arrays["distances"][j, s]
        for j, row in enumerate(lists)
        for s, t in enumerate(row)
    }
    matches = {(i, g): value for i, row in enumerate(d) for g, value in enumerate(row)}
    d_s = oracles.edge_sgr(len(d), len(lists), matches, near, p["num_paths"])
    sets = (oracles.expanded if p["expand"] else oracles.reciprocal)(lists, p["k_gallery"])
    d_sim = oracles.fuse(d_s, oracles.set_mnnr(d_s, sets, p["k_query"]), p["alpha"])
    order = np.argsort(d_sim, axis=1, kind="stable")[:, :top]
    return np.take_along_axis(d_sim, order, 1), order


def check(index, query, num_probes, top):
    distances, indices = index.search(query, top, num_probes)
    expected = answers(index, probed(index, query, num_probes), top)
    np.testing.assert_allclose(distances, expected[0], rtol=1e-9)
    # Distances of another order of sums: images may change places where they are equal but for it.
    with np.errstate(invalid="ignore"):  # inf beside inf: a tie
        apart = np.abs(np.diff(expected[0], axis=1)) > 1e-9
    sure = np.pad(apart, ((0, 0), (1, 0)), constant_values=True)
    sure[:, :-1] &= apart
    sure[:, -1] &= np.isfinite(expected[0][:, -1])
    np.testing.assert_array_equal(indices[sure], expected[1][sure])
    return indices


@pytest.mark.parametrize("num_probes", [1, 2, 5, 30])
@pytest.mark.parametrize("change", [{}, {"expand": False, "alpha": 0.0}, {"alpha": 1.0}], ids=str)
def test_other_lists_are_infinitely_far(num_probes, change):
    index = sg.SIMIndex(**PARAMS | change, normalize=False, num_probes=3).fit(clustered(300, 1))
    assert index.num_lists == 69
    check(index, clustered(10, 2).numpy(), num_probes, 20)


def test_fewer_found_than_asked_for():
    index = sg.SIMIndex(**PARAMS, normalize=False, num_probes=3).fit(clustered(90, 1))
    query = clustered(4, 2).numpy()
    distances, indices = index.search(query, 90, 1)
    assert np.isinf(distances[:, -1]).all() and np.isfinite(distances[:, 0]).all()
    assert (np.sort(indices, axis=1) == np.arange(90)).all()
    reached = np.isfinite(answers(index, probed(index, query, 1), 90)[0])
    np.testing.assert_array_equal(np.isfinite(distances), reached)
    for row, found in zip(indices, reached, strict=True):
        assert (np.diff(row[~found]) > 0).all()  # ties, at inf, to the lower index


@pytest.mark.parametrize("kind", ["duplicates", "all equal", "two points", "few"])
def test_degenerate_galleries(kind):
    gallery = clustered(60, 1)
    if kind == "duplicates":
        gallery[::2] = gallery[0]
    if kind == "all equal":
        gallery[:] = gallery[0]
    if kind == "two points":
        gallery[::2], gallery[1::2] = gallery[0], gallery[1]
    if kind == "few":
        gallery = gallery[:6]
    query = clustered(3, 2)
    index = sg.SIMIndex(**PARAMS, normalize=False, num_probes=1).fit(gallery)
    found, indices = index.search(query, 6)
    assert (indices.sort(1).values.diff(dim=1) > 0).all() and (found.diff(dim=1) >= 0).all()
    whole = index.search(query, 6, num_probes=index.num_lists)
    exact = sg.SIMIndex(**PARAMS, normalize=False)
    state = index.state()[0]
    exact.fit(gallery, (state["distances"], state["neighbors"]))
    for part, expected in zip(whole, exact.search(query, 6), strict=True):
        assert torch.equal(part, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_all_lists_are_the_exact_index_to_the_bit(dtype):
    gallery, query = clustered(300, 1, dtype=dtype), clustered(20, 2, dtype=dtype)
    index = sg.SIMIndex(**PARAMS, num_probes=300).fit(gallery)
    exact = sg.SIMIndex(**PARAMS).fit(gallery)
    assert index.recall == 1
    for part, expected in zip(index.search(query), exact.search(query), strict=True):
        assert torch.equal(part, expected) and part.dtype == expected.dtype
    index = sg.SIMIndex(**PARAMS, num_probes=5).fit(gallery)
    found = index.search(query, num_probes=20)
    assert found[0].dtype == dtype
    for part, same in zip(found, index.search(query), strict=True):  # four times as many
        assert torch.equal(part, same)
    plain = index.search(query.numpy(), num_probes=20)
    for part, array in zip(found, plain, strict=True):
        np.testing.assert_array_equal(part, array)


def test_more_lists_find_more_of_the_exact_answers():
    gallery, query = clustered(2000, 1, dim=32), clustered(100, 2, dim=32)
    index = sg.SIMIndex(num_probes=8).fit(gallery)
    exact = index.search(query, num_probes=index.num_lists)[1]
    found = [index.search(query, num_probes=p)[1] for p in (1, 4, 16, 64)]
    shares = [float((f[:, :, None] == exact[:, None]).any(2).float().mean()) for f in found]
    assert shares == sorted(shares) and shares[0] < 0.9 < shares[-1]


def test_saved_loaded_and_added_to(tmp_path):
    gallery, query = clustered(300, 1), clustered(10, 2).numpy()
    index = sg.SIMIndex(**PARAMS, normalize=False, num_probes=2).fit(gallery[:200])
    index.save(tmp_path / "index")
    loaded = sg.SIMIndex.load(tmp_path / "index")
    assert loaded.num_lists == index.num_lists == 57
    for part, expected in zip(loaded.search(query), index.search(query), strict=True):
        np.testing.assert_array_equal(part, expected)
    loaded.add(gallery[200:])
    assert (loaded.num_gallery, index.num_gallery) == (300, 200)
    assert check(loaded, query, 2, 20).max() >= 200  # new images are in the lists they belong to


def test_threads_search_while_one_adds():
    query, parts = clustered(10, 2).numpy(), clustered(200, 1).split(50)
    index, states = sg.SIMIndex(**PARAMS, num_probes=2).fit(parts[0]), []
    for part in parts[1:]:
        states.append(index.search(query)[1].tolist())
        index.add(part)
    states.append(index.search(query)[1].tolist())
    index = sg.SIMIndex(**PARAMS, num_probes=2).fit(parts[0])
    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(index.search, query) for _ in range(10)]
        for part in parts[1:]:
            index.add(part)
            searches += [pool.submit(index.search, query) for _ in range(5)]
        found = [search.result()[1].tolist() for search in searches]
    assert all(lists in states for lists in found) and found[-1] == states[-1]


def test_lists_are_built_for_neighbors_found_elsewhere():
    gallery, query = clustered(200, 1), clustered(10, 2).numpy()
    state = sg.SIMIndex(**PARAMS, normalize=False).fit(gallery).state()[0]
    index = sg.SIMIndex(**PARAMS, normalize=False, num_probes=2)
    index.fit(gallery, (state["distances"], state["neighbors"]))
    assert index.num_lists == 57 and index.recall == 1
    check(index, query, 2, 10)


@pytest.mark.parametrize(
    ("num_probes", "message"),
    [(0, "num_probes = 0 must be at least 1"), (2, r"make it with SIMIndex\(num_probes=\.\.\.\)")],
)
def test_bad_probes(num_probes, message):
    index = sg.SIMIndex(**PARAMS).fit(clustered(30, 1))
    with pytest.raises(ValueError, match=message):
        index.search(clustered(2, 2), num_probes=num_probes)


def test_lists_of_a_gallery_elsewhere_than_on_the_cpu_are_refused():
    with pytest.raises(ValueError, match="expected a gallery on the CPU, got one on meta"):
        InvertedFile.of(torch.empty(100, 8, device="meta"))
