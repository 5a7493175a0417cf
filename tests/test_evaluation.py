"""CMC, mAP and mINP against their definitions, by hand and by an obvious loop."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from simgraph.config import Config, DatasetConfig
from simgraph.evaluation import PROTOCOLS, Metrics, evaluate, excluded
from simgraph.features import Features, load_features, save_features
from simgraph.pipeline import run_test

ROOM = {1: "1", 2: "2 and 3", 3: "2 and 3", 4: "4", 5: "5", 6: "6"}


def is_left_out(protocol, query, image):
    (query_id, query_cam), (image_id, image_cam) = query, image
    if protocol in ("sysu_mm01", "sysu_mm01_agw"):
        return ROOM[query_cam] == ROOM[image_cam]
    if protocol in ("llcm", "market"):
        is_junk = protocol == "market" and image_id == -1
        return is_junk or (query_id == image_id and query_cam == image_cam)
    return False


def ranked_ids(row, query, gallery, protocol):
    order = sorted(range(len(row)), key=lambda j: (row[j], j))
    return [gallery[j][0] for j in order if not is_left_out(protocol, query, gallery[j])]


def score_query(row, query, gallery, protocol):
    """AP, INP and first rank of one query, or None where it has no match."""
    ranked = ranked_ids(row, query, gallery, protocol)
    ranks = [place for place, identity in enumerate(ranked, 1) if identity == query[0]]
    if not ranks:
        return None
    ap = sum(i / rank for i, rank in enumerate(ranks, 1)) / len(ranks)
    inp = len(ranks) / ranks[-1]
    if protocol in ("sysu_mm01", "sysu_mm01_agw", "llcm"):
        return ap, inp, len(set(ranked[: ranks[0]]))
    return ap, inp, ranks[0]


def oracle(distances, queries, gallery, protocol):
    return [
        score_query(row, query, gallery, protocol)
        for row, query in zip(distances, queries, strict=True)
    ]


def run(distances, queries, gallery, protocol, max_rank=20):
    query_pids, query_cams = zip(*queries, strict=True)
    gallery_pids, gallery_cams = zip(*gallery, strict=True)
    distances = torch.tensor(distances, dtype=torch.float32)
    return evaluate(
        distances, query_pids, gallery_pids, query_cams, gallery_cams, protocol, max_rank
    )


def assert_equals_oracle(metrics: Metrics, expected, max_rank):
    valid = [scores for scores in expected if scores is not None]
    assert metrics.num_valid == len(valid)
    assert math.isclose(metrics.mAP, sum(s[0] for s in valid) / len(valid), rel_tol=1e-12)
    assert math.isclose(metrics.mINP, sum(s[1] for s in valid) / len(valid), rel_tol=1e-12)
    for rank in range(1, max_rank + 1):
        share = sum(s[2] <= rank for s in valid) / len(valid)
        assert metrics.rank(rank) == pytest.approx(share, abs=1e-15)
    assert metrics.first_rank.tolist() == [0 if s is None else s[2] for s in expected]
    for i, scores in enumerate(expected):
        ap, inp = metrics.average_precision[i], metrics.inverse_negative_penalty[i]
        if scores is None:
            assert ap.isnan() and inp.isnan()
        else:
            assert (float(ap), float(inp)) == pytest.approx(scores[:2], rel=1e-12)


@st.composite
def problems(draw):
    """Small test sets with few distances, identities and cameras: many ties and doubles."""
    num_queries, num_gallery = draw(st.integers(1, 6)), draw(st.integers(1, 12))
    image = st.tuples(st.integers(-1, draw(st.integers(-1, 4))), st.integers(1, 6))
    distance = st.one_of(st.integers(0, 3).map(float), st.floats(0, 1, width=32), st.just(math.inf))
    row = st.lists(distance, min_size=num_gallery, max_size=num_gallery)
    return (
        draw(st.lists(row, min_size=num_queries, max_size=num_queries)),
        draw(st.lists(image, min_size=num_queries, max_size=num_queries)),
        draw(st.lists(image, min_size=num_gallery, max_size=num_gallery)),
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
@settings(max_examples=100, deadline=None)
@given(problem=problems(), max_rank=st.integers(1, 15))
def test_equals_the_loop_over_queries(protocol, problem, max_rank):
    expected = oracle(*problem, protocol)
    if any(expected):
        assert_equals_oracle(run(*problem, protocol, max_rank), expected, max_rank)
    else:
        with pytest.raises(ValueError, match="no query has a gallery image of its identity"):
            run(*problem, protocol, max_rank)


def random_problem(num_queries, num_gallery, seed=0):
    rng = np.random.default_rng(seed)
    distances = rng.integers(0, 50, (num_queries, num_gallery)) / 64  # many ties, exact in floats
    queries = np.stack([rng.integers(0, 9, num_queries), rng.integers(1, 7, num_queries)], 1)
    gallery = np.stack([rng.integers(0, 9, num_gallery), rng.integers(1, 7, num_gallery)], 1)
    return distances.tolist(), queries.tolist(), gallery.tolist()


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("block_bytes", [1, 40_000])
def test_equals_the_loop_over_queries_in_blocks(protocol, block_bytes, monkeypatch):
    monkeypatch.setattr("simgraph.distances.BLOCK_BYTES", block_bytes)
    problem = random_problem(40, 130)
    assert_equals_oracle(run(*problem, protocol), oracle(*problem, protocol), 20)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_permuting_the_queries_changes_nothing(protocol):
    distances, queries, gallery = random_problem(30, 60)
    order = np.random.default_rng(1).permutation(30).tolist()
    one = run(distances, queries, gallery, protocol)
    two = run([distances[i] for i in order], [queries[i] for i in order], gallery, protocol)
    assert torch.equal(one.cmc, two.cmc)
    assert (one.mAP, one.mINP) == pytest.approx((two.mAP, two.mINP), rel=1e-12)
    torch.testing.assert_close(
        one.average_precision[order], two.average_precision, rtol=0, atol=0, equal_nan=True
    )
    assert torch.equal(one.first_rank[order], two.first_rank)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize("transform", [torch.square, torch.exp, lambda d: 8 * d - 3])
def test_a_monotone_transform_changes_nothing(protocol, transform):
    distances, queries, gallery = random_problem(30, 60)
    one = run(distances, queries, gallery, protocol)
    two = run(transform(torch.tensor(distances)).tolist(), queries, gallery, protocol)
    assert (one.mAP, one.mINP) == (two.mAP, two.mINP)
    assert torch.equal(one.cmc, two.cmc)


# By hand. One query of identity 7; the gallery is written in ranked order.


def score_ranked(gallery_pids, protocol="plain", gallery_cams=None, query_cam=3, max_rank=6):
    distances = torch.arange(len(gallery_pids)).float()[None]
    query_cams = None if gallery_cams is None else [query_cam]
    return evaluate(distances, [7], gallery_pids, query_cams, gallery_cams, protocol, max_rank)


def test_ap_inp_and_cmc_by_hand():
    metrics = score_ranked([1, 7, 2, 7, 7, 3])  # matches at ranks 2, 4, 5
    assert metrics.mAP == pytest.approx((1 / 2 + 2 / 4 + 3 / 5) / 3)
    assert metrics.mINP == pytest.approx(3 / 5)
    assert metrics.cmc.tolist() == [0, 1, 1, 1, 1, 1]
    assert metrics.first_rank.tolist() == [2]


def test_two_queries_by_hand():
    distances = [[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]
    metrics = run(distances, [(5, 1), (5, 1)], [(5, 2), (6, 2), (6, 2)], "plain", max_rank=3)
    assert metrics.average_precision.tolist() == pytest.approx([1, 1 / 3])
    assert metrics.mAP == pytest.approx(2 / 3)
    assert metrics.cmc.tolist() == [0.5, 0.5, 1]
    assert metrics.rank(1) == 0.5 and metrics.rank(3) == 1.0


def test_cmc_per_identity_counts_each_identity_once():
    ids, cams = [1, 1, 2, 1, 7, 7], [1, 1, 1, 1, 1, 1]
    by_identity = score_ranked(ids, "sysu_mm01", cams)
    assert by_identity.first_rank.tolist() == [3]  # 1, 2, 7
    assert by_identity.cmc.tolist() == [0, 0, 1, 1, 1, 1]
    by_image = score_ranked(ids, "plain")
    assert by_image.first_rank.tolist() == [5]
    # AP and INP run over all images under both.
    assert by_identity.mAP == by_image.mAP == pytest.approx((1 / 5 + 2 / 6) / 2)
    assert by_identity.mINP == by_image.mINP == pytest.approx(2 / 6)


@pytest.mark.parametrize("protocol", ["sysu_mm01", "sysu_mm01_agw"])
def test_location_rule_leaves_out_camera_2_for_camera_3_whatever_the_identity(protocol):
    ids, cams = [7, 1, 2, 7], [2, 2, 1, 5]
    assert score_ranked(ids, protocol, cams, query_cam=3).mAP == pytest.approx(1 / 2)
    assert score_ranked(ids, protocol, cams, query_cam=6).mAP == pytest.approx((1 + 2 / 4) / 2)


@pytest.mark.parametrize("protocol", ["llcm", "market"])
def test_same_identity_and_camera_is_left_out_but_not_other_identities(protocol):
    metrics = score_ranked([7, 1, 1, 7], protocol, [3, 3, 3, 4], query_cam=3)
    assert metrics.mAP == pytest.approx(1 / 3)  # 1, 1, 7 are left
    assert metrics.first_rank.tolist() == [2 if protocol == "llcm" else 3]


def official_market(distances, query_pids, gallery_pids, query_cams, gallery_cams):
    """AP and first rank as Market-1501's evaluation code finds them, with its index lists."""
    scores = []
    for row, pid, cam in zip(distances, query_pids, query_cams, strict=True):
        images = list(zip(gallery_pids, gallery_cams, strict=True))
        good = [j for j, (p, c) in enumerate(images) if p == pid and c != cam and p != -1]
        junk = [j for j, (p, c) in enumerate(images) if p == -1 or (p == pid and c == cam)]
        rank, hits, ap, first = 0, 0, 0.0, 0
        for j in sorted(range(len(images)), key=lambda j: (row[j], j)):
            if j in junk:
                continue
            rank += 1
            if j in good:
                hits += 1
                ap += hits / rank / len(good)
                first = first or rank
        scores.append((ap, first))
    return scores


def market_problem(seed):
    rng = np.random.default_rng(seed)
    gallery_pids, query_pids = rng.integers(-1, 5, 60), rng.integers(-1, 5, 15)
    gallery_cams, query_cams = rng.integers(1, 4, 60), rng.integers(1, 4, 15)
    query_pids[0] = -1
    return rng.integers(0, 20, (15, 60)) / 32, query_pids, gallery_pids, query_cams, gallery_cams


@pytest.mark.parametrize("seed", range(5))
def test_market_removes_junk_and_ranks_distractors_as_its_official_code(seed):
    problem = market_problem(seed)
    expected = official_market(*problem)
    metrics = evaluate(*problem, protocol="market")
    assert metrics.first_rank.tolist() == [first for _, first in expected]
    aps = [ap for ap, first in expected if first]
    assert metrics.mAP == pytest.approx(sum(aps) / len(aps), rel=1e-12)
    assert metrics.num_valid == len(aps) < len(expected)  # queries of -1 are skipped


def test_market_scores_of_the_pipeline_are_the_official_ones(tmp_path):
    rng = np.random.default_rng(3)
    _, *labels = market_problem(3)
    features = Features(rng.normal(size=(15, 6)), rng.normal(size=(60, 6)), *labels)
    save_features(features, tmp_path / "market.npz")
    dataset = DatasetConfig(protocol="market")
    config = Config(
        features=str(tmp_path / "market.npz"), methods=("baseline",), dataset=dataset,
        normalize=False,
    )  # fmt: skip
    distances = torch.cdist(features.query, features.gallery).tolist()
    expected = official_market(distances, *(side.tolist() for side in labels))
    aps = [ap for ap, first in expected if first]
    found = run_test(config)["methods"]["baseline"]["mAP"]
    assert found == pytest.approx(sum(aps) / len(aps), rel=1e-9)


@pytest.mark.parametrize("protocol", [p for p in PROTOCOLS if p != "market"])
def test_other_protocols_know_no_special_identity(protocol):
    metrics = evaluate(torch.tensor([[0.1, 0.2]]), [-1], [0, -1], [3], [1, 1], protocol)
    assert metrics.first_rank.tolist() == [2]


def test_junk_is_excluded_wherever_the_protocol_is_shown():
    args = ([7, -1], [-1, 7, 0], [1, 1], [2, 3, 4], "market")
    assert excluded(*args).tolist() == [[True, False, False]] * 2
    assert not excluded([7], [-1], protocol="plain").any()


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ("market", "2 of 3 queries have some, but the protocol removes images of the query's id"),
        ("llcm", "2 of 3 queries .* from the query's own camera, and that left none.*'plain'"),
        ("sysu_mm01", "removes every image at the location of the query's camera"),
    ],
)
def test_the_rule_that_left_no_match_is_named(protocol, message):
    with pytest.raises(ValueError, match=message):
        evaluate(torch.zeros(3, 2), [1, 2, 3], [1, 2], [1] * 3, [1] * 2, protocol)
    with pytest.raises(ValueError, match="the two sides have no identity in common"):
        evaluate(torch.zeros(1, 1), [1], [2], [1], [1], protocol)


def test_ties_go_to_the_lower_index():
    metrics = evaluate(torch.zeros(1, 40), [7], [0] * 10 + [7] + [0] * 29, protocol="plain")
    assert metrics.first_rank.tolist() == [11]


def test_infinity_ranks_last_by_index():
    distances = torch.tensor([[math.inf, math.inf, 1.0, -math.inf]])
    metrics = evaluate(distances, [7], [1, 7, 2, 3], protocol="plain")
    assert metrics.first_rank.tolist() == [4]


def test_cmc_saturates_on_a_short_gallery_and_skipped_queries_do_not_count():
    distances = torch.tensor([[0.0, 1.0], [0.0, 1.0]])
    metrics = evaluate(distances, [7, 99], [1, 7], protocol="regdb", max_rank=5)
    assert metrics.cmc.tolist() == [0, 1, 1, 1, 1]
    assert metrics.cmc.dtype == torch.float64
    assert metrics.num_valid == 1
    assert metrics.mAP == 0.5
    assert metrics.first_rank.tolist() == [2, 0]


def test_a_query_whose_matches_are_all_left_out_is_skipped():
    metrics = run([[0, 1], [0, 1]], [(7, 3), (7, 6)], [(7, 2), (8, 1)], "sysu_mm01")
    assert metrics.num_valid == 1
    assert metrics.first_rank.tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [np.float16, np.float64, np.int64])
def test_numpy_and_torch_give_the_same(dtype):
    distances = np.random.default_rng(0).permutation(60).reshape(5, 12).astype(dtype)
    before = distances.copy()
    query_pids, gallery_pids = np.arange(5, dtype=np.uint8), np.arange(12, dtype=np.int32) % 5
    one = evaluate(distances, query_pids, gallery_pids, protocol="plain")
    lists = query_pids.tolist(), gallery_pids.tolist()
    two = evaluate(torch.from_numpy(distances), *lists, protocol="plain")
    assert one.mAP == two.mAP
    assert np.array_equal(distances, before)


def test_repr_is_one_short_line():
    assert len(repr(score_ranked([7, 1]))) < 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distances": torch.zeros(0, 3)}, r"distances: expected \[Nq, Ng\], not empty"),
        ({"distances": torch.zeros(3)}, r"distances: expected \[Nq, Ng\]"),
        ({"distances": torch.zeros(2, 3).bool()}, "distances: expected real numbers"),
        ({"distances": np.array([["a"]])}, "distances: expected an array of real numbers"),
        ({"distances": torch.tensor([[0.0] * 3, [0.0, math.nan, 0.0]])}, "NaN, row 1"),
        ({"query_pids": [1]}, "query_pids: expected 2 integers"),
        ({"query_pids": [1.0, 2.0]}, "query_pids: expected 2 integers.*float64"),
        ({"query_pids": [8, 9]}, "no query has a gallery image of its identity"),
        ({"gallery_pids": [1, 2]}, "gallery_pids: expected 3 integers"),
        ({"gallery_pids": np.zeros((3, 1), int)}, "gallery_pids: expected 3 integers"),
        ({"query_cams": None}, "'sysu_mm01' needs query_cams"),
        ({"gallery_cams": None}, "'sysu_mm01' needs gallery_cams"),
        ({"gallery_cams": None, "protocol": "llcm"}, "'llcm' needs gallery_cams"),
        ({"query_cams": None, "protocol": "market"}, "'market' needs query_cams"),
        ({"query_cams": [3, 3, 3]}, "query_cams: expected 2 integers"),
        ({"query_cams": [3, 7]}, "query_cams: expected cameras 1 to 6, got 7 in row 1"),
        ({"gallery_cams": [0, 1, 2]}, "gallery_cams: expected cameras 1 to 6, got 0 in row 0"),
        ({"gallery_cams": [1], "protocol": "plain"}, "gallery_cams: expected 3 integers"),
        ({"protocol": "sysu"}, "unknown protocol 'sysu'; expected one of sysu_mm01"),
        ({"max_rank": 0}, "max_rank = 0 must be at least 1"),
    ],
)
def test_bad_input(change, message):
    good = {
        "distances": torch.zeros(2, 3),
        "query_pids": [1, 2],
        "gallery_pids": [1, 2, 2],
        "query_cams": [3, 6],
        "gallery_cams": [1, 2, 4],
        "protocol": "sysu_mm01",
    }
    evaluate(**good)
    with pytest.raises(ValueError, match=message):
        evaluate(**{**good, **change})


@pytest.mark.parametrize("rank", [0, 7, -1])
def test_rank_beyond_the_cmc(rank):
    with pytest.raises(ValueError, match="expected a rank from 1 to max_rank = 6"):
        score_ranked([7]).rank(rank)


def test_baseline_on_real_features(shared: Path):
    features = load_features(shared / "features" / "mfeat_fou2kar_cca.npz")
    query = torch.nn.functional.normalize(features.query, dim=1)
    gallery = torch.nn.functional.normalize(features.gallery, dim=1)
    distances = torch.cdist(query, gallery)
    metrics = evaluate(distances, features.query_pids, features.gallery_pids, protocol="plain")
    assert 100 * metrics.mAP == pytest.approx(61.96, abs=0.01)
    assert 100 * metrics.rank(1) == pytest.approx(74.00, abs=0.01)
    queries = [(i, 1) for i in features.query_pids.tolist()]
    gallery_images = [(i, 1) for i in features.gallery_pids.tolist()]
    expected = oracle(distances.tolist(), queries, gallery_images, "plain")
    assert_equals_oracle(metrics, expected, 20)
