"""pytorch_result.mat: read as it is, scored, and refused with a reason."""

import pickle
import re

import numpy as np
import pytest
import torch
from scipy.io import savemat

from simgraph.config import Config, DatasetConfig
from simgraph.features import Features, load_features
from simgraph.pipeline import run_test
from tests.features.example_features import assert_same, example, keyed, matrix

NAMES = {"query_feat": "query_f", "gallery_feat": "gallery_f"}


def market(**changes):
    """As `test.py` of the baseline saves it: labels as rows of integers, with multi-query keys."""
    arrays = {
        NAMES.get(key, key.replace("_pid", "_label")): value
        for key, value in keyed(example()).items()
    }
    return arrays | {"mquery_f": matrix(2), "mquery_label": [[9]], "mquery_cam": [[1]]} | changes


@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint8])
@pytest.mark.parametrize("is_column", [False, True])
def test_the_file_of_a_baseline_is_read(tmp_path, dtype, is_column):
    arrays = market()
    for key in [k for k in arrays if k.endswith(("label", "cam"))]:
        labels = np.asarray(arrays[key]).astype(dtype)
        arrays[key] = labels.reshape(-1, 1) if is_column else labels
    savemat(tmp_path / "pytorch_result.mat", arrays)
    assert_same(load_features(tmp_path / "pytorch_result.mat"), Features(**example()))


def test_it_is_scored_with_junk_removed(tmp_path):
    pids = np.array([-1, 1, 2, 3, 0])
    savemat(tmp_path / "r.MAT", market(gallery_label=pids), appendmat=False)
    dataset = DatasetConfig(protocol="market")
    config = Config(features=str(tmp_path / "r.MAT"), methods=("baseline",), dataset=dataset)
    assert run_test(config)["scored"] == 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query_label": [[1, 2]]}, r"r\.mat: query_pid: expected 3 integers"),
        ({"query_label": [[1.5, 2, 3]]}, "query_label: expected whole numbers, got 1.5"),
        ({"query_label": [[np.nan, 2, 3]]}, "query_label: expected whole numbers, got nan"),
        ({"query_label": np.ones((3, 3))}, "query_label: expected a vector of labels"),
        ({"query_f": matrix(3) + 1j}, r"r\.mat: expected real numbers, got complex"),
        ({"gallery_f": matrix(5, 7)}, "expected the same number of feature dimensions"),
    ],
)
def test_bad_files(tmp_path, changes, message):
    savemat(tmp_path / "r.mat", market(**changes))
    with pytest.raises(ValueError, match=message):
        load_features(tmp_path / "r.mat")


def test_another_mat_file_names_its_keys(tmp_path):
    savemat(tmp_path / "r.mat", {"query_f": matrix(3), "feature": 1})
    with pytest.raises(ValueError, match=r"missing key gallery_f; .*'feature'.*PREFIX_cam1"):
        load_features(tmp_path / "r.mat")


@pytest.mark.parametrize("suffix", [".pkl", ".pickle", ".pth", ".pt"])
def test_the_lines_that_the_error_shows_convert_the_file(tmp_path, suffix):
    path, content = tmp_path / f"f{suffix}", keyed(example())
    if suffix in (".pth", ".pt"):
        torch.save({key: torch.from_numpy(value) for key, value in content.items()}, path)
    else:
        path.write_bytes(pickle.dumps(content))
    with pytest.raises(ValueError, match="pickled files are not read") as caught:
        load_features(path)
    lines = re.findall(r"^    (.*)$", str(caught.value), re.MULTILINE)
    assert len(lines) == 3
    exec("\n".join(lines))
    assert_same(load_features(tmp_path / "f.npz"), Features(**example()))
