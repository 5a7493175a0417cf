"""Feature rows follow the test set's images, or an error says which do not."""

import numpy as np
import pytest
import torch

from simgraph.config import Config, DatasetConfig
from simgraph.datasets import Samples, TestSet, Trial
from simgraph.features import Features, save_features
from simgraph.trials import align, load_test_set, num_trials, trial_features


def samples(pids, cams):
    paths = tuple(f"{i}.jpg" for i in range(len(pids)))
    return Samples(paths, np.array(pids), np.array(cams))


@pytest.fixture
def test_set(tmp_path):
    query = samples([1, 1, 2], [3, 6, 3])
    gallery = samples([1, 1, 2, 1], [1, 1, 1, 2])
    trial = Trial(np.arange(3), np.array([1, 2]))
    return TestSet("sysu_mm01", tmp_path, query, gallery, (trial,), "sysu_mm01")


def features(query_pid, query_cam, gallery_pid, gallery_cam):
    return Features(
        torch.arange(len(query_pid))[:, None] + 0.5,
        torch.arange(len(gallery_pid))[:, None] + 0.25,
        np.array(query_pid), np.array(gallery_pid), np.array(query_cam), np.array(gallery_cam),
    )  # fmt: skip


def test_rows_are_found_by_identity_and_camera_and_keep_their_order_within(test_set):
    # Gallery rows of identity 1, camera 1 are rows 1 and 3 of the file, in this order.
    shuffled = features([2, 1, 1], [3, 6, 3], [2, 1, 1, 1], [1, 1, 2, 1])
    aligned = align(shuffled, test_set, "file")
    assert aligned.query_pids.tolist() == test_set.query.pids.tolist()
    assert aligned.gallery_cams.tolist() == test_set.gallery.cams.tolist()
    assert aligned.query.flatten().tolist() == [2.5, 1.5, 0.5]
    assert aligned.gallery.flatten().tolist() == [1.25, 3.25, 0.25, 2.25]


def test_identities_outside_the_test_set_are_left_out(test_set):
    more = features([9, 1, 1, 2], [3, 3, 6, 3], [1, 1, 2, 1, 8], [1, 1, 1, 2, 1])
    assert align(more, test_set, "file").query.flatten().tolist() == [1.5, 2.5, 3.5]


def test_another_count_is_an_error_with_both_numbers(test_set):
    fewer = features([1, 1, 2], [3, 6, 3], [1, 2, 1], [1, 1, 2])
    with pytest.raises(
        ValueError, match=r"file: gallery: expected 2 rows of identity 1, camera 1.*got 1 "
    ):
        align(fewer, test_set, "file")


def test_missing_labels_are_errors(test_set):
    with pytest.raises(ValueError, match="file: query_pid: expected identities"):
        align(Features(torch.ones(3, 1), torch.ones(4, 1)), test_set, "file")
    no_cams = Features(
        torch.ones(3, 1), torch.ones(4, 1), np.array([1, 1, 2]), np.array([1, 1, 2, 1])
    )
    with pytest.raises(ValueError, match="file: query_cam: expected cameras"):
        align(no_cams, test_set, "file")


def config(**values):
    dataset = DatasetConfig(**values.pop("dataset", {}))
    return Config(dataset=dataset, **values)


def test_a_file_is_one_trial_as_it_is(tmp_path):
    one = features([1, 2], [3, 3], [1, 2, 2], [1, 1, 2])
    save_features(one, tmp_path / "one.npz")
    (trial,) = trial_features(config(features=str(tmp_path / "one.npz")))
    assert torch.equal(trial.gallery, one.gallery)
    assert num_trials(DatasetConfig()) == 1


def test_missing_features_root_and_labels(tmp_path):
    with pytest.raises(ValueError, match="features: expected a feature file"):
        next(trial_features(config()))
    with pytest.raises(ValueError, match=r"dataset\.root: expected the folder of sysu_mm01"):
        load_test_set(DatasetConfig(name="sysu_mm01"))
    save_features(Features(torch.ones(2, 1), torch.ones(3, 1)), tmp_path / "bare.npz")
    with pytest.raises(ValueError, match="expected query_pid and gallery_pid"):
        next(trial_features(config(features=str(tmp_path / "bare.npz"))))


def write_regdb(root, trials=2):
    (root / "idx").mkdir()
    for trial in range(1, trials + 1):
        for side in ("visible", "thermal"):
            lines = [f"{side.title()}/{i}/{side}_{n}.bmp {i}" for i in (0, 1) for n in (0, 1)]
            for split in ("train", "test"):
                (root / "idx" / f"{split}_{side}_{trial}.txt").write_text("\n".join(lines))


def test_regdb_takes_a_file_a_trial(tmp_path):
    write_regdb(tmp_path)
    for trial in (1, 2):
        pid = np.array([0, 0, 1, 1])
        one = Features(torch.full((4, 2), float(trial)), torch.ones(4, 2), pid, pid)
        save_features(one, tmp_path / f"f{trial}.npz")
    dataset = {"name": "regdb", "root": str(tmp_path), "trials": 2}
    trials = list(trial_features(config(dataset=dataset, features=str(tmp_path / "f{trial}.npz"))))
    assert [float(trial.query[0, 0]) for trial in trials] == [1.0, 2.0]
    with pytest.raises(ValueError, match=r"expected '\{trial\}' in"):
        next(trial_features(config(dataset=dataset, features=str(tmp_path / "f1.npz"))))


def test_only_regdb_has_a_file_a_trial(tmp_path):
    dataset = {"name": "sysu_mm01", "root": str(tmp_path)}
    with pytest.raises(ValueError, match="expected one file for all trials of sysu_mm01"):
        next(trial_features(config(dataset=dataset, features="f{trial}.npz")))


def test_sysu_trials_follow_the_permutation(shared):
    dataset = DatasetConfig(name="sysu_mm01", root=str(shared / "sysu_mm01"), shots=1)
    test_set = load_test_set(dataset)
    assert (len(test_set.query), len(test_set.trials[0].gallery)) == (3803, 301)
    assert num_trials(dataset) == len(test_set.trials) == 10
