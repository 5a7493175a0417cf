"""Each feature row gets the labels and the picture of its own image, or an error says why not."""

import dataclasses

import numpy as np
import pytest
import torch

from simgraph.config import Config, DatasetConfig
from simgraph.datasets import folder
from simgraph.datasets.alignment import align
from simgraph.features import Features, save_features
from simgraph.training.extraction import labeled
from simgraph.visualization.trial_view import load_trial_view
from tests.datasets.fake_datasets import touch

TWELVE = [str(i) for i in range(12)]


def folder_set(root, names, images=3):
    for side, cam in (("visible", 1), ("infrared", 2)):
        for name in names:
            touch(root, *(f"test/{side}/{name}/c{cam}_{i}.png" for i in range(images)))
    return folder.load_test(root)


def codes(paths):
    """A feature per image that tells which image it is of."""
    known = sorted(paths)
    return torch.tensor([[float(known.index(path)), 1.0] for path in paths])


def rows_of(paths, label, order=None):
    """Features of images in an order, with `label(folder name)` as identities."""
    chosen = [paths[i] for i in (range(len(paths)) if order is None else order)]
    return codes(paths)[[paths.index(p) for p in chosen]], [label(p.split("/")[2]) for p in chosen]


def feature_file(test_set, label, order=None):
    query, query_pids = rows_of(test_set.query.paths, label, order)
    gallery, gallery_pids = rows_of(test_set.gallery.paths, label, order)
    return Features(query, gallery, query_pids, gallery_pids)


def assert_rows_are_their_images(aligned, test_set):
    for side in ("query", "gallery"):
        paths = getattr(test_set, side).paths
        assert torch.equal(getattr(aligned, side), codes(paths))
        assert getattr(aligned, f"{side}_names") == paths
        assert getattr(aligned, f"{side}_pids").tolist() == getattr(test_set, side).pids.tolist()


@pytest.mark.parametrize("names", [TWELVE, ["b", "a"], ["7", "007"], ["-1", "0", "10", "9"]])
def test_names_decide_whatever_the_order_and_the_labels(tmp_path, names):
    test_set = folder_set(tmp_path, names)
    features = labeled(codes(test_set.query.paths), codes(test_set.gallery.paths), test_set)
    order = np.random.default_rng(0).permutation(len(features.query))
    assert_rows_are_their_images(align(features.select(order, order), test_set, "f"), test_set)


NATURAL = {name: place for place, name in enumerate(sorted(TWELVE, key=int))}
PADDED = [f"{i:04d}" for i in range(12)]


@pytest.mark.parametrize(
    ("names", "label"),
    [
        ([str(i) for i in range(5, 17)], int),  # no position is 16
        ([f"person_{i}" for i in range(5, 17)], lambda name: int(name[7:])),
        ([f"{i}" for i in range(3, 40, 3)], int),
        (PADDED, int),  # number and position agree
        ([f"{i:04d}" for i in range(1, 13)], int),
        ([f"{i:04d}" for i in range(1, 13)], lambda name: int(name) - 1),
        (["anna", "bob", "carl"], ["anna", "bob", "carl"].index),
        (["-1", "0000", "0002", "0010"], int),
    ],
)
@pytest.mark.parametrize("is_shuffled", [False, True])
def test_labels_that_can_only_mean_one_thing_are_taken_so(tmp_path, names, label, is_shuffled):
    test_set = folder_set(tmp_path, names, images=1)
    count = len(names)
    order = np.random.default_rng(1).permutation(count) if is_shuffled else None
    aligned = align(feature_file(test_set, label, order), test_set, "f")
    assert_rows_are_their_images(aligned, test_set)


def test_numbers_in_the_order_of_the_folders_are_numbers(tmp_path):
    test_set = folder_set(tmp_path, TWELVE)
    assert_rows_are_their_images(align(feature_file(test_set, int), test_set, "f"), test_set)


def test_labels_that_may_be_numbers_or_positions_score_but_have_no_pictures(tmp_path):
    test_set = folder_set(tmp_path, TWELVE)
    by_number = sorted(range(36), key=lambda i: int(test_set.query.paths[i].split("/")[2]))
    features = feature_file(test_set, int, by_number)
    aligned = align(features, test_set, "f")
    assert aligned.query_names is None and len(aligned.query) == 36
    save_features(features, tmp_path / "f.npz")
    dataset = DatasetConfig(name="folder", root=str(tmp_path))
    with pytest.raises(ValueError, match=r"f\.npz: rows cannot be matched to images: .*'10'"):
        load_trial_view(Config(features=str(tmp_path / "f.npz"), dataset=dataset))


def test_pictures_of_a_numbered_set_are_those_of_the_rows(tmp_path):
    test_set = folder_set(tmp_path, TWELVE)
    save_features(feature_file(test_set, int), tmp_path / "f.npz")
    dataset = DatasetConfig(name="folder", root=str(tmp_path))
    view = load_trial_view(Config(features=str(tmp_path / "f.npz"), dataset=dataset))
    found = codes(test_set.gallery.paths)[
        [test_set.gallery.paths.index(n) for n in view.gallery.names]
    ]
    assert torch.equal(view.features.gallery, found)
    assert view.gallery.paths[5] == tmp_path / test_set.gallery.paths[5]


def test_names_that_lack_an_image_of_the_set(tmp_path):
    test_set = folder_set(tmp_path, ["a", "b"])
    features = labeled(codes(test_set.query.paths), codes(test_set.gallery.paths), test_set)
    fewer = features.select(np.arange(1, 6), np.arange(6))
    message = r"f: query_name: .*1 of 6 are not there, first 'test/infrared/a/c2_0.png'"
    with pytest.raises(ValueError, match=message):
        align(fewer, test_set, "f")
    twice = features.select([0, *range(6)], np.arange(6))
    with pytest.raises(ValueError, match=r"each name once, got 'test/infrared/a/c2_0\.png' twice"):
        align(twice, test_set, "f")


def test_paths_that_were_only_counted_check_no_names(tmp_path):
    test_set = folder_set(tmp_path, ["a", "b"])
    features = labeled(codes(test_set.query.paths), codes(test_set.gallery.paths), test_set)
    guessed = dataclasses.replace(
        test_set,
        paths_listed=False,
        query=dataclasses.replace(test_set.query, paths=tuple("012345")),
    )
    aligned = align(features, guessed, "f")
    assert aligned.query_names == test_set.query.paths  # the file knows them


def test_counts_that_fit_no_reading_name_what_differs(tmp_path):
    test_set = folder_set(tmp_path, TWELVE)
    features = feature_file(test_set, lambda name: int(name) + 50)
    with pytest.raises(ValueError, match="f: query: expected 3 rows of identity 0, camera 2"):
        align(features, test_set, "f")
