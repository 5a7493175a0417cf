"""SIMIndex against the dense lists, bit for bit; adding, threads, and what is refused."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import simgraph as sg
from simgraph.distances import nearest_in_distances
from simgraph.kernels.pruned_search import SIMScalars, nearest_by_sim
from simgraph.rerankers.ranked_lists import ranked_lists
from simgraph.search.gallery import gallery_lists
from tests.oracles import sim as oracles

SMALL = {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 4, "alpha": 0.4}


def clustered(num, dim, seed, shift=0.0, spread=0.7, dtype=torch.float32):
    """Rows about 12 centres, the same for every seed; shifted as another modality is."""
    centers = torch.randn(12, dim, generator=torch.Generator().manual_seed(99))
    generator = torch.Generator().manual_seed(seed)
    rows = centers[torch.randint(12, (num,), generator=generator)]
    return (rows + spread * torch.randn(num, dim, generator=generator) + shift).to(dtype)


def check_lists(index, query, gallery, top, **params):
    expected = ranked_lists(sg.rerank(query, gallery, "sim", **params), top)
    distances, indices = index.search(query, top)
    assert torch.equal(indices, expected[1])
    assert torch.equal(distances, expected[0])


@st.composite
def problems(draw):
    """Distances on a coarse grid, so that ties are everywhere, and parameters up to limits."""
    n = draw(st.integers(1, 40))
    seed, levels = draw(st.integers(0, 2**16)), draw(st.sampled_from([1, 2, 4, 30, 1000]))
    generator = np.random.default_rng(seed)
    d_qg, d_gg = (generator.integers(0, levels + 1, (rows, n)) / 8 for rows in (4, n))
    k = draw(st.integers(0, n - 1))
    params = {
        "k": k,
        "lam": draw(st.sampled_from([0.0, 0.01, 0.5, 1.0])),
        "num_paths": draw(st.integers(1, k + 1)),
        "k_query": draw(st.integers(1, n)),
        "k_gallery": draw(st.integers(0, k)),
        "alpha": draw(st.sampled_from([0.0, 0.3, 0.9, 1.0])),
        "expand": draw(st.booleans()),
    }
    return d_qg.astype(np.float32), d_gg.astype(np.float32), params, draw(st.integers(1, n))


@given(problems())
@settings(max_examples=150, deadline=None)
def test_certified_lists_are_the_dense_ones(problem):
    d_qg, d_gg, params, top = problem
    dense = torch.from_numpy(sg.sim_distance(d_qg, d_gg, **params))
    values, index = ranked_lists(dense, top)

    nearest = nearest_in_distances(torch.from_numpy(d_gg), params["k"])
    lists = gallery_lists(*nearest, params["k_gallery"], params["expand"])
    numbers = (params[name] for name in ("lam", "num_paths", "k_query", "alpha"))
    found, images = nearest_by_sim(
        d_qg, lists, SIMScalars.of(*numbers, np.dtype(np.float32)), top, 1
    )
    np.testing.assert_array_equal(images, index)
    np.testing.assert_array_equal(found, values)


@given(problems(), st.floats(0, 1), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_certified_lists_where_edges_are_missing(problem, share, seed):
    d_qg, d_gg, params, top = problem
    d_qg, d_gg = d_qg.astype(np.float64), d_gg.astype(np.float64)
    d_qg[np.random.default_rng(seed).random(d_qg.shape) < share] = np.inf
    dense = oracles.sim(d_qg, d_gg, **params)
    values, index = ranked_lists(torch.from_numpy(dense), top)

    nearest = nearest_in_distances(torch.from_numpy(d_gg), params["k"])
    lists = gallery_lists(*nearest, params["k_gallery"], params["expand"])
    numbers = (params[name] for name in ("lam", "num_paths", "k_query", "alpha"))
    found, images = nearest_by_sim(
        d_qg, lists, SIMScalars.of(*numbers, np.dtype(np.float64)), top, 1
    )
    np.testing.assert_allclose(found, values, rtol=1e-14)
    np.testing.assert_array_equal(images, index)


@pytest.mark.parametrize("top", [1, 20, 150, 600])
@pytest.mark.parametrize("params", [{}, SMALL, SMALL | {"normalize": False}], ids=str)
def test_index_is_rerank_to_the_bit(top, params):
    query, gallery = clustered(40, 16, 0, shift=1, spread=1.5), clustered(600, 16, 1)
    gallery[7] = gallery[300] = gallery[5]
    check_lists(sg.SIMIndex(**params).fit(gallery), query, gallery, top, **params)


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("kind", ["all equal", "two points", "zeros"])
def test_degenerate_galleries(kind, alpha):
    gallery = torch.ones(30, 4)
    if kind == "two points":
        gallery[::2] = torch.tensor([1.0, -1, 1, -1])
    if kind == "zeros":
        gallery[:] = 0
    query, params = clustered(5, 4, 0), SMALL | {"alpha": alpha}
    check_lists(sg.SIMIndex(**params).fit(gallery), query, gallery, 12, **params)


def test_one_image():
    params = {"k": 0, "num_paths": 1, "k_query": 1, "k_gallery": 0}
    query, gallery = clustered(3, 4, 0), clustered(1, 4, 1)
    index = sg.SIMIndex(**params).fit(gallery)
    check_lists(index, query, gallery, 1, **params)
    assert index.search(query, 20)[1].tolist() == [[0]] * 3  # no more than there are


def test_one_query_at_a_time_is_all_at_once():
    query, gallery = clustered(9, 8, 0), clustered(200, 8, 1)
    index = sg.SIMIndex().fit(gallery)
    distances, indices = index.search(query)
    for i in range(9):
        alone = index.search(query[i : i + 1])
        # A product of one row rounds in another order than one of nine.
        torch.testing.assert_close(alone[0][0], distances[i])
        assert torch.equal(alone[1][0], indices[i])


def test_gallery_order_does_not_matter():
    query, gallery = clustered(9, 8, 0), clustered(200, 8, 1)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(0))
    distances, indices = sg.SIMIndex().fit(gallery).search(query)
    moved = sg.SIMIndex().fit(gallery[order]).search(query)
    torch.testing.assert_close(moved[0], distances)
    assert torch.equal(order[moved[1]], indices)


def test_images_far_from_the_query_are_not_scored():
    near, far = clustered(200, 8, 1), clustered(200, 8, 2, shift=100)
    index = sg.SIMIndex(normalize=False).fit(torch.cat([near, far]))
    query = clustered(6, 8, 0)
    expected = index.search(query)
    lists = index._prepared.lists
    poisoned = lists.distances.copy()
    poisoned[200:] = np.nan  # whatever is scored there is NaN
    poisoned.flags.writeable = False
    object.__setattr__(index._prepared, "lists", lists._replace(distances=poisoned))
    for part, whole in zip(index.search(query), expected, strict=True):
        assert torch.equal(part, whole)
    assert torch.isnan(index.search(query + 100)[0]).any()


def test_numpy_in_numpy_out_and_double_precision():
    query, gallery = clustered(4, 8, 0).double(), clustered(60, 8, 1).double()
    index = sg.SIMIndex(**SMALL).fit(gallery.numpy())
    distances, indices = index.search(query.numpy(), 7)
    assert distances.dtype == np.float64 and indices.dtype == np.int64
    check_lists(index, query, gallery, 7, **SMALL)
    narrow = index.search(query.float().numpy(), 7)  # taken in the gallery's precision
    np.testing.assert_array_equal(narrow[1], indices)


def test_real_features(shared):
    features = sg.load_features(shared / "features" / "mfeat_fou2kar_cca.npz")
    query, gallery = (torch.as_tensor(x) for x in (features.query, features.gallery))
    check_lists(sg.SIMIndex().fit(gallery), query, gallery, 50)


# --- add --------------------------------------------------------------------------------------


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


def test_threads_search_while_one_adds():
    query, gallery = clustered(20, 8, 0), clustered(400, 8, 1)
    parts = gallery.split(50)
    states = [sg.SIMIndex().fit(parts[0])]
    for part in parts[1:]:
        states.append(sg.SIMIndex().fit(states[-1]._prepared.rows.features).add(part))
    allowed = [state.search(query)[1].tolist() for state in states]
    index = sg.SIMIndex().fit(parts[0])
    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(index.search, query) for _ in range(20)]
        for part in parts[1:]:
            index.add(part)
            searches += [pool.submit(index.search, query) for _ in range(5)]
        found = [search.result()[1].tolist() for search in searches]
    assert all(lists in allowed for lists in found)
    assert found[-1] == allowed[-1]


# --- what is refused --------------------------------------------------------------------------


def test_use_before_fit():
    for use in (lambda i: i.search(torch.ones(1, 2)), lambda i: i.add(torch.ones(1, 2))):
        with pytest.raises(ValueError, match=r"call fit\(gallery\) or load\(path\) first"):
            use(sg.SIMIndex())
    assert sg.SIMIndex().num_gallery == 0


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"k": 60}, "k = 60 must be less than num_gallery = 60"),
        ({"num_paths": 22}, "num_paths = 22 must be at most k"),
        ({"k_query": 61}, "k_query = 61 must be at most num_gallery = 60"),
        ({"k_gallery": 21}, "k_gallery = 21 must be at most k = 20"),
        ({"alpha": 1.5}, "alpha = 1.5"),
        ({"lam": -1}, "lam = -1"),
        ({"normalize": "yes"}, "normalize: expected True or False"),
    ],
)
def test_bad_parameters(params, message):
    with pytest.raises(ValueError, match=message):
        sg.SIMIndex(**params).fit(clustered(60, 4, 0))


@pytest.mark.parametrize(
    ("query", "top", "message"),
    [
        (torch.ones(2, 3), 5, "same number of feature dimensions"),
        (torch.full((2, 4), torch.nan), 5, "query: expected finite values"),
        (torch.ones(2, 4, dtype=torch.long), 5, "query: expected floating-point"),
        ([[1.0] * 4], 5, "query: expected a torch tensor or a numpy array"),
        (torch.ones(2, 4), 0, "top = 0 must be at least 1"),
    ],
)
def test_bad_queries(query, top, message):
    index = sg.SIMIndex(**SMALL).fit(clustered(30, 4, 0))
    with pytest.raises(ValueError, match=message):
        index.search(query, top)


def test_auto_chooses_what_rerank_chooses_and_keeps_it(tmp_path):
    query, gallery = clustered(60, 16, 0, shift=0.5, spread=0.3), clustered(120, 16, 1, spread=0.3)
    choice = sg.auto.choose(query, gallery)
    index = sg.SIMIndex(k="auto").fit(gallery, query=query)
    assert choice.k > 0
    assert (index.fitted.k, index.fitted.num_paths) == (choice.k, choice.num_paths)
    assert (index.fitted.k_query, index.fitted.k_gallery) == (choice.k_query, choice.k_gallery)
    check_lists(index, query, gallery, 20, k="auto")
    index.save(tmp_path / "index.safetensors")
    assert sg.SIMIndex.load(tmp_path / "index.safetensors").fitted.k == choice.k


def test_auto_needs_queries_unless_k_is_given():
    gallery = clustered(60, 16, 1)
    with pytest.raises(ValueError, match=r"k = 'auto': expected queries"):
        sg.SIMIndex(k="auto").fit(gallery)
    index = sg.SIMIndex(k=5, num_paths="auto", k_query="auto", k_gallery="auto").fit(gallery)
    assert (index.fitted.num_paths, index.fitted.k_query, index.fitted.k_gallery) == (3, 5, 5)
