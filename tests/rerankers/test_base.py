"""Every method of rerank against the same contract, and the figures of real features."""

import inspect

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.rerankers import METHODS
from tests.oracles.rerankers import SMALL as PEERS
from tests.oracles.sim import euclidean, fuse, mnnr, sgr, sim

# Parameters that fit the small gallery, by method; the others take their defaults.
SMALL = {
    "baseline": {},
    "sgr": {"k": 5, "lam": 0.1, "num_paths": 3},
    "mnnr": {"k": 5, "k_query": 4, "k_gallery": 5, "alpha": 0.4},
    "sim": {"k": 5, "lam": 0.1, "num_paths": 3, "k_query": 4, "k_gallery": 5, "alpha": 0.4},
}
EVERY_METHOD = pytest.mark.parametrize("method", SMALL)
QUERY = np.random.default_rng(0).normal(size=(6, 5))
GALLERY = np.random.default_rng(1).normal(size=(14, 5))
RANKED = [("baseline", None)] + [
    (method, variant) for method in ("sgr", "mnnr", "sim") for variant in ("paper", "authors")
]
RANKED += [(method, None) for method in PEERS]
EVERY_WAY = pytest.mark.parametrize(("method", "variant"), RANKED)


def params_of(method, variant):
    params = (SMALL | PEERS)[method]
    return params if variant is None else params | {"variant": variant}


def expected_of(method, query, gallery):
    d_qg, d_gg = euclidean(query, gallery), euclidean(gallery, gallery)
    return {
        "baseline": lambda: d_qg,
        "sgr": lambda: sgr(d_qg, d_gg, lam=0.1, k=5, num_paths=3),
        "mnnr": lambda: fuse(d_qg, mnnr(d_qg, d_gg, 4, 5, True), 0.4),
        "sim": lambda: sim(d_qg, d_gg, 0.1, 5, 3, 4, 5, 0.4, True),
    }[method]()


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@EVERY_METHOD
@pytest.mark.parametrize("normalize", [True, False, None])
def test_every_method_is_its_oracle(method, normalize):
    if normalize is None:
        found = sg.rerank(QUERY, GALLERY, method, **SMALL[method])
    else:
        found = sg.rerank(QUERY, GALLERY, method, **SMALL[method], normalize=normalize)
    expected = (
        expected_of(method, QUERY, GALLERY)
        if normalize is False
        else expected_of(method, unit(QUERY), unit(GALLERY))
    )
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_methods_are_those_of_the_table():
    assert list(METHODS) == [*SMALL, *PEERS]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_has_the_shared_signature(method):
    parameters = list(inspect.signature(METHODS[method].run).parameters.values())
    assert [p.name for p in parameters[:2]] == ["query", "gallery"]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in parameters[2:])
    assert "normalize" in [p.name for p in parameters]
    assert inspect.getdoc(METHODS[method].run)
    said = METHODS[method]
    assert isinstance(said.transductive, bool) and said.needs in ("features", "distances")
    assert said.cost and said.source


def test_sim_is_the_default_method():
    params = SMALL["sim"]
    assert np.array_equal(
        sg.rerank(QUERY, GALLERY, **params), sg.rerank(QUERY, GALLERY, method="sim", **params)
    )


@EVERY_WAY
def test_numpy_is_answered_with_numpy_and_torch_with_torch(method, variant):
    params = params_of(method, variant)
    by_numpy = sg.rerank(QUERY, GALLERY, method, **params)
    by_torch = sg.rerank(torch.tensor(QUERY), torch.tensor(GALLERY), method, **params)
    mixed = sg.rerank(QUERY, torch.tensor(GALLERY), method, **params)
    assert isinstance(by_numpy, np.ndarray) and by_numpy.dtype == np.float64
    assert isinstance(by_torch, torch.Tensor) and isinstance(mixed, torch.Tensor)
    np.testing.assert_array_equal(by_numpy, by_torch.numpy())
    np.testing.assert_array_equal(by_numpy, mixed.numpy())


@EVERY_WAY
@pytest.mark.parametrize(
    ("given_dtype", "expected"),
    [("f2", "f4"), ("f4", "f4"), ("f8", "f8"), (">f4", "f4"), ("g", "f8")],
)
def test_dtypes_are_kept_and_halves_widened(method, variant, given_dtype, expected):
    found = sg.rerank(
        QUERY.astype(given_dtype), GALLERY.astype(given_dtype), method,
        **params_of(method, variant),
    )  # fmt: skip
    assert found.dtype == np.dtype(expected) and found.shape == (6, 14)


@EVERY_WAY
@pytest.mark.filterwarnings("error")
def test_read_only_arrays_are_accepted_and_left_alone(method, variant):
    query, gallery = unit(QUERY[:1]), unit(GALLERY)
    before = query.copy(), gallery.copy()
    query.setflags(write=False)
    gallery.setflags(write=False)
    torch.set_warn_always(True)
    try:
        sg.rerank(query, gallery, method, **params_of(method, variant), normalize=False)
    finally:
        torch.set_warn_always(False)
    assert np.array_equal(query, before[0]) and np.array_equal(gallery, before[1])


@EVERY_WAY
@pytest.mark.parametrize("normalize", [True, False])
def test_tensors_are_left_alone(method, variant, normalize):
    query, gallery = (torch.tensor(x if normalize else unit(x)) for x in (QUERY, GALLERY))
    before = query.clone(), gallery.clone()
    sg.rerank(query, gallery, method, **params_of(method, variant), normalize=normalize)
    assert torch.equal(query, before[0]) and torch.equal(gallery, before[1])


@pytest.mark.parametrize(
    ("method", "variant"), [way for way in RANKED if not METHODS[way[0]].transductive]
)
def test_one_query_at_a_time_equals_all_at_once(method, variant):
    params = params_of(method, variant)
    one_by_one = [sg.rerank(row[None], GALLERY, method, **params) for row in QUERY]
    np.testing.assert_allclose(
        np.concatenate(one_by_one), sg.rerank(QUERY, GALLERY, method, **params), rtol=1e-9
    )


@EVERY_METHOD
def test_permuting_the_gallery_permutes_the_answer(method):
    order = np.random.default_rng(2).permutation(len(GALLERY))
    np.testing.assert_allclose(
        sg.rerank(QUERY, GALLERY[order], method, **SMALL[method]),
        sg.rerank(QUERY, GALLERY, method, **SMALL[method])[:, order],
        rtol=1e-12,
    )


@EVERY_METHOD
def test_normalized_answers_do_not_depend_on_the_length_of_features(method):
    np.testing.assert_allclose(
        sg.rerank(QUERY * 7, GALLERY * 0.01, method, **SMALL[method]),
        sg.rerank(QUERY, GALLERY, method, **SMALL[method]),
        rtol=1e-12,
    )


@EVERY_WAY
def test_duplicated_gallery_images_get_finite_distances(method, variant):
    found = sg.rerank(QUERY, np.repeat(GALLERY, 2, axis=0), method, **params_of(method, variant))
    assert np.isfinite(found).all() and (found >= 0).all()


@EVERY_METHOD
def test_features_that_require_grad_give_a_finite_gradient(method):
    query = torch.tensor(QUERY, requires_grad=True)
    gallery = torch.tensor(np.repeat(GALLERY, 2, axis=0), requires_grad=True)
    sg.rerank(query, gallery, method, **SMALL[method]).sum().backward()
    for x in (query, gallery):
        assert torch.isfinite(x.grad).all() and (x.grad != 0).any()


@pytest.mark.parametrize(
    ("method", "params", "parts"),
    [
        ("sym", {}, ["method", "'sym'", "baseline", "did you mean 'sim'?"]),
        ("", {}, ["method", "''", "baseline"]),
        (None, {}, ["method", "None", "baseline"]),
        (3, {}, ["method", "3", "baseline"]),
        (["sim"], {}, ["method", "['sim']", "baseline"]),
        ("sim", {"num_path": 3}, ["sim", "'num_path'", "did you mean 'num_paths'?"]),
        ("sim", {"zzz": 3}, ["sim", "'zzz'", "k_gallery"]),
        ("baseline", {"k": 3}, ["baseline", "'k'", "normalize"]),
        ("sgr", {"alpha": 0.3}, ["sgr", "'alpha'", "num_paths"]),
        ("mnnr", {"lam": 0.3}, ["mnnr", "'lam'", "k_query"]),
    ],
)
def test_unknown_methods_and_parameters_are_refused(method, params, parts):
    with pytest.raises(ValueError) as error:
        sg.rerank(QUERY, GALLERY, method=method, **params)
    assert all(part in str(error.value) for part in parts), str(error.value)


# --- Real features ---------------------------------------------------------------------------


def mean_average_precision_and_rank_1(d, query_pids, gallery_pids):
    precisions, first = [], []
    for row, identity in zip(d, query_pids, strict=True):
        hits = gallery_pids[np.argsort(row, kind="stable")] == identity
        ranks = np.flatnonzero(hits) + 1
        precisions.append(np.mean(np.arange(1, len(ranks) + 1) / ranks))
        first.append(hits[0])
    return 100 * np.mean(precisions), 100 * np.mean(first)


@pytest.mark.parametrize(
    ("method", "params", "mean_ap", "rank_1"),
    [
        ("baseline", {}, 61.96, 74.00),
        ("sim", {}, 73.62, 76.00),
        ("sim", {"variant": "authors", "k_query": 12}, 73.92, 74.40),
    ],
    ids=["baseline", "sim", "authors"],
)
def test_figures_on_real_features(shared, method, params, mean_ap, rank_1):
    with np.load(shared / "features" / "mfeat_fou2kar_cca.npz") as file:
        d = sg.rerank(file["query_feat"], file["gallery_feat"], method=method, **params)
        found = mean_average_precision_and_rank_1(d, file["query_pid"], file["gallery_pid"])
    assert found == pytest.approx((mean_ap, rank_1), abs=0.005 + 1e-9)


def test_tiny_rows_are_normalised_and_zero_rows_are_warned_of(caplog):
    rng = np.random.default_rng(0)
    query, gallery = (rng.normal(size=(n, 6)).astype("f4") for n in (3, 5))
    plain = sg.rerank(query, gallery, "baseline")
    shrunk = sg.rerank(query * np.float32(1e-30), gallery * np.float32(1e-25), "baseline")
    np.testing.assert_allclose(shrunk, plain, atol=1e-5)
    assert not caplog.records
    gallery[2] = 0
    assert np.isfinite(sg.rerank(query, gallery, "baseline")).all()
    assert "gallery: 1 rows are all zeros" in caplog.text


def test_autocast_does_not_reach_the_distances():
    generator = torch.Generator().manual_seed(0)
    query, gallery = (torch.randn(n, 64, generator=generator) for n in (5, 30))
    gallery[7] = gallery[3]
    plain = sg.rerank(query, gallery)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(sg.rerank(query, gallery), plain)


def test_normalize_is_a_bool():
    with pytest.raises(ValueError, match="normalize: expected True or False, got 'no'"):
        sg.rerank(torch.rand(3, 4), torch.rand(5, 4), "baseline", normalize="no")
