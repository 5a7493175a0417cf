"""Eq. 2-5: paths, on distances, on graphs of every form, and their gradients."""

from itertools import pairwise

import numpy as np
import pytest
import torch
import torch_geometric.typing
from hypothesis import given, settings
from hypothesis import strategies as st

import simgraph as sg
import simgraph.distances
import simgraph.kernels._threads
from simgraph.graph.edges import MATCHES, NEAR, NearEdges, near_edges
from tests.oracles.sim import (
    CASES,
    EDGE_CASES,
    edge_sgr,
    graph_edges,
    graph_of_edges,
    irregular_edges,
    mean_of_smallest,
    point_case,
    sgr,
)

EVERY_CASE = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
EVERY_GRAPH = pytest.mark.parametrize("case", EDGE_CASES.values(), ids=EDGE_CASES)
FEW = settings(max_examples=25, deadline=None, derandomize=True)

WITH_EXTENSION = pytest.param("torch-scatter", marks=pytest.mark.scatter)


def use_backend(name, monkeypatch):
    if name == "torch-scatter":
        pytest.importorskip("torch_scatter", reason="needs torch-scatter: make scatter")
    available = name == "torch-scatter"
    monkeypatch.setattr(torch_geometric.typing, "WITH_TORCH_SCATTER", available)


@pytest.fixture(params=["torch only", WITH_EXTENSION])
def segments(request, monkeypatch):
    """Whatever is reduced over segments, PyG does it without and with the extension."""
    use_backend(request.param, monkeypatch)


def graph_of(case, **params):
    return sg.similarity_graph_from_distances(*case.tensors(), case.k, case.lam, **params)


def shuffled(graph, seed=0):
    """The same edges in random order, so that no fast path can take them."""
    generator = torch.Generator().manual_seed(seed)
    copy = graph.clone()
    for edge in (MATCHES, NEAR):
        order = torch.randperm(graph[edge].edge_index.shape[1], generator=generator)
        for key, value in graph[edge].items():
            copy[edge][key] = value[..., order]
    return copy


# --- By hand ---------------------------------------------------------------------------------

# Nearest to image 0 is 1 (at 1), to 1 is 0 (at 1), to 2 is 1 (at 2).
HAND_D_GG = torch.tensor([[0.0, 1, 4], [1, 0, 2], [4, 2, 0]], dtype=torch.float64)
HAND_D_QG = torch.tensor([[5.0, 1, 3]], dtype=torch.float64)


@pytest.mark.parametrize(
    ("k", "num_paths", "expected"),
    [
        # k = 1, λ = 0.5. Paths to 0: direct 5, by 1: 1 + 0.5. To 1: direct 1, by 0: 5 + 0.5.
        # To 2: direct 3, by 1: 1 + 1.
        (1, 1, [1.5, 1, 2]),
        (1, 2, [(5 + 1.5) / 2, (1 + 5.5) / 2, (3 + 2) / 2]),
        # k = 0: nothing but the direct edges.
        (0, 1, [5, 1, 3]),
        # k = 2 adds by 2 to 0: 3 + 2; by 2 to 1: 3 + 1; by 0 to 2: 5 + 2.
        (2, 1, [1.5, 1, 2]),
        (2, 2, [(1.5 + 5) / 2, (1 + 4) / 2, (2 + 3) / 2]),
        (2, 3, [(5 + 1.5 + 5) / 3, (1 + 5.5 + 4) / 3, (3 + 2 + 7) / 3]),
    ],
)
def test_eq_4_and_5_by_hand(k, num_paths, expected):
    graph = sg.similarity_graph_from_distances(HAND_D_QG, HAND_D_GG, k=k, lam=0.5)
    for form in (graph, shuffled(graph)):
        torch.testing.assert_close(
            sg.SGR(num_paths)(form), torch.tensor([expected], dtype=torch.float64)
        )


def test_a_longer_path_is_shorter_once_edges_are_deleted_by_hand():
    # Images 0, 1, 2 stand at 0, 1 and 2.5; k = 1 keeps 1 -> 0, 0 -> 1 and 1 -> 2. From the query,
    # 0 is at 0.1, 1 at 5 and 2 at 9. Two hops to 2: direct 9, by 1: 5 + 1.5 = 6.5. Three hops
    # reach it by 0 and 1: 0.1 + 1 + 1.5 = 2.6. Had 0 -> 2 stayed, 0.1 + 2.5 = 2.6 would do too.
    d_gg = torch.tensor([[0, 1, 2.5], [1, 0, 1.5], [2.5, 1.5, 0]], dtype=torch.float64)
    d_qg = torch.tensor([[0.1, 5, 9]], dtype=torch.float64)
    pruned = sg.similarity_graph_from_distances(d_qg, d_gg, k=1, lam=1.0)
    whole = sg.similarity_graph_from_distances(d_qg, d_gg, k=2, lam=1.0)
    for hops, graph, expected in ((2, pruned, 6.5), (3, pruned, 2.6), (2, whole, 2.6)):
        d = sg.SGR(1, num_hops=hops)(graph)
        torch.testing.assert_close(d, torch.tensor([[0.1, 1.1, expected]], dtype=torch.float64))


def test_fewer_paths_than_k_are_averaged_as_they_are_by_hand():
    # Image 0 has the direct edge and one by 1 (2 + 0.5); image 1 has the direct edge alone;
    # nothing reaches image 2, whose only neighbor is not reached either.
    matches, near = {(0, 0): 4.0, (0, 1): 2.0}, {(1, 0): 0.5, (3, 2): 0.1}
    d = sg.SGR(num_paths=3)(graph_of_edges(1, 4, matches, near))
    assert d.tolist() == [[(4 + 2.5) / 2, 2, torch.inf, torch.inf]]


# --- Against the oracle ----------------------------------------------------------------------


@EVERY_CASE
@pytest.mark.parametrize("form", ["complete", "shuffled"])
def test_sgr_is_the_oracle(case, form):
    graph = graph_of(case)
    expected = torch.from_numpy(sgr(case.d_qg, case.d_gg, **case.sgr_params))
    if form == "complete":
        assert torch.equal(sg.SGR(case.num_paths)(graph), expected)
    else:
        found = sg.SGR(case.num_paths)(shuffled(graph))
        torch.testing.assert_close(found, expected, rtol=1e-15, atol=1e-15)


@EVERY_CASE
@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_sgr_on_candidates_is_the_oracle(case, share):
    count = max(1, round(share * len(case.d_gg)))
    graph = graph_of(case, candidates=count)
    matches, near = graph_edges(case.d_qg, case.d_gg, case.lam, case.k)
    kept = set(map(tuple, graph[MATCHES].edge_index.T.tolist()))
    matches = {ends: weight for ends, weight in matches.items() if ends in kept}
    expected = edge_sgr(*case.d_qg.shape, matches, near, case.num_paths)
    assert torch.equal(sg.SGR(case.num_paths)(graph), torch.from_numpy(expected))


@EVERY_GRAPH
@pytest.mark.parametrize("num_paths", [1, 2, 5, 20])
@pytest.mark.parametrize("seed", [None, 0])
@pytest.mark.usefixtures("segments")
def test_sgr_on_graphs_of_users_is_the_oracle(case, num_paths, seed):
    expected = torch.from_numpy(edge_sgr(*case, num_paths))
    found = sg.SGR(num_paths)(case.graph(seed))
    torch.testing.assert_close(found, expected, rtol=1e-14, atol=0)


@EVERY_CASE
@pytest.mark.parametrize("candidates", [None, 1])
@pytest.mark.usefixtures("segments")
def test_message_passing_gives_the_numbers_of_the_fast_path(monkeypatch, case, candidates):
    graph = graph_of(case, candidates=candidates)
    fast = sg.SGR(case.num_paths)(graph)
    monkeypatch.setattr(NearEdges, "regular", lambda self, num_gallery: None)
    torch.testing.assert_close(sg.SGR(case.num_paths)(graph), fast, rtol=1e-15, atol=0)


@pytest.mark.usefixtures("segments")
def test_one_more_edge_makes_a_graph_irregular_and_changes_no_other_target():
    graph = graph_of(CASES["random"], candidates=5)
    regular = sg.SGR(4)(graph)
    source, target = graph[NEAR].edge_index
    stranger = min(set(range(15)) - set(source[target == 0].tolist()))
    extra = torch.tensor([[stranger], [0]])
    graph[NEAR].edge_index = torch.cat([graph[NEAR].edge_index, extra], dim=1)
    for key in ("edge_weight", "edge_distance"):
        graph[NEAR][key] = torch.cat([graph[NEAR][key], torch.ones(1, dtype=torch.float64)])
    assert near_edges(graph).regular(15) is None
    torch.testing.assert_close(sg.SGR(4)(graph)[:, 1:], regular[:, 1:], rtol=1e-14, atol=0)


@pytest.mark.scatter
def test_the_extension_serves_the_irregular_case(monkeypatch):
    torch_scatter = pytest.importorskip("torch_scatter", reason="needs torch-scatter")
    calls = []
    original = torch_scatter.segment_csr

    def counted(*args, **kwargs):
        calls.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(torch_scatter, "segment_csr", counted)
    sg.SGR(2)(EDGE_CASES["irregular"].graph())
    assert calls


@pytest.mark.usefixtures("segments")
def test_the_gradient_on_graphs_of_users_is_the_slope_of_the_oracle():
    def total(matches):
        d = edge_sgr(*case._replace(matches=matches), 2)
        return d[np.isfinite(d)].sum()

    case, step = EDGE_CASES["irregular"], 1e-6
    graph = case.graph()
    weight = graph[MATCHES].edge_weight.requires_grad_()
    d = sg.SGR(2)(graph)
    d[torch.isfinite(d)].sum().backward()
    slopes = [
        (total(case.matches | {ends: w + step}) - total(case.matches | {ends: w - step})) / step / 2
        for ends, w in case.matches.items()
    ]
    np.testing.assert_allclose(weight.grad, slopes, atol=1e-7)


# --- More hops -------------------------------------------------------------------------------

SMALL = {name: CASES[name] for name in ("random", "ties", "duplicates", "two gallery images")}


def hop_graphs():
    for name, case in SMALL.items():
        yield f"complete, {name}", lambda case=case: graph_of(case)
        yield f"candidates, {name}", lambda case=case: graph_of(case, candidates=2)
    for name, case in EDGE_CASES.items():
        yield f"of a user, {name}", lambda case=case: case.graph(seed=1)


HOP_GRAPHS = dict(hop_graphs())


@pytest.mark.parametrize("num_hops", [2, 3, 4, None])
@pytest.mark.parametrize("make", HOP_GRAPHS.values(), ids=HOP_GRAPHS)
def test_one_path_is_the_shortest_one_of_networkx(make, num_hops):
    graph = make()
    expected = sg.reference.shortest_paths(graph, max_hops=num_hops)
    found = sg.SGR(1, num_hops=num_hops)(graph)
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("num_hops", [2, 3, 5, None])
@pytest.mark.parametrize("num_paths", [1, 3])
@EVERY_GRAPH
def test_more_hops_and_paths_are_the_oracle(case, num_paths, num_hops):
    expected = torch.from_numpy(edge_sgr(*case, num_paths, num_hops))
    found = sg.SGR(num_paths, num_hops=num_hops)(case.graph(seed=2))
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)


def test_two_hops_suffice_on_the_complete_gallery_graph():
    # Eq. 3: with every gallery edge there, the triangle inequality makes longer paths useless.
    case = CASES["random"]._replace(k=14)
    graph = graph_of(case)
    torch.testing.assert_close(sg.SGR(1, num_hops=None)(graph), sg.SGR(1)(graph))


def test_longer_paths_help_on_the_sparse_one():
    graph = graph_of(CASES["random"]._replace(k=2))
    two, three = sg.SGR(1)(graph), sg.SGR(1, num_hops=3)(graph)
    assert (three <= two).all() and (three < two).any()


# --- Properties ------------------------------------------------------------------------------

sizes = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 10**6),
        "num_queries": st.integers(1, 6),
        "num_gallery": st.integers(2, 14),
        "lam": st.sampled_from([0.01, 0.1, 0.5, 1.0]),
        "share_k": st.floats(0, 1),
        "share_paths": st.floats(0, 1),
    }
)


def sized_case(size):
    k = round(size["share_k"] * (size["num_gallery"] - 1))
    num_paths = 1 + round(size["share_paths"] * k)
    return point_case(
        size["seed"], size["num_queries"], size["num_gallery"], size["lam"], k, num_paths, 1, 0
    )


@FEW
@given(size=sizes)
def test_any_random_case_is_the_oracle(size):
    case = sized_case(size)
    expected = torch.from_numpy(sgr(case.d_qg, case.d_gg, **case.sgr_params))
    assert torch.equal(sg.SGR(case.num_paths)(graph_of(case)), expected)


@FEW
@given(
    seed=st.integers(0, 10**6), num_queries=st.integers(1, 4), num_gallery=st.integers(1, 9),
    share=st.floats(0, 1), loops=st.booleans(), num_paths=st.integers(1, 6),
    num_hops=st.sampled_from([2, 3, None]),
)  # fmt: skip
def test_any_irregular_graph_is_the_oracle(
    seed, num_queries, num_gallery, share, loops, num_paths, num_hops
):
    case = irregular_edges(seed, num_queries, num_gallery, share, loops)
    expected = torch.from_numpy(edge_sgr(*case, num_paths, num_hops))
    found = sg.SGR(num_paths, num_hops)(case.graph(seed))
    torch.testing.assert_close(found, expected, rtol=1e-13, atol=0)


@FEW
@given(size=sizes, order_seed=st.integers(0, 1000))
def test_permuting_the_gallery_permutes_the_answer(size, order_seed):
    case = sized_case(size)
    generator = torch.Generator().manual_seed(order_seed)
    order = torch.randperm(len(case.d_gg), generator=generator).numpy()
    permuted = case._replace(d_qg=case.d_qg[:, order], d_gg=case.d_gg[order][:, order])
    sgr_module = sg.SGR(case.num_paths)
    assert torch.equal(sgr_module(graph_of(permuted)), sgr_module(graph_of(case))[:, order])


@FEW
@given(size=sizes)
def test_one_query_at_a_time_equals_all_at_once(size):
    case = sized_case(size)
    sgr_module = sg.SGR(case.num_paths)
    one_by_one = [sgr_module(graph_of(case._replace(d_qg=row[None]))) for row in case.d_qg]
    assert torch.equal(torch.cat(one_by_one), sgr_module(graph_of(case)))


@FEW
@given(size=sizes)
def test_more_hops_never_make_a_path_longer(size):
    graph = graph_of(sized_case(size))
    d = [sg.SGR(1, num_hops=h)(graph) for h in (2, 3, 4, None)]
    assert all((longer <= shorter).all() for shorter, longer in pairwise(d))
    assert (d[0] <= sized_case(size).tensors()[0]).all()


@EVERY_CASE
def test_lam_0_is_the_mean_over_the_neighborhood(case):
    graph = sg.similarity_graph_from_distances(*case.tensors(), case.k, lam=0.0)
    near = graph[NEAR].edge_index[0].view(len(case.d_gg), case.k + 1)
    smallest = torch.tensor(case.d_qg)[:, near].sort(dim=2).values[..., : case.num_paths]
    torch.testing.assert_close(sg.SGR(case.num_paths)(graph), smallest.mean(2))


@pytest.mark.parametrize("name", ["random", "ties", "defaults", "one query"])
@pytest.mark.parametrize("values", [1, 2000])
@pytest.mark.parametrize("candidates", [None, 5])
def test_blocks_of_targets_are_the_whole(monkeypatch, name, values, candidates):
    case = CASES[name]
    graph = graph_of(case, candidates=candidates)
    whole = sg.SGR(case.num_paths)(graph)
    monkeypatch.setattr(simgraph.kernels._threads, "_GRAIN", values)
    assert torch.equal(sg.SGR(case.num_paths)(graph), whole)


@EVERY_GRAPH
@pytest.mark.parametrize("block_bytes", [1, 3000])
def test_blocks_of_queries_are_the_whole(monkeypatch, case, block_bytes):
    graph = case.graph()
    whole = sg.SGR(2)(graph)
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", block_bytes)
    assert torch.equal(sg.SGR(2)(graph), whole)


@pytest.mark.parametrize("make", HOP_GRAPHS.values(), ids=HOP_GRAPHS)
def test_the_graph_is_not_changed(make):
    graph = make()
    before = graph.clone()
    sg.SGR(1)(graph)
    sg.SGR(1, num_hops=None)(graph)
    assert graph.to_dict().keys() == before.to_dict().keys()
    for edge in (MATCHES, NEAR):
        assert torch.equal(graph[edge].edge_index, before[edge].edge_index)
        assert torch.equal(graph[edge].edge_weight, before[edge].edge_weight)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("form", ["complete", "of a user"])
def test_the_dtype_is_kept(dtype, form):
    if form == "complete":
        graph = sg.similarity_graph_from_distances(*CASES["random"].tensors(dtype), k=3)
    else:
        graph = EDGE_CASES["irregular"].graph(dtype=dtype)
    assert sg.SGR(2)(graph).dtype == dtype


def test_float32_is_near_the_float64_oracle():
    case = CASES["defaults"]
    graph = sg.similarity_graph_from_distances(*case.tensors(torch.float32), case.k, case.lam)
    expected = torch.from_numpy(sgr(case.d_qg, case.d_gg, **case.sgr_params))
    torch.testing.assert_close(
        sg.SGR(case.num_paths)(graph).double(), expected, rtol=1e-6, atol=1e-6
    )


def test_repr_tells_the_parameters():
    assert repr(sg.SGR(3)) == "SGR(num_paths=3)"
    assert repr(sg.SGR(3, num_hops=4)) == "SGR(num_paths=3, num_hops=4)"
    assert repr(sg.SGR(3, num_hops=None)) == "SGR(num_paths=3, num_hops=None)"


# --- KSmallestMean ---------------------------------------------------------------------------


def loop_aggregation(x, index, num_targets, num_paths):
    columns = [
        [
            mean_of_smallest([float(x[e, f]) for e in range(len(x)) if index[e] == j], num_paths)
            for f in range(x.shape[1])
        ]
        for j in range(num_targets)
    ]
    return torch.tensor(columns, dtype=torch.float64).reshape(num_targets, x.shape[1])


def messages(kind, count=30, width=4):
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(count, width, generator=generator, dtype=torch.float64)
    if kind == "inf":
        return x.masked_fill(x > 0.6, torch.inf)
    if kind == "all inf":
        return torch.full_like(x, torch.inf)
    if kind == "ties":
        return (x * 3).round()
    return x


KINDS = pytest.mark.parametrize("kind", ["random", "inf", "all inf", "ties"])


def test_k_smallest_mean_by_hand():
    x = torch.tensor([[5.0], [1], [2], [2], [torch.inf], [7]])
    index = torch.tensor([0, 2, 0, 0, 2, 3])
    # Target 0 has 5, 2, 2: the two smallest are both 2. Nothing reaches 1. Target 2 has 1 and
    # inf, which is no message; target 3 has 7 alone.
    aggregate = sg.KSmallestMean(2)
    assert aggregate(x, index).tolist() == [[2], [torch.inf], [1], [7]]
    assert aggregate(x, index, dim_size=5).tolist() == [[2], [torch.inf], [1], [7], [torch.inf]]


@KINDS
@pytest.mark.parametrize("num_paths", [1, 2, 3, 50])
@pytest.mark.usefixtures("segments")
def test_k_smallest_mean_with_index(kind, num_paths):
    x = messages(kind)
    generator = torch.Generator().manual_seed(4)
    # Unsorted; targets 0 and 8 and 9 stay empty.
    index = torch.randint(1, 8, (30,), generator=generator)
    found = sg.KSmallestMean(num_paths)(x, index, dim_size=10)
    torch.testing.assert_close(found, loop_aggregation(x, index, 10, num_paths))


@KINDS
@pytest.mark.parametrize("num_paths", [1, 3])
@pytest.mark.parametrize("dim_size", [None, 7])
@pytest.mark.usefixtures("segments")
def test_k_smallest_mean_with_ptr(kind, num_paths, dim_size):
    x = messages(kind)
    ptr = torch.tensor([0, 0, 5, 6, 6, 20, 30, 30])
    index = torch.arange(7).repeat_interleave(ptr.diff())
    found = sg.KSmallestMean(num_paths)(x, ptr=ptr, dim_size=dim_size)
    torch.testing.assert_close(found, loop_aggregation(x, index, 7, num_paths))


@pytest.mark.usefixtures("segments")
def test_k_smallest_mean_without_messages():
    found = sg.KSmallestMean(2)(torch.empty(0, 3), torch.empty(0, dtype=torch.long), dim_size=2)
    assert found.tolist() == [[torch.inf] * 3] * 2


def test_k_smallest_mean_without_targets_is_one_target():
    x = torch.tensor([[3.0], [1], [2]])
    assert sg.KSmallestMean(2)(x).tolist() == [[1.5]]


def test_k_smallest_mean_leaves_its_input_alone():
    x, index = messages("inf"), torch.arange(30) % 7
    before = x.clone(), index.clone()
    sg.KSmallestMean(2)(x, index)
    assert torch.equal(x, before[0]) and torch.equal(index, before[1])


@pytest.mark.parametrize(
    ("x", "dim"), [(torch.ones(4), 0), (torch.ones(2, 3, 4), -2), (torch.ones(4, 4), -1)]
)
def test_k_smallest_mean_refuses_other_shapes(x, dim):
    with pytest.raises(ValueError, match="ggregation"):
        sg.KSmallestMean(2)(x, torch.zeros(4, dtype=torch.long), dim=dim)


def test_k_smallest_mean_refuses_targets_beyond_dim_size():
    with pytest.raises(ValueError, match="dim_size"):
        sg.KSmallestMean(2)(torch.ones(3, 2), torch.tensor([0, 0, 3]), dim_size=2)


def test_k_smallest_mean_repr():
    assert repr(sg.KSmallestMean(4)) == "KSmallestMean(num_paths=4)"


# --- Gradients -------------------------------------------------------------------------------


@pytest.mark.parametrize("num_paths", [1, 2, 50])
@pytest.mark.usefixtures("segments")
def test_k_smallest_mean_has_the_right_gradient(num_paths):
    x = messages("random", 12, 2).requires_grad_()
    index = torch.tensor([0, 3, 1, 0, 3, 1, 0, 0, 3, 3, 3, 1])
    assert torch.autograd.gradcheck(
        lambda x: sg.KSmallestMean(num_paths)(x, index, dim_size=4)[[0, 1, 3]], (x,)
    )


@pytest.mark.parametrize("num_hops", [2, 3])
@pytest.mark.parametrize("num_paths", [1, 2, 4])
@pytest.mark.parametrize("form", ["fast", "irregular", "candidates"])
def test_sgr_has_the_right_gradient(num_hops, num_paths, form):
    case = point_case(20, 3, 6, 0.5, 3, num_paths, 1, 0)

    def d_s(d_qg, d_gg):
        count = 3 if form == "candidates" else None
        graph = sg.similarity_graph_from_distances(d_qg, d_gg, 3, 0.5, count)
        if form == "irregular":
            # Without one edge the degrees differ.
            for key in ("edge_index", "edge_weight", "edge_distance"):
                graph[NEAR][key] = graph[NEAR][key][..., :-1]
            assert near_edges(graph).regular(6) is None
        d = sg.SGR(num_paths, num_hops=num_hops)(graph)
        return d[torch.isfinite(d)]

    d_qg, d_gg = case.tensors()
    # The diagonal is not read; at 1 gradcheck's small steps leave it a distance.
    d_gg.fill_diagonal_(1)
    d_qg.requires_grad_()
    d_gg.requires_grad_()
    assert torch.autograd.gradcheck(d_s, (d_qg, d_gg))


@pytest.mark.parametrize("duplicates", [False, True])
@pytest.mark.parametrize("form", ["complete", "candidates"])
def test_the_gradient_reaches_the_features(duplicates, form):
    generator = torch.Generator().manual_seed(21)
    query = torch.randn(3, 5, generator=generator)
    gallery = torch.randn(8, 5, generator=generator)
    if duplicates:
        gallery = gallery.repeat(2, 1)
        query[0] = gallery[0]
    query.requires_grad_()
    gallery.requires_grad_()
    graph = sg.similarity_graph(query, gallery, 4, 0.5, 6 if form == "candidates" else None)
    d = sg.SGR(3)(graph)
    d[torch.isfinite(d)].sum().backward()
    for x in (query, gallery):
        assert torch.isfinite(x.grad).all() and (x.grad != 0).any()


def test_the_gradient_of_unreached_images_is_zero_not_nan():
    graph = EDGE_CASES["isolated node"].graph()
    weight = graph[MATCHES].edge_weight.requires_grad_()
    sg.SGR(2)(graph)[:, 4].clamp(max=1.0).sum().backward()
    assert torch.equal(weight.grad, torch.zeros_like(weight))


def test_blocks_do_not_change_the_gradient(monkeypatch):
    def gradients():
        d_qg, d_gg = (d.requires_grad_() for d in CASES["random"].tensors())
        sg.SGR(3)(sg.similarity_graph_from_distances(d_qg, d_gg, 5, 0.5)).square().sum().backward()
        return d_qg.grad, d_gg.grad

    whole = gradients()
    monkeypatch.setattr(simgraph.distances, "BLOCK_BYTES", 1)
    for part, expected in zip(gradients(), whole, strict=True):
        torch.testing.assert_close(part, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_graphs_are_computed_in_float32(dtype):
    graph = sg.similarity_graph_from_distances(torch.rand(3, 8), torch.rand(8, 8), k=4)
    for edge in (MATCHES, NEAR):
        graph[edge].edge_weight = graph[edge].edge_weight.to(dtype)
    wide = graph.clone()
    for edge in (MATCHES, NEAR):
        wide[edge].edge_weight = wide[edge].edge_weight.float()
    d_s = sg.SGR(3)(graph)
    assert d_s.dtype == torch.float32
    assert torch.equal(d_s, sg.SGR(3)(wide))
    assert sg.MNNR(3, 3)(graph, d_s.to(dtype)).dtype == torch.float32
