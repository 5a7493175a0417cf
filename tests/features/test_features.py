"""Features: what is accepted, what comes back from files, and how bad input is answered."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from simgraph.features import Features, load_features, save_features
from tests.features.example_features import FIELDS, assert_same, example, keyed, matrix

# In memory


def test_numpy_and_torch_are_shared_not_copied_and_not_changed():
    values = example()
    before = {name: value.copy() for name, value in values.items()}
    features = Features(**values)
    for name, value in values.items():
        assert getattr(features, name).data_ptr() == value.ctypes.data
        assert np.array_equal(value, before[name])
    again = Features(**{name: getattr(features, name) for name in FIELDS})
    assert all(getattr(again, name) is getattr(features, name) for name in FIELDS)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened(dtype):
    features = Features(torch.ones(2, 3, dtype=dtype), torch.ones(4, 3, dtype=dtype))
    assert features.query.dtype == features.gallery.dtype == torch.float32


@pytest.mark.parametrize(
    ("query_dtype", "gallery_dtype", "expected"),
    [
        (np.float16, np.float16, torch.float32),
        (np.float32, np.float32, torch.float32),
        (np.float64, np.float64, torch.float64),
        (np.float32, np.float64, torch.float64),
        (np.longdouble, np.float64, torch.float64),
        (">f4", "<f4", torch.float32),
    ],
)
def test_types_of_features(query_dtype, gallery_dtype, expected):
    query, gallery = matrix(3).astype(query_dtype), matrix(5).astype(gallery_dtype)
    features = Features(query, gallery)
    assert features.query.dtype == features.gallery.dtype == expected
    assert np.array_equal(features.query.numpy(), query)


@pytest.mark.parametrize(
    "view",
    [lambda a: a[::-1], lambda a: a[:, ::2], lambda a: np.broadcast_to(a[:1], a.shape)],
    ids=["reversed", "strided", "read-only"],
)
def test_any_numpy_view_is_accepted(view):
    array = view(matrix(6))
    assert np.array_equal(Features(array, array).query.numpy(), array)


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.int64, ">i4"])
def test_labels_become_int64(dtype):
    features = Features(**example(query_pids=np.array([5, 6, 7], dtype=dtype)))
    assert features.query_pids.dtype == torch.int64
    assert features.query_pids.tolist() == [5, 6, 7]


def test_repr_tells_sizes_and_labels():
    text = repr(Features(**example(query_cams=None, gallery_cams=None)))
    assert text == (
        "Features(query=[3, 4], gallery=[5, 4], torch.float32, "
        "labels=['query_pids', 'gallery_pids'])"
    )


BAD_FIELDS = [
    ("query", np.zeros(4, np.float32), "query: .*2 dimensions"),
    ("query", np.zeros((3, 4), np.int64), "query: expected floating-point.*convert"),
    ("query", np.zeros((0, 4), np.float32), "query: expected at least one row"),
    ("gallery", np.zeros((5, 0), np.float32), "gallery: expected at least one row"),
    ("gallery", np.zeros((5, 6), np.float32), r"same number of feature.*\(3, 4\).*\(5, 6\)"),
    ("gallery", np.array([["a"]]), "gallery: expected an array of real numbers, got dtype <U1"),
    ("gallery", np.array([[None]]), "gallery: expected an array of real numbers, got dtype object"),
    ("query", np.zeros((3, 4), np.complex64), "query: expected an array of real numbers"),
    ("query_pids", np.array([1, 2]), r"query_pids: expected 3 integers.*got shape \[2\]"),
    ("query_pids", np.array([[1], [2], [3]]), r"query_pids: expected 3 integers.*\[3, 1\]"),
    ("gallery_pids", np.arange(5.0), "gallery_pids: expected 5 integers.*float64"),
    ("gallery_cams", np.ones(5, bool), "gallery_cams: expected 5 integers.*bool"),
    ("query_cams", np.array(["a", "b", "c"]), "query_cams: expected integers, got str"),
    (
        "query_cams",
        torch.ones(3, dtype=torch.complex64),
        "query_cams: expected real .*complex",
    ),
]


@pytest.mark.parametrize(("field", "value", "message"), BAD_FIELDS)
def test_bad_fields(field, value, message):
    with pytest.raises(ValueError, match=message):
        Features(**example(**{field: value}))


@pytest.mark.parametrize("side", ["query", "gallery"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_features_that_are_not_finite(side, value):
    values = example()
    values[side][1:3, 2] = value
    total = len(values[side])
    with pytest.raises(ValueError, match=rf"{side}: .*row 1 .*2 of {total} rows"):
        Features(**values)


# Trials


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_select_takes_the_rows_of_a_trial_in_order(kind):
    features = Features(**example())
    trial = features.select(kind([2, 0]), kind([4, 4, 1]))
    assert torch.equal(trial.query, features.query[[2, 0]])
    assert torch.equal(trial.gallery, features.gallery[[4, 4, 1]])
    assert trial.query_pids.tolist() == [3, 1]
    assert trial.gallery_pids.tolist() == [4, 4, 1]
    assert trial.query_cams.tolist() == [6, 3]
    assert trial.gallery_cams.tolist() == [1, 1, 2]


def test_select_without_labels():
    trial = Features(matrix(3), matrix(5)).select([0], [1])
    assert trial.query_pids is trial.gallery_cams is None


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([], "expected at least one row"),
        ([0, 3], r"expected rows in \[0, 3\), got 3 at place 1"),
        ([-1], r"expected rows in \[0, 3\), got -1 at place 0"),
        ([0.0], "integers.*float64"),
        ([True, False, True], "integers.*bool"),
        ([[0]], "integers in one dimension"),
    ],
)
def test_select_bad_index(index, message):
    with pytest.raises(ValueError, match=f"query_index: .*{message}"):
        Features(**example()).select(np.array(index, None if index else int), [0])


# Files


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".NPZ"])
@pytest.mark.parametrize("missing", [(), ("query_cams", "gallery_cams"), FIELDS[2:]])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_round_trip(tmp_path, suffix, missing, dtype):
    changes = {"query": matrix(3).astype(dtype), "gallery": matrix(5).astype(dtype)}
    features = Features(**example(**changes, **dict.fromkeys(missing)))
    path = tmp_path / f"features{suffix}"
    save_features(features, path)
    assert_same(load_features(path), features)
    assert_same(load_features(str(path)), features)
    assert list(tmp_path.iterdir()) == [path]


def test_save_replaces_and_takes_views_of_one_memory(tmp_path):
    path = tmp_path / "features.safetensors"
    path.write_text("old")
    square = torch.from_numpy(matrix(4))
    save_features(Features(square, square.T), path)
    assert torch.equal(load_features(path).gallery, square.T)


def test_a_failed_save_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "features.npz"
    save_features(Features(**example()), path)
    before = path.read_bytes()

    def fail(handle, **_):
        handle.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        save_features(Features(matrix(2), matrix(2)), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["features", "features.npy", "features.pt", "features.mat"])
def test_save_under_an_unknown_suffix(tmp_path, name):
    with pytest.raises(ValueError, match=r"saved as \.npz or \.safetensors"):
        save_features(Features(**example()), tmp_path / name)


def test_safetensors_in_bfloat16(tmp_path):
    path = tmp_path / "half.safetensors"
    half = torch.ones(2, 3, dtype=torch.bfloat16)
    save_file({"query_feat": half, "gallery_feat": 2 * half}, path)
    assert load_features(path).gallery.tolist() == [[2.0] * 3] * 2


def test_real_features(shared: Path):
    features = load_features(shared / "features" / "pku_sketch_alt.npz")
    assert (list(features.query.shape), list(features.gallery.shape)) == ([50, 512], [100, 512])
    assert len(features.query_pids.unique()) == 50


SAVED_BAD_FIELDS = [
    bad for bad in BAD_FIELDS if isinstance(bad[1], np.ndarray) and bad[1].dtype != object
]


@pytest.mark.parametrize(("field", "value", "message"), SAVED_BAD_FIELDS)
def test_bad_fields_of_a_file_name_the_file(tmp_path, field, value, message):
    path = tmp_path / "bad.npz"
    np.savez(path, **keyed(example(**{field: value})))
    message = message.replace("query:", "query_feat:").replace("gallery:", "gallery_feat:")
    message = message.replace("_pids:", "_pid:").replace("_cams:", "_cam:")  # the file's keys
    with pytest.raises(ValueError, match=f"bad.npz: .*{message}"):
        load_features(path)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_rows_that_are_not_finite_name_file_key_and_row(tmp_path, suffix):
    values = example()
    path = tmp_path / f"bad{suffix}"
    save_features(Features(**values), path)
    values["gallery"][3, 0] = np.nan
    arrays = keyed(values)
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file({key: torch.from_numpy(value) for key, value in arrays.items()}, path)
    with pytest.raises(ValueError, match=rf"bad{suffix}: gallery_feat: .*row 3 "):
        load_features(path)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_missing_keys_are_answered_with_those_there(tmp_path, suffix):
    path = tmp_path / f"other{suffix}"
    arrays = {"query_feat": matrix(3), "labels": np.arange(3)}
    if suffix == ".npz":
        np.savez(path, **arrays)
    else:
        save_file({key: torch.from_numpy(value) for key, value in arrays.items()}, path)
    with pytest.raises(ValueError, match=rf"other{suffix}: missing key gallery_feat; .*'labels'"):
        load_features(path)


@pytest.mark.parametrize("name", ["none.npz", "none.safetensors", "none", "none.csv"])
def test_a_missing_file(tmp_path, name):
    with pytest.raises(FileNotFoundError, match=name):
        load_features(tmp_path / name)


def test_a_missing_prefix_names_the_files_looked_for(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"sysu_cam1\.mat, .*sysu_cam6\.mat.*supported"):
        load_features(tmp_path / "sysu")


@pytest.mark.parametrize("name", ["table.csv", "one.npy", "features"])
def test_an_unknown_form(tmp_path, name):
    (tmp_path / name).write_text("1,2,3")
    with pytest.raises(ValueError, match=rf"{name}: .*supported: \.npz, \.safetensors"):
        load_features(tmp_path / name)


def test_a_folder(tmp_path):
    (tmp_path / "x.npz").mkdir()
    with pytest.raises(ValueError, match=r"x\.npz: expected a file, got a folder"):
        load_features(tmp_path / "x.npz")


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize("share", [0, 0.02, 0.5, 0.99])
def test_a_truncated_file(tmp_path, suffix, share):
    path = tmp_path / f"cut{suffix}"
    save_features(Features(**example()), path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=f"cut{suffix}: damaged or not"):
        load_features(path)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_file_of_something_else(tmp_path, suffix):
    path = tmp_path / f"text{suffix}"
    path.write_text("query_feat, gallery_feat\n" * 20)
    with pytest.raises(ValueError, match=f"text{suffix}: damaged or not"):
        load_features(path)
