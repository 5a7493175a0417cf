"""What comes wrong is refused before work begins, saying what came and what was expected."""

import numpy as np
import pytest
import torch

import simgraph as sg

NUM_QUERIES, NUM_GALLERY, DIM = 3, 9, 4
NAN, INF = float("nan"), float("inf")


def features(rows, dim=DIM):
    return torch.rand(rows, dim, generator=torch.Generator().manual_seed(rows)) + 0.1


def with_value(x, value, row=1):
    x = x.clone()
    x[row, 0] = value
    return x


QUERY, GALLERY = features(NUM_QUERIES), features(NUM_GALLERY)
D_QG, D_GG = features(NUM_QUERIES, NUM_GALLERY), features(NUM_GALLERY, NUM_GALLERY)
FIT = {"k": 4, "num_paths": 2, "k_query": 3, "k_gallery": 3}


def refuses(parts, call, *args, **params):
    with pytest.raises(ValueError) as error:
        call(*args, **params)
    message = str(error.value)
    assert all(part in message for part in parts), message


def small(method):
    """A method of rerank with parameters that fit, unless others are given."""
    known = {"baseline": (), "sgr": ("k", "num_paths"), "mnnr": ("k", "k_query", "k_gallery")}
    fit = {key: FIT[key] for key in known.get(method, FIT)}
    return lambda query, gallery, **params: sg.rerank(query, gallery, method, **(fit | params))


def graph_then(module):
    """A graph of features first, as users of the modules do."""
    return lambda query, gallery: module(sg.similarity_graph(query, gallery, k=4))


# --- Arrays ----------------------------------------------------------------------------------

FROM_FEATURES = {
    "similarity_graph": lambda q, g: sg.similarity_graph(q, g, k=4),
    "candidates": lambda q, g: sg.similarity_graph(q, g, k=4, candidates=2),
    "not normalized": lambda q, g: sg.similarity_graph(q, g, k=4, normalize=False),
    "SIM": graph_then(sg.SIM(2, 3, 3)),
} | {f"rerank {method}": small(method) for method in ("baseline", "sgr", "mnnr", "sim")}

BAD_MATRICES = {
    "NaN": (lambda x: with_value(x, NAN), ["finite", "row 1", "NaN", "1 of"]),
    "Inf": (lambda x: with_value(x, INF), ["finite", "row 1", "Inf", "1 of"]),
    "-Inf": (lambda x: with_value(x, -INF), ["finite", "row 1", "Inf", "1 of"]),
    "NaN in numpy": (lambda x: with_value(x, NAN).numpy(), ["finite", "row 1", "NaN"]),
    "no rows": (lambda x: x[:0], ["at least one row", "(0, "]),
    "no columns": (lambda x: x[:, :0], ["at least one row", ", 0)"]),
    "one-dimensional": (lambda x: x[0], ["2 dimensions", "("]),
    "three-dimensional": (lambda x: x[None], ["2 dimensions", "(1, "]),
    "scalar": (lambda x: x.sum(), ["2 dimensions", "()"]),
    "integers": (lambda x: x.long(), ["floating-point", "int64", "float32"]),
    "booleans": (lambda x: x > 0.5, ["floating-point", "bool"]),
    "complex": (lambda x: x + 1j, ["floating-point", "complex64"]),
    "numpy integers": (lambda x: x.numpy().astype(np.int32), ["floating-point", "int32"]),
    "objects": (lambda x: x.numpy().astype(object), ["numbers", "object"]),
    "text": (lambda x: x.numpy().astype(str), ["numbers"]),
    "list": (lambda x: x.tolist(), ["torch tensor or a numpy array", "list"]),
    "None": (lambda x: None, ["torch tensor or a numpy array", "NoneType"]),
}


@pytest.mark.parametrize(("spoil", "parts"), BAD_MATRICES.values(), ids=BAD_MATRICES)
@pytest.mark.parametrize("entry", FROM_FEATURES.values(), ids=FROM_FEATURES)
def test_bad_features(entry, spoil, parts):
    refuses(["query", *parts], entry, spoil(QUERY), GALLERY)
    refuses(["gallery", *parts], entry, QUERY, spoil(GALLERY))


@pytest.mark.parametrize("entry", FROM_FEATURES.values(), ids=FROM_FEATURES)
def test_features_of_different_dimensions(entry):
    parts = ["query", "gallery", "same number", "(3, 4)", "(9, 5)"]
    refuses(parts, entry, QUERY, features(9, 5))


@pytest.mark.parametrize("entry", FROM_FEATURES.values(), ids=FROM_FEATURES)
@pytest.mark.parametrize(("dtype", "scale"), [(torch.float32, 1e25), (torch.float64, 1e200)])
def test_features_too_large_for_their_type_are_refused_or_ranked(entry, dtype, scale):
    # Finite, but their squares overflow: an error, or distances that are no NaN and do not call
    # everything equal; never silently 0.
    try:
        found = entry(QUERY.to(dtype) * scale, GALLERY.to(dtype) * scale)
    except ValueError:
        return
    if not isinstance(found, torch.Tensor):
        found = sg.SGR(2)(found)
    reached = found[torch.isfinite(found)]
    assert torch.isfinite(found).sum() >= 2 * NUM_QUERIES and reached.unique().numel() > 3


FROM_DISTANCES = {
    "similarity_graph_from_distances": lambda a, b: sg.similarity_graph_from_distances(a, b, k=4),
    "candidates": lambda a, b: sg.similarity_graph_from_distances(a, b, k=4, candidates=2),
    "sim_distance": lambda a, b: sg.sim_distance(a, b, **FIT),
    "rerank_distances sim": lambda a, b: sg.rerank_distances(a, b, "sim", **FIT),
    "rerank_distances sim_authors": lambda a, b: sg.rerank_distances(a, b, "sim_authors", **FIT),
}
BAD_DISTANCES = BAD_MATRICES | {
    "negative": (lambda x: with_value(x, -0.5), ["distances >= 0", "-0.5"])
}


@pytest.mark.parametrize(("spoil", "parts"), BAD_DISTANCES.values(), ids=BAD_DISTANCES)
@pytest.mark.parametrize("entry", FROM_DISTANCES.values(), ids=FROM_DISTANCES)
def test_bad_distances(entry, spoil, parts):
    refuses(["d_qg", *parts], entry, spoil(D_QG), D_GG)
    refuses(["d_gg", *parts], entry, D_QG, spoil(D_GG))


@pytest.mark.parametrize("entry", FROM_DISTANCES.values(), ids=FROM_DISTANCES)
@pytest.mark.parametrize(
    ("d_qg", "d_gg", "parts"),
    [
        (D_QG, D_GG[:5], ["d_gg", "square", "(5, 9)"]),
        (D_QG, D_GG[:, :8], ["d_gg", "square", "(9, 8)"]),
        (D_QG[:, :8], D_GG, ["d_qg", "d_gg", "(3, 8)", "(9, 9)"]),
        (D_QG.T, D_GG, ["d_qg", "d_gg", "(9, 3)", "(9, 9)"]),
    ],
)
def test_distances_that_do_not_fit_each_other(entry, d_qg, d_gg, parts):
    refuses(parts, entry, d_qg, d_gg)


# --- Parameters ------------------------------------------------------------------------------


def no_integer(name):
    return [({name: value}, [name, "integer", repr(value)]) for value in (2.0, True, "2", None)]


def no_fraction(name):
    return [
        ({name: -0.1}, [f"{name} = -0.1", "[0, 1]"]),
        ({name: 1.5}, [f"{name} = 1.5", "[0, 1]"]),
        ({name: NAN}, [f"{name} = nan", "[0, 1]"]),
        ({name: INF}, [f"{name} = inf", "[0, 1]"]),
        ({name: "0.5"}, [name, "[0, 1]", "'0.5'"]),
        ({name: True}, [name, "[0, 1]", "True"]),
        ({name: None}, [name, "[0, 1]", "None"]),
    ]


BAD_K = [
    ({"k": 9}, ["k = 9", "less than num_gallery = 9"]),
    ({"k": 20}, ["k = 20", "less than num_gallery = 9"]),
    ({"k": -1}, ["k = -1", "at least 0"]),
    *no_integer("k"),
]
BAD_PATHS = [
    ({"num_paths": 6}, ["num_paths = 6", "k + 1 = 5"]),
    ({"num_paths": 0}, ["num_paths = 0", "at least 1"]),
    ({"num_paths": -3}, ["num_paths = -3", "at least 1"]),
    *no_integer("num_paths"),
]
BAD_SETS = [
    ({"k_gallery": 5}, ["k_gallery = 5", "k = 4"]),
    ({"k_gallery": -1}, ["k_gallery = -1", "at least 0"]),
    *no_integer("k_gallery"),
    ({"k_query": 10}, ["k_query = 10", "num_gallery = 9"]),
    ({"k_query": 0}, ["k_query = 0", "at least 1"]),
    *no_integer("k_query"),
]
BAD_CANDIDATES = [
    ({"candidates": 10}, ["candidates = 10", "num_gallery = 9"]),
    ({"candidates": 0}, ["candidates = 0", "at least 1"]),
    *no_integer("candidates")[:-1],
]
BAD_VARIANT = [
    ({"variant": value}, ["variant", "'paper' or 'authors'", repr(value)])
    for value in ("author", "", None)
]
BAD_GRAPH = BAD_K + no_fraction("lam") + BAD_CANDIDATES
BAD_SIM = (
    BAD_K + no_fraction("lam") + BAD_PATHS + BAD_SETS + no_fraction("alpha") + BAD_VARIANT
)  # fmt: skip

ENTRIES = {
    "similarity_graph": (
        lambda **p: sg.similarity_graph(QUERY, GALLERY, **({"k": 4} | p)),
        BAD_GRAPH,
    ),
    "similarity_graph_from_distances": (
        lambda **p: sg.similarity_graph_from_distances(D_QG, D_GG, **({"k": 4} | p)),
        BAD_GRAPH,
    ),
    "sim_distance": (lambda **p: sg.sim_distance(D_QG, D_GG, **(FIT | p)), BAD_SIM),
    "rerank sgr": (
        lambda **p: small("sgr")(QUERY, GALLERY, **p),
        BAD_K + no_fraction("lam") + BAD_PATHS + BAD_VARIANT,
    ),
    "rerank mnnr": (
        lambda **p: small("mnnr")(QUERY, GALLERY, **p),
        BAD_K + BAD_SETS + no_fraction("alpha") + BAD_VARIANT,
    ),
    "rerank sim": (lambda **p: small("sim")(QUERY, GALLERY, **p), BAD_SIM),
}


def every_bad_call():
    for name, (entry, table) in ENTRIES.items():
        for params, parts in table:
            yield pytest.param(entry, params, parts, id=f"{name} {params}")


@pytest.mark.parametrize(("entry", "params", "parts"), list(every_bad_call()))
def test_bad_parameters(entry, params, parts):
    refuses(parts, entry, **params)


@pytest.mark.parametrize("value", [np.int64(4), np.int32(4)])
def test_numpy_integers_are_integers(value):
    found = sg.sim_distance(D_QG, D_GG, **(FIT | {"k": value}))
    assert torch.equal(found, sg.sim_distance(D_QG, D_GG, **FIT))


@pytest.mark.parametrize("value", [1, np.float32(1), np.float64(1), np.int64(1)], ids=repr)
@pytest.mark.parametrize("name", ["lam", "alpha"])
def test_every_kind_of_number_is_a_number(name, value):
    found = sg.sim_distance(D_QG, D_GG, **FIT, **{name: value})
    assert torch.equal(found, sg.sim_distance(D_QG, D_GG, **FIT, **{name: 1.0}))


# --- Modules ---------------------------------------------------------------------------------

# Whether these are too large only a graph can tell.
ON_A_GRAPH = ({"num_paths": 6}, {"k_query": 10}, {"k_gallery": 5})
CONSTRUCTORS = {
    "KSmallestMean": (sg.KSmallestMean, BAD_PATHS),
    "SGR": (sg.SGR, BAD_PATHS),
    "MNNR": (sg.MNNR, BAD_SETS),
    "SIM": (sg.SIM, BAD_PATHS + BAD_SETS + no_fraction("alpha")),
}


def every_bad_construction():
    for name, (module, table) in CONSTRUCTORS.items():
        for params, parts in table:
            if params not in ON_A_GRAPH:
                yield pytest.param(module, params, parts, id=f"{name} {params}")


@pytest.mark.parametrize(("module", "params", "parts"), list(every_bad_construction()))
def test_modules_refuse_bad_parameters_when_they_are_made(module, params, parts):
    refuses(parts, module, **params)


@pytest.mark.parametrize(
    ("num_hops", "parts"),
    [
        (1, ["num_hops = 1", "at least 2"]),
        (0, ["num_hops = 0", "at least 2"]),
        (2.5, ["num_hops", "integer", "2.5"]),
        (True, ["num_hops", "integer", "True"]),
    ],
)
def test_bad_num_hops(num_hops, parts):
    refuses(parts, sg.SGR, num_hops=num_hops)


def graph():
    return sg.similarity_graph_from_distances(D_QG, D_GG, k=4)


@pytest.mark.parametrize(
    ("call", "parts"),
    [
        (lambda: sg.SGR(6)(graph()), ["num_paths = 6", "k + 1 = 5"]),
        (lambda: sg.SIM(6, 3, 3)(graph()), ["num_paths = 6", "k + 1 = 5"]),
        (lambda: sg.SIM()(graph()), ["num_paths = 9", "k + 1 = 5"]),
        (lambda: sg.MNNR(10, 3)(graph(), D_QG), ["k_query = 10", "num_gallery = 9"]),
        (lambda: sg.SIM(2, 10, 3)(graph()), ["k_query = 10", "num_gallery = 9"]),
        (lambda: sg.MNNR(3, 5)(graph(), D_QG), ["k_gallery = 5", "k = 4"]),
        (lambda: sg.SIM(2, 3, 5)(graph()), ["k_gallery = 5", "k = 4"]),
        (lambda: sg.MNNR(3, 3)(graph(), D_QG[:2]), ["d_s", "(3, 9)", "(2, 9)"]),
        (lambda: sg.MNNR(3, 3)(graph(), D_QG.T), ["d_s", "(3, 9)", "(9, 3)"]),
        (lambda: sg.MNNR(3, 3)(graph(), D_QG[0]), ["d_s", "(3, 9)", "(9,)"]),
        (lambda: sg.MNNR(3, 3)(graph(), with_value(D_QG, NAN)), ["d_s", "NaN"]),
        (lambda: sg.MNNR(3, 3)(graph(), D_QG.numpy()), ["d_s", "tensor", "ndarray"]),
        (lambda: sg.MNNR(3, 3)(graph(), D_QG.long()), ["d_s", "floating", "int64"]),
    ],
)
def test_modules_refuse_what_does_not_fit_the_graph(call, parts):
    refuses(parts, call)


WRONG = [{"alpha": 2.0}, {"k_query": 10}, {"num_paths": 6}, {"lam": -1.0}, {"k": 9}]


@pytest.mark.parametrize(
    ("entry", "params"),
    [
        (entry, FIT | wrong | {"method": method})
        for entry in ("distances", "features")
        for method, only in (("sim", []), ("sim_authors", [{"num_paths": 5}, {"k_query": 9}]))
        for wrong in WRONG + only
    ]
    + [("sim_distance", FIT | wrong) for wrong in WRONG]
    + [("graph", {"k": 4, "query_pids": [1, 2]}), ("graph", {"k": 4, "gallery_cams": [1, 2]})],
)
def test_errors_come_before_work(monkeypatch, entry, params):
    def work(*args, **kwargs):
        raise AssertionError("every argument is checked before work begins")

    for path in (
        "simgraph.sim.fusion.nearest_in_distances", "simgraph.sim.authors.nearest_in_distances",
        "simgraph.rerankers.distance_source.l2_distance",
        "simgraph.rerankers.distance_source.map_query_blocks",
        "simgraph.rerankers.distance_source.nearest_neighbors",
        "simgraph.rerankers.distance_source.nearest_in_distances",
        "simgraph.graph.build.nearest_neighbors", "simgraph.graph.build.l2_distance",
    ):  # fmt: skip
        monkeypatch.setattr(path, work)
    call, x, y = {
        "distances": (sg.rerank_distances, D_QG, D_GG),
        "sim_distance": (sg.sim_distance, D_QG, D_GG),
        "features": (sg.rerank, QUERY, GALLERY),
        "graph": (sg.similarity_graph, QUERY, GALLERY),
    }[entry]
    refuses([], call, x, y, **params)
