"""Eq. 8 and Algorithm 1: on matrices, on graphs and from features, all the same."""

import copy

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import simgraph as sg
import simgraph.distances
import simgraph.kernels._threads
from simgraph.distances import l2_distance
from simgraph.graph.edges import MATCHES
from tests.oracles.sim import (
    CASES,
    EDGE_CASES,
    edge_sgr,
    expanded,
    fuse,
    point_case,
    set_mnnr,
    sgr,
    sim,
)

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
BOTH_WAYS = pytest.mark.parametrize("expand", [False, True], ids=["plain", "expanded"])
FEW = settings(max_examples=25, deadline=None, derandomize=True)


def graph_of(case, **params):
    return sg.similarity_graph_from_distances(*case.tensors(), case.k, case.lam, **params)


def module_of(case, alpha=0.3, expand=True):
    return sg.SIM(case.num_paths, case.k_query, case.k_gallery, alpha, expand)


def test_eq_8_by_hand():
    # Nearest to 0 is 1, to 1 is 0, to 2 is 1; λ = 0.5, K = 2 (test_sgr.py has the paths):
    # d_S = (5 + 1.5)/2, (1 + 5.5)/2, (3 + 2)/2 = 3.25, 3.25, 2.5. N_c, k_q = 2: image 2, and of
    # the tied ones image 0. R = {0,1}, {0,1}, {2}: one of three shared with R(0) and R(1), one of
    # two with R(2). d_M = 2/3, 2/3, 1/2. α = 0.3.
    d_qg = torch.tensor([[5.0, 1, 3]], dtype=torch.float64)
    d_gg = torch.tensor([[0.0, 1, 4], [1, 0, 2], [4, 2, 0]], dtype=torch.float64)
    expected = torch.tensor(
        [[0.3 * 3.25 + 0.7 * 2 / 3, 0.3 * 3.25 + 0.7 * 2 / 3, 0.3 * 2.5 + 0.7 / 2]],
        dtype=torch.float64,
    )
    params = {"num_paths": 2, "k_query": 2, "k_gallery": 1, "alpha": 0.3}
    found = sg.sim_distance(d_qg, d_gg, lam=0.5, k=1, **params)
    torch.testing.assert_close(found, expected)
    graph = sg.similarity_graph_from_distances(d_qg, d_gg, k=1, lam=0.5)
    torch.testing.assert_close(sg.SIM(**params)(graph), expected)


@EVERY_CASE
@BOTH_WAYS
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_sim_distance_is_the_oracle(case, expand, alpha):
    found = sg.sim_distance(*case.tensors(), **case.params, alpha=alpha, expand=expand)
    expected = sim(case.d_qg, case.d_gg, **case.params, alpha=alpha, expand=expand)
    np.testing.assert_array_equal(found.numpy(), expected)


@EVERY_CASE
@BOTH_WAYS
def test_the_module_on_the_graph_and_the_matrices_agree(case, expand):
    whole = sg.sim_distance(*case.tensors(), **case.params, expand=expand)
    assert torch.equal(module_of(case, expand=expand)(graph_of(case)), whole)


@EVERY_CASE
def test_the_module_is_its_parts_fused(case):
    graph = graph_of(case)
    d_s = sg.SGR(case.num_paths)(graph)
    d_m = sg.MNNR(case.k_query, case.k_gallery)(graph, d_s)
    assert torch.equal(module_of(case, 0.3)(graph), 0.3 * d_s + (1 - 0.3) * d_m)


@pytest.mark.parametrize("name", EDGE_CASES)
@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_sim_on_graphs_of_users_is_the_oracle(name, alpha):
    case = EDGE_CASES[name]
    lists = [
        [t for _, t in sorted((w, t) for (t, target), w in case.near.items() if target == j != t)]
        for j in range(case.num_gallery)
    ]
    k_query = min(3, case.num_gallery)
    d_s = edge_sgr(*case, 2)
    expected = fuse(d_s, set_mnnr(d_s, expanded(lists, 6), k_query), alpha)
    found = sg.SIM(2, k_query, 6, alpha)(case.graph(seed=0))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-13)
    # What nothing reaches is last whatever α, never NaN.
    np.testing.assert_array_equal(np.isinf(found.numpy()), np.isinf(d_s))


@EVERY_CASE
def test_alpha_1_is_sgr_and_alpha_0_is_mnnr(case):
    d_s = torch.from_numpy(sgr(case.d_qg, case.d_gg, **case.sgr_params))
    d_m = sg.MNNR(case.k_query, case.k_gallery)(graph_of(case), d_s)
    assert torch.equal(sg.sim_distance(*case.tensors(), **case.params, alpha=1), d_s)
    assert torch.equal(sg.sim_distance(*case.tensors(), **case.params, alpha=0), d_m)


def test_nothing_but_direct_edges_is_the_baseline():
    case = CASES["no neighbors"]
    found = sg.sim_distance(
        *case.tensors(), lam=0.5, k=0, num_paths=1, k_query=2, k_gallery=0, alpha=1.0
    )
    assert torch.equal(found, case.tensors()[0])


def test_the_diagonal_is_not_read():
    case = CASES["random"]
    d_qg, d_gg = case.tensors()
    before = sg.sim_distance(d_qg, d_gg, **case.params)
    assert torch.equal(sg.sim_distance(d_qg, d_gg.fill_diagonal_(7), **case.params), before)


# --- Real features ---------------------------------------------------------------------------


def real(shared, name):
    with np.load(shared / "features" / f"{name}.npz") as file:
        return {key: file[key] for key in file}


REAL = pytest.mark.parametrize("name", ["mfeat_fou2kar_cca", "mfeat_kar2fou_cca", "pku_sketch_alt"])


@REAL
def test_real_features_are_the_oracle(shared, name):
    data = real(shared, name)
    query, gallery = (
        torch.nn.functional.normalize(torch.tensor(data[key]).double(), dim=1)
        for key in ("query_feat", "gallery_feat")
    )
    d_qg, d_gg = l2_distance(query, gallery), l2_distance(gallery, gallery)
    found = sg.sim_distance(d_qg, d_gg)
    expected = sim(
        d_qg.numpy(), d_gg.tolist(), lam=0.01, k=20, num_paths=9, k_query=20, k_gallery=20,
        alpha=0.3, expand=True,
    )  # fmt: skip
    np.testing.assert_array_equal(found.numpy(), expected)


@REAL
def test_real_features_by_every_way_agree(shared, name):
    data = real(shared, name)
    query, gallery = torch.tensor(data["query_feat"]), torch.tensor(data["gallery_feat"])
    graph = sg.similarity_graph(query, gallery)
    by_graph = sg.SIM()(graph)
    x, y = graph["query"].x, graph["gallery"].x
    by_matrices = sg.sim_distance(l2_distance(x, y), l2_distance(y, y))
    by_features = sg.rerank(query, gallery)
    torch.testing.assert_close(by_graph, by_matrices, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(by_features, by_matrices, rtol=1e-5, atol=1e-6)


@REAL
def test_real_features_by_both_ways_agree_for_the_authors_method(shared, name):
    data = real(shared, name)
    query, gallery = torch.tensor(data["query_feat"]), torch.tensor(data["gallery_feat"])
    x, y = (torch.nn.functional.normalize(side, dim=1) for side in (query, gallery))
    by_matrices = sg.rerank_distances(l2_distance(x, y), l2_distance(y, y), "sim_authors")
    by_features = sg.rerank(query, gallery, "sim_authors")
    torch.testing.assert_close(by_features, by_matrices, rtol=1e-5, atol=1e-6)


def test_float32_differs_from_float64_by_rounding_alone(shared):
    data = real(shared, "mfeat_fou2kar_cca")
    narrow = sg.rerank(data["query_feat"], data["gallery_feat"])
    wide = sg.rerank(data["query_feat"].astype(float), data["gallery_feat"].astype(float))
    assert narrow.dtype == np.float32 and wide.dtype == np.float64
    # A near tie may be decided the other way and move one member of a set; hardly any is.
    assert (np.abs(narrow - wide) < 1e-5).mean() > 0.999


# --- Properties ------------------------------------------------------------------------------

sizes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "num_queries": st.integers(1, 5),
        "num_gallery": st.integers(2, 16),
        "lam": st.sampled_from([0.05, 0.3, 1.0]),
        "k": st.integers(1, 15),
        "num_paths": st.integers(1, 16),
        "k_query": st.integers(1, 16),
        "k_gallery": st.integers(0, 15),
    }
)


def sized_case(size):
    num_gallery = size["num_gallery"]
    k = min(size["k"], num_gallery - 1)
    return point_case(
        size["seed"], size["num_queries"], num_gallery, size["lam"], k,
        min(size["num_paths"], k + 1), min(size["k_query"], num_gallery),
        min(size["k_gallery"], k),
    )  # fmt: skip


@FEW
@given(size=sizes, alpha=st.floats(0, 1), expand=st.booleans())
def test_any_random_case_is_the_oracle(size, alpha, expand):
    case = sized_case(size)
    found = sg.sim_distance(*case.tensors(), **case.params, alpha=alpha, expand=expand)
    expected = sim(case.d_qg, case.d_gg, **case.params, alpha=alpha, expand=expand)
    np.testing.assert_array_equal(found.numpy(), expected)


@FEW
@given(size=sizes)
def test_permuting_the_gallery_permutes_the_answer(size):
    # All distances differ and λ > 0, so that no tie is broken by index.
    case = sized_case(size)
    order = np.random.default_rng(size["seed"]).permutation(len(case.d_gg))
    permuted = case._replace(d_qg=case.d_qg[:, order], d_gg=case.d_gg[order][:, order])
    found = sg.sim_distance(*permuted.tensors(), **case.params)
    assert torch.equal(found, sg.sim_distance(*case.tensors(), **case.params)[:, order])


@FEW
@given(size=sizes)
def test_permuting_the_queries_permutes_the_answer(size):
    case = sized_case(size)
    order = torch.arange(len(case.d_qg)).flip(0)
    d_qg, d_gg = case.tensors()
    found = sg.sim_distance(d_qg[order], d_gg, **case.params)
    assert torch.equal(found, sg.sim_distance(d_qg, d_gg, **case.params)[order])


@pytest.mark.parametrize("name", ["random", "ties", "duplicates", "all equal", "defaults"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_query_at_a_time_equals_all_at_once(name, dtype):
    case = CASES[name]
    d_qg, d_gg = case.tensors(dtype)
    one_by_one = [sg.sim_distance(row[None], d_gg, **case.params) for row in d_qg]
    assert torch.equal(torch.cat(one_by_one), sg.sim_distance(d_qg, d_gg, **case.params))


@pytest.mark.parametrize("block_bytes", [1, 3000])
@pytest.mark.parametrize("block_values", [1, 50])
@pytest.mark.parametrize("name", ["random", "ties", "clusters", "one query"])
def test_blocks_are_the_whole(monkeypatch, name, block_bytes, block_values):
    case = CASES[name]
    whole = sg.sim_distance(*case.tensors(), **case.params)
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(simgraph.kernels._threads, "_GRAIN", block_values)
    assert torch.equal(sg.sim_distance(*case.tensors(), **case.params), whole)
    assert torch.equal(module_of(case)(graph_of(case)), whole)


@EVERY_CASE
@pytest.mark.parametrize("layout", ["rows", "columns", "view"])
def test_inputs_are_left_alone(case, layout):
    def laid_out(x):
        if layout == "columns":
            return x.T.contiguous().T
        return x if layout == "rows" else torch.cat([x, x], dim=1)[:, : x.shape[1]]

    d_qg, d_gg = map(laid_out, case.tensors())
    before = d_qg.clone(), d_gg.clone()
    first = sg.sim_distance(d_qg, d_gg, **case.params)
    assert torch.equal(d_qg, before[0]) and torch.equal(d_gg, before[1])
    assert torch.equal(sg.sim_distance(d_qg, d_gg, **case.params), first)


@pytest.mark.parametrize("method", ["sim", "sim_authors"])
def test_the_answer_is_not_the_input(method):
    d_qg, d_gg = CASES["one query"].tensors()
    before = d_qg.clone()
    found = sg.rerank_distances(
        d_qg, d_gg, method, k=1, num_paths=1, k_query=1, k_gallery=1, alpha=1.0
    )
    found.zero_()
    assert torch.equal(d_qg, before)


# --- Kinds of arrays -------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["sim", "sim_authors"])
@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [("float16", "float32"), ("float32", "float32"), ("float64", "float64")],
)
def test_numpy_is_answered_with_numpy_and_torch_with_torch(method, given_dtype, expected):
    case = CASES["random"]
    params = case.params
    arrays = [d.astype(given_dtype) for d in (case.d_qg, case.d_gg)]
    tensors = [torch.tensor(d) for d in arrays]
    by_numpy = sg.rerank_distances(*arrays, method, **params)
    by_torch = sg.rerank_distances(*tensors, method, **params)
    assert isinstance(by_numpy, np.ndarray) and by_numpy.dtype == expected
    assert isinstance(by_torch, torch.Tensor) and by_torch.dtype == getattr(torch, expected)
    np.testing.assert_array_equal(by_numpy, by_torch.numpy())
    mixed = sg.rerank_distances(arrays[0], tensors[1], method, **params)
    assert isinstance(mixed, torch.Tensor) and torch.equal(mixed, by_torch)


def test_two_dtypes_meet_in_the_wider_one():
    case = CASES["random"]
    d_qg, d_gg = case.tensors()
    assert sg.sim_distance(d_qg.float(), d_gg, **case.params).dtype == torch.float64
    assert sg.sim_distance(d_qg.bfloat16(), d_gg.half(), **case.params).dtype == torch.float32


@pytest.mark.parametrize("method", ["sim", "sim_authors"])
@pytest.mark.filterwarnings("error")
def test_read_only_arrays_are_accepted_without_a_warning(method):
    torch.set_warn_always(True)
    try:
        case = CASES["one query"]
        d_qg, d_gg = case.d_qg.copy(), case.d_gg.copy()
        d_qg.setflags(write=False)
        d_gg.setflags(write=False)
        found = sg.rerank_distances(d_qg, d_gg, method, **case.params)
        expected = sg.rerank_distances(*case.tensors(), method, **case.params)
        np.testing.assert_array_equal(found, expected.numpy())
        np.testing.assert_array_equal(d_qg, case.d_qg)
    finally:
        torch.set_warn_always(False)


@pytest.mark.parametrize("step", [2, -1])
def test_arrays_with_strides_are_accepted(step):
    case = CASES["random"]
    wide = np.repeat(case.d_qg, 2, axis=1) if step == 2 else case.d_qg[:, ::-1].copy()
    found = sg.sim_distance(wide[:, ::step], case.d_gg.copy(order="F"), **case.params)
    np.testing.assert_array_equal(found, sg.sim_distance(*case.tensors(), **case.params).numpy())


def test_arrays_that_require_grad_give_the_gradient_of_d_s():
    case = CASES["random"]
    d_qg, d_gg = case.tensors()
    d_qg.requires_grad_()
    sg.sim_distance(d_qg, d_gg, **case.params, alpha=0.3).sum().backward()
    by_sim = d_qg.grad.clone()
    d_qg.grad = None
    (0.3 * sg.SGR(case.num_paths)(sg.similarity_graph_from_distances(
        d_qg, d_gg, case.k, case.lam
    ))).sum().backward()  # fmt: skip
    torch.testing.assert_close(by_sim, d_qg.grad)


def test_the_graph_is_not_changed():
    case = CASES["random"]
    graph = graph_of(case)
    before = graph.clone()
    module_of(case)(graph)
    assert set(graph[MATCHES].keys()) == set(before[MATCHES].keys())
    for edge in graph.edge_types:
        for key, value in graph[edge].items():
            assert torch.equal(value, before[edge][key])


BAD_VALUES = [
    ("alpha", [-0.1, 1.5, float("nan"), "0.3", None, True]),
    ("sgr.num_paths", [0, -1, 2.0, "9", None, True]),
    ("sgr.aggr_module.num_paths", [0, -1, 2.0]),
    ("sgr.num_hops", [1, 0, 2.5, "2"]),
    ("mnnr.k_query", [0, -1, 2.0, None]),
    ("mnnr.k_gallery", [-1, 2.0, None]),
    ("mnnr.expand", ["no", None, 2]),
]


@pytest.mark.parametrize(("place", "value"), [(p, v) for p, vs in BAD_VALUES for v in vs])
def test_an_attribute_set_later_is_checked_as_in_the_constructor(place, value):
    module = sg.SIM()
    *parents, name = place.split(".")
    for parent in parents:
        module = getattr(module, parent)
    before = getattr(module, name)
    with pytest.raises(ValueError, match=name):
        setattr(module, name, value)
    assert getattr(module, name) == before


@pytest.mark.parametrize("case", [CASES["random"], EDGE_CASES["some self-loops"]])
def test_attributes_set_later_give_what_a_new_module_gives(case):
    graph = graph_of(case) if case is CASES["random"] else case.graph(seed=0)
    module = sg.SIM(1, 1, 0, 0.9, False)
    module.sgr.num_paths, module.alpha = 2, 0.25
    module.mnnr.k_query, module.mnnr.k_gallery, module.mnnr.expand = 2, 1, True
    assert torch.equal(module(graph), sg.SIM(2, 2, 1, 0.25, True)(graph))
    assert module.sgr.aggr_module.num_paths == 2
    assert repr(module) == repr(sg.SIM(2, 2, 1, 0.25, True))
    assert repr(copy.deepcopy(module)) == repr(module)


def test_repr_tells_every_parameter():
    text = repr(sg.SIM(3, 4, 5, 0.25, False))
    for part in (
        "num_paths=3", "k_query=4", "k_gallery=5", "alpha=0.25", "expand=False",
    ):  # fmt: skip
        assert part in text
