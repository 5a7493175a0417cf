"""SIMIndex against the dense lists, bit by bit; threads, old names, and what is refused."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.rerankers.ranked_lists import ranked_lists
from tests.search.galleries import SMALL, clustered


def check_lists(index, query, gallery, top, **params):
    expected = ranked_lists(sg.rerank(query, gallery, "sim", **params), top)
    distances, indices = index.search(query, top)
    assert torch.equal(indices, expected[1])
    assert torch.equal(distances, expected[0])


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


# --- threads and old names ------------------------------------------------------------------


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


def test_old_names_of_arguments_warn_and_work():
    pytest.importorskip("faiss")
    query, gallery = clustered(5, 8, 0), clustered(90, 8, 1)
    with pytest.warns(DeprecationWarning, match="'probes' is now 'num_probes'"):
        index = sg.SIMIndex(**SMALL, probes=2).fit(gallery)
    with pytest.warns(DeprecationWarning, match="SIMIndex.probes is now SIMIndex.num_probes"):
        assert index.probes == index.num_probes == 2
    with pytest.warns(DeprecationWarning) as warned:
        found = index.search(query, top=7, probes=3)
    assert ["'top_k'" in str(w.message) for w in warned].count(True) == 1 and len(warned) == 2
    for part, expected in zip(found, index.search(query, 7, 3), strict=True):
        assert torch.equal(part, expected)


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
        (torch.ones(2, 4), 0, "top_k = 0 must be at least 1"),
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


def test_params_stay_as_given_and_fitted_holds_numbers_for_each_gallery():
    query, gallery = clustered(60, 16, 0, shift=0.5, spread=0.3), clustered(120, 16, 1, spread=0.3)
    index = sg.SIMIndex(k="auto")
    assert (index.params.k, index.fitted) == ("auto", None)
    first = index.fit(gallery, query=query).fitted
    assert index.params.k == "auto" and not first.has_auto and first.reason
    thin = gallery[::4]
    assert index.fit(thin, query=query).fitted == sg.auto.choose(query, thin)


def test_parameters_are_read_where_they_used_to_be_for_a_release():
    index = sg.SIMIndex(**SMALL)
    with pytest.warns(DeprecationWarning, match=r"SIMIndex\.k is now SIMIndex\.fitted\.k") as seen:
        assert index.k == SMALL["k"]
    assert seen[0].filename == __file__
    with pytest.warns(DeprecationWarning):
        assert index.fit(clustered(30, 4, 0)).expand is True


@pytest.mark.parametrize("fitted", [False, True])
@pytest.mark.parametrize(
    "name", [*SMALL, "expand", "params", "fitted", "normalize", "num_probes", "recall", "lamda"]
)
def test_settings_are_read_only(name, fitted):
    index = sg.SIMIndex(**SMALL)
    if fitted:
        index.fit(clustered(30, 4, 0))
    with pytest.raises(AttributeError, match=rf"SIMIndex\.{name} is read-only, got 7"):
        setattr(index, name, 7)
