"""k="auto": what is chosen, from what, and that users see it."""

import logging

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.config import Config, SIMConfig, parse_config
from simgraph.features import Features, save_features
from simgraph.pipeline import run_test
from simgraph.results import caption
from simgraph.sim.auto import _by_agreement, choose, for_images_per_identity, resolve_auto
from simgraph.sim.neighborhood_agreement import Contrast, NeighborhoodAgreement
from simgraph.sim.params import SIMParams
from tests.sim.galleries import gallery_of


def mean_ap(query, gallery, qid, pid, **params):
    return sg.evaluate(sg.rerank(query, gallery, **params), qid, pid, protocol="plain").mAP


# --- What is chosen ----------------------------------------------------------------------------


@pytest.mark.parametrize(("images", "identities"), [(2, 60), (4, 40), (10, 40), (25, 40)])
def test_identities_of_equal_size_are_found(images, identities):
    k = choose(*gallery_of(images, identities)[:2]).k
    assert abs(k - (images - 1)) <= max(0, images // 8)


@pytest.mark.parametrize("noise", [0.3, 0.6, 1.2])
def test_one_image_per_identity_leaves_the_baseline(noise, caplog):
    # float64, because 0.3·d + 0.7 rounds near distances to equal ones in float32.
    query, gallery = (x.astype("f8") for x in gallery_of(1, 150, noise)[:2])
    with caplog.at_level(logging.WARNING, logger="simgraph"):
        chosen = choose(query, gallery)
    assert (chosen.k, chosen.num_paths, chosen.k_query, chosen.k_gallery) == (0, 1, 1, 0)
    assert "baseline's ranking stays" in caplog.text
    assert chosen.reason in caplog.text
    order = [
        np.argsort(sg.rerank(query, gallery, m, **p), axis=1, kind="stable")
        for m, p in (("baseline", {}), ("sim", {"k": "auto"}), ("mnnr", {"k": "auto"}))
    ]
    np.testing.assert_array_equal(order[0], order[1])
    np.testing.assert_array_equal(order[0], order[2])


def test_look_alikes_of_one_image_each_are_not_taken_for_an_identity():
    rng = np.random.default_rng(0)
    group = rng.normal(size=(30, 32)).repeat(5, axis=0)
    gallery = group + 1.2 * rng.normal(size=(150, 32))
    query = gallery.repeat(2, axis=0) + 0.8 * rng.normal(size=(300, 32))
    assert choose(query, gallery).k == 0


@pytest.mark.parametrize("seed", [0, 2, 3])
def test_identities_of_one_image_among_larger_ones_keep_k_small(seed):
    query, gallery, qid, pid = gallery_of(10, 60, noise=0.5, gap=0.8, seed=seed)
    size = np.array([1, 1, 1, 1, 3, 10])[pid % 6]
    keep = np.arange(len(pid)) % 10 < size
    case = query, gallery[keep], qid, pid[keep]
    assert choose(*case[:2]).k <= 1
    assert mean_ap(*case, k="auto") - mean_ap(*case, method="baseline") >= -0.01


def test_no_structure_at_all_leaves_the_baseline():
    rng = np.random.default_rng(0)
    assert choose(rng.normal(size=(100, 16)), rng.normal(size=(200, 16))).k == 0


@pytest.mark.parametrize(
    ("queries", "images", "told"),
    [
        (9, 50, "9 queries"),
        (1, 50, "1 queries"),
        (50, 29, "29 gallery images"),
        (50, 1, "1 gallery"),
    ],
)
def test_too_little_leaves_the_baseline_and_says_so(queries, images, told):
    rng = np.random.default_rng(0)
    chosen = choose(rng.normal(size=(queries, 8)), rng.normal(size=(images, 8)))
    assert chosen.k == 0
    assert told in chosen.reason


def test_thirty_images_ten_queries_and_one_dimension_are_enough_to_run():
    rng = np.random.default_rng(0)
    for dim in (1, 2):
        assert 0 <= choose(rng.normal(size=(10, dim)), rng.normal(size=(30, dim)), False).k < 29


def test_a_gallery_that_is_one_image_over_and_over_leaves_the_baseline():
    query = np.random.default_rng(0).normal(size=(20, 8))
    assert choose(query, np.ones((30, 8))).k == 0


def test_every_image_four_times_is_three_neighbors():
    query, gallery, *_ = gallery_of(1, 40, per=8)
    assert choose(query, gallery.repeat(4, axis=0)).k == 3


@pytest.mark.parametrize("name", ["mfeat_fou2kar_cca", "mfeat_kar2fou_cca", "pku_sketch_alt"])
@pytest.mark.parametrize("images", [1, None])
def test_real_sets_keep_the_baseline_or_gain(shared, name, images):
    f = sg.load_features(shared / "features" / f"{name}.npz")
    rows = [np.flatnonzero(f.gallery_pids.numpy() == p)[:images] for p in f.gallery_pids.unique()]
    gallery, pid = (x[np.concatenate(rows)] for x in (f.gallery, f.gallery_pids))
    case = (f.query, gallery, f.query_pids, pid)
    gain = mean_ap(*case, k="auto") - mean_ap(*case, method="baseline")
    assert gain >= (0.05 if images is None else 0)


REAL = (
    "coil20_2to1_pixel", "office_C2A_surf", "office_W2A_surf", "omniglot_img2stroke",
    "pku_sketch_head", "roadscene_vis2ir", "usps2mnist_pixel", "veri_r50imagenet", "viper_mdf_s1",
    "viper_mdf_s2", "wiki_i2t_sm", "wiki_t2i_cca", "yaleb_dark2bright_pixel",
)  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_no_set_that_had_no_part_in_the_rule_loses_half_a_point(shared, name):
    f = sg.load_features(shared / "real" / f"{name}.npz")
    case = (f.query, f.gallery, f.query_pids, f.gallery_pids)
    baseline = mean_ap(*case, method="baseline")
    assert mean_ap(*case, k="auto") - baseline >= -0.005
    images = np.median(f.gallery_pids.unique(return_counts=True)[1])
    assert mean_ap(*case, k="auto", images_per_identity=images) - baseline >= -0.02


def evidence(gallery, query, inside=(3.0, 0.1), across=(2.0, 0.1)):
    sizes = np.arange(1, len(gallery) + 1)
    return NeighborhoodAgreement(
        sizes, np.array(gallery), np.array(query), Contrast(*inside), Contrast(*across)
    )


def test_k_is_where_the_product_of_agreements_is_largest():
    # 0.08, 0.15, 0.12: the gallery alone would say 3, the queries alone 1.
    assert _by_agreement(evidence([0.2, 0.5, 0.6], [0.4, 0.3, 0.2]))[0] == 2
    # Of equal products the smaller neighborhood is taken.
    assert _by_agreement(evidence([0.2, 0.4], [0.4, 0.2]))[0] == 1
    # Two agreements below chance are no agreement.
    assert _by_agreement(evidence([-0.5, 0.1], [-0.5, 0.1]))[0] == 2
    assert _by_agreement(evidence([-0.5, -0.1], [-0.5, 0.1]))[0] == 0


def test_the_gallery_must_stand_out_by_three_standard_errors():
    # √(0.03² + 0.04²) = 0.05, three times that is 0.15.
    def chosen(inside):
        return _by_agreement(evidence([0.9], [0.9], inside=(inside, 0.03), across=(2.0, 0.04)))

    assert [chosen(inside)[0] for inside in (2.16, 2.14, 1.84)] == [1, 0, 0]
    assert "2.14 against 2.00 standard deviations, ± 0.15" in chosen(2.14)[1]


def test_large_sets_are_read_in_part_and_inputs_are_left_alone():
    query, gallery, *_ = gallery_of(10, 120, per=6)
    copies = query.copy(), gallery.copy()
    assert abs(choose(query, gallery).k - 9) <= 1
    np.testing.assert_array_equal(query, copies[0])
    np.testing.assert_array_equal(gallery, copies[1])


# --- Numbers that were given -------------------------------------------------------------------


def resolved(k, num_paths, k_query, k_gallery):
    query, gallery, *_ = gallery_of(4, 40)
    given = SIMParams(k=k, num_paths=num_paths, k_query=k_query, k_gallery=k_gallery)
    c = resolve_auto(given, torch.tensor(query), torch.tensor(gallery), True)
    return c.k, c.num_paths, c.k_query, c.k_gallery


def test_numbers_given_stay_and_the_others_follow():
    assert resolved(7, 3, 5, 6) == (7, 3, 5, 6)
    assert resolved(7, "auto", "auto", "auto") == (7, 4, 7, 7)
    assert resolved(7, 2, "auto", 3) == (7, 2, 7, 3)
    assert resolved("auto", "auto", "auto", "auto") == (3, 2, 3, 3)
    assert resolved("auto", 9, 20, 20) == (3, 2, 3, 3)
    assert resolved("auto", 30, 5, 2) == (3, 4, 5, 2)
    assert resolved("auto", 1, 1000, 30) == (3, 1, 160, 3)


def test_auto_is_sim_with_the_numbers_chosen():
    query, gallery, *_ = gallery_of(4, 40)
    c = choose(query, gallery)
    numbers = {"k": c.k, "num_paths": c.num_paths, "k_query": c.k_query, "k_gallery": c.k_gallery}
    for method in ("sim", "sgr", "mnnr"):
        params = {n: v for n, v in numbers.items() if n in sg.rerankers.parameters(method)}
        np.testing.assert_array_equal(
            sg.rerank(query, gallery, method, k="auto"),
            sg.rerank(query, gallery, method, **params),
        )


@pytest.mark.parametrize(
    ("images", "k", "num_paths"), [(1, 0, 1), (2, 1, 1), (4, 2, 2), (10, 7, 4), (2.5, 1, 1)]
)
def test_images_per_identity_give_four_fifths_of_the_neighbors(images, k, num_paths):
    c = for_images_per_identity(images)
    assert (c.k, c.num_paths, c.k_query, c.k_gallery) == (k, num_paths, max(k, 1), k)
    query, gallery, *_ = gallery_of(4, 40)
    given = SIMParams(k="auto", images_per_identity=images)
    assert resolve_auto(given, torch.tensor(query), torch.tensor(gallery), True) == c


def test_images_per_identity_need_no_evidence_and_fit_the_gallery():
    query, gallery, *_ = gallery_of(4, 2)
    expected = sg.rerank(query[:1], gallery, k=7, num_paths=4, k_query=7, k_gallery=7)
    for images in (10, 1000):
        found = sg.rerank(query[:1], gallery, k="auto", images_per_identity=images)
        np.testing.assert_array_equal(found, expected)
    for method in ("sgr", "mnnr"):
        sg.rerank(query, gallery, method, k="auto", images_per_identity=4)


def test_images_per_identity_choose_in_index_and_config(file):
    f = sg.load_features(file)
    index = sg.SIMIndex(k="auto", images_per_identity=6).fit(f.gallery)
    assert index.fitted == for_images_per_identity(6)
    sim = parse_config({"sim": {"k": "auto", "images_per_identity": 6}}).sim
    results = run_test(Config(features=file, sim=sim))
    assert results["chosen"][0]["k"] == 4
    assert "about 6 gallery images" in results["chosen"][0]["reason"]
    assert results["transductive"] == []
    assert results["sim_origin"] == "auto, for 6 images per identity"


@pytest.mark.parametrize("method", ["sgr", "mnnr", "sim"])
def test_from_distances_images_per_identity_are_needed(method):
    d = np.abs(np.subtract.outer(np.arange(12.0), np.arange(12.0)))
    names = sg.rerankers.parameters(method)
    numbers = {"k": 3, "num_paths": 2, "k_query": 3, "k_gallery": 3}
    np.testing.assert_array_equal(
        sg.rerank_distances(d, d, method, k="auto", images_per_identity=5),
        sg.rerank_distances(d, d, method, **{n: v for n, v in numbers.items() if n in names}),
    )
    with pytest.raises(ValueError, match="k = 'auto' is chosen by features, and distances were"):
        sg.rerank_distances(d, d, method, k="auto")


@pytest.mark.parametrize("images", [0, 0.5, -3, float("nan"), float("inf"), "4", True])
def test_bad_images_per_identity_are_refused(images):
    query, gallery, *_ = gallery_of(2, 20)
    with pytest.raises(ValueError, match="images_per_identity: expected a number"):
        sg.rerank(query, gallery, k="auto", images_per_identity=images)


def test_images_per_identity_with_a_number_for_k_are_refused():
    query, gallery, *_ = gallery_of(2, 20)
    for call in (
        lambda: sg.rerank(query, gallery, images_per_identity=4),
        lambda: sg.SIMIndex(k=5, images_per_identity=4),
        lambda: parse_config({"sim": {"images_per_identity": 4}}),
    ):
        with pytest.raises(ValueError, match="set k to 'auto', or leave images_per_identity out"):
            call()


def test_bad_values_are_refused():
    query, gallery, *_ = gallery_of(2, 20)
    with pytest.raises(ValueError, match="'auto': expected numbers"):
        sg.rerank(query, gallery, "sim_authors", k="auto")
    with pytest.raises(ValueError, match="k: expected an integer, got 'Auto'"):
        sg.rerank(query, gallery, k="Auto")
    with pytest.raises(ValueError, match=r"k_query: expected an integer, got 2\.5"):
        sg.rerank(query, gallery, k="auto", k_query=2.5)
    with pytest.raises(ValueError, match=r"sim.k: expected an integer .* or 'auto', got 'car'"):
        parse_config({"sim": {"k": "car"}})
    with pytest.raises(ValueError, match="at least 1, or 'auto', got 0"):
        parse_config({"sim": {"num_paths": 0}})


# --- What users see ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    query, gallery, qid, pid = gallery_of(5, 30)
    path = tmp_path_factory.mktemp("auto") / "features.npz"
    save_features(Features(query, gallery, qid, pid), path)
    return str(path)


def test_results_and_caption_say_what_was_chosen(file):
    config = Config(features=file, sim=parse_config({"sim": {"k": "auto"}}).sim)
    results = run_test(config)
    f = sg.load_features(file)
    chosen = choose(f.query, f.gallery)
    assert [SIMParams(**c) for c in results["chosen"]] == [chosen]
    assert results["chosen"][0]["reason"] == chosen.reason
    assert results["config"]["sim"]["k"] == "auto"
    assert f"k=auto (chosen: {chosen.k})" in caption(results)
    assert results["transductive"] == ["sgr", "mnnr", "sim"]
    numbers = SIMConfig(
        k=chosen.k, num_paths=chosen.num_paths, k_query=chosen.k_query, k_gallery=chosen.k_gallery
    )
    plain = run_test(Config(features=file, sim=numbers))
    assert plain["methods"] == results["methods"]
    assert plain["chosen"] == []
    assert "chosen" not in caption(plain)


def test_a_choice_over_trials_is_a_range(file):
    config = Config(features=file, sim=SIMConfig(k="auto"))
    results = run_test(config)
    results["chosen"].append({**results["chosen"][0], "k": 11})
    assert "k=auto (chosen: 4 to 11)" in caption(results)


def test_nothing_is_chosen_where_no_method_asks(file):
    results = run_test(Config(features=file, sim=SIMConfig(k="auto"), methods=("baseline",)))
    assert results["chosen"] == []
