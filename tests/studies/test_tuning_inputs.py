"""What tuning reads, and that it refuses the features of a test set."""

import numpy as np
import pytest

from simgraph.config import DatasetConfig
from simgraph.features import Features, save_features
from simgraph.studies.tuning_inputs import file_digest, tuning_input
from simgraph.studies.tuning_settings import TuneConfig
from tests.studies.conftest import make_features


@pytest.fixture
def own(tmp_path):
    save_features(make_features(0), tmp_path / "own.npz")
    return str(tmp_path / "own.npz")


def saved(features, file):
    save_features(features, file)
    return str(file)


def test_a_labeled_file_is_read_with_its_digest(own):
    found = tuning_input(TuneConfig(features=own))
    assert found.protocol == "plain" and found.name == "own.npz"
    assert found.digest == file_digest(own) and len(found.digest) == 64


def test_a_test_file_with_other_rows_is_no_objection(own, tmp_path):
    other = saved(make_features(1), tmp_path / "other.npz")
    tuning_input(TuneConfig(features=own, test=(other,)))


def test_the_test_file_itself_is_refused_under_any_name(own, tmp_path):
    copy = tmp_path / "copy.npz"
    copy.write_bytes((tmp_path / "own.npz").read_bytes())
    with pytest.raises(ValueError, match=r"own.npz is the test file .*copy.npz: .* test labels"):
        tuning_input(TuneConfig(features=own, test=(str(copy),)))


@pytest.mark.parametrize("form", ["f8", "scaled", "swapped", "other format", "some rows"])
def test_rows_of_the_test_file_are_refused_in_any_form(own, tmp_path, form):
    f, other = make_features(0), make_features(1)
    if form == "f8":
        test = Features(f.query.double(), f.gallery.double())
    elif form == "scaled":
        test = Features(f.query * 3, f.gallery * 3)
    elif form == "swapped":
        test = Features(f.gallery, other.query)
    elif form == "other format":
        test = f
    else:
        gallery = other.gallery.clone()
        gallery[7] = f.gallery[4]
        test = Features(other.query, gallery)
    suffix = ".safetensors" if form == "other format" else ".npz"
    file = saved(test, tmp_path / f"test{suffix}")
    with pytest.raises(ValueError, match=r"rows of own\.npz are .* rows of the test file"):
        tuning_input(TuneConfig(features=own, test=(file,)))


def test_the_labels_of_the_test_file_are_not_needed(own, tmp_path):
    other = make_features(1)
    np.savez(tmp_path / "bare.npz", query_feat=other.query, gallery_feat=other.gallery)
    tuning_input(TuneConfig(features=own, test=(str(tmp_path / "bare.npz"),)))


def test_rows_of_zeros_and_other_dimensions_are_nobodys(own, tmp_path):
    zero = np.zeros((3, 16), "f4")
    f = make_features(0)
    mine = Features(np.vstack([f.query, zero]), f.gallery, [*f.query_pids, 1, 2, 3], f.gallery_pids)
    file = saved(mine, tmp_path / "mine.npz")
    test = saved(Features(zero, zero), tmp_path / "zeros.npz")
    wide = saved(Features(np.ones((2, 5), "f4"), np.ones((2, 5), "f4")), tmp_path / "wide.npz")
    tuning_input(TuneConfig(features=file, test=(test, wide)))


def test_features_without_labels_are_refused(tmp_path):
    f = make_features(0)
    file = saved(Features(f.query, f.gallery, f.query_pids), tmp_path / "half.npz")
    with pytest.raises(ValueError, match=r"half.npz: expected query_pid and gallery_pid"):
        tuning_input(TuneConfig(features=file))


def test_one_input_is_expected(own):
    for config in (TuneConfig(), TuneConfig(features=own, checkpoint="run")):
        with pytest.raises(ValueError, match="either --features FILE or --checkpoint RUN"):
            tuning_input(config)


def test_the_trials_of_a_dataset_are_its_test_set(own):
    config = TuneConfig(features=own, dataset=DatasetConfig(name="folder", root="data"))
    with pytest.raises(ValueError, match="the trials of a dataset are its test set"):
        tuning_input(config)


def test_a_network_needs_a_dataset_and_its_file():
    with pytest.raises(ValueError, match="expected a dataset with --checkpoint"):
        tuning_input(TuneConfig(checkpoint="run"))
    with pytest.raises(FileNotFoundError, match=r"no\.npz: no such file"):
        tuning_input(TuneConfig(features="no.npz"))
