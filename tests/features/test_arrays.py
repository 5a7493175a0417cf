"""Named arrays from files: pickles are refused, and single matrices are found."""

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from simgraph.features import load_array, load_features
from tests.features.example_features import example, keyed, matrix


class Trap:
    """Unpickling it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def pickle_trap(path, trap):
    path.write_bytes(pickle.dumps({"query_feat": trap}))


def object_array_trap(path, trap):
    array = np.array([trap], dtype=object)
    if path.suffix == ".npz":
        np.savez(path, query_feat=array, gallery_feat=matrix(2), feat=array)
    else:
        np.save(path, array)


@pytest.mark.parametrize("load", [load_features, load_array])
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("trap.pkl", pickle_trap),
        ("trap.pickle", pickle_trap),
        ("trap.pt", lambda path, trap: torch.save({"query_feat": trap}, path)),
        ("trap.pth", pickle_trap),
        ("trap.npz", pickle_trap),
        ("trap.npz", object_array_trap),
        ("trap.npy", pickle_trap),
        ("trap.npy", object_array_trap),
    ],
)
def test_a_pickled_file_is_refused_without_running_its_code(tmp_path, name, write, load):
    path, sprung = tmp_path / name, tmp_path / "sprung"
    write(path, Trap(sprung))
    refusal = "pickled files are not read, because unpickling runs.*save plain arrays"
    if name == "trap.npy" and load is load_features:
        refusal = "not a supported form"
    with pytest.raises(ValueError, match=f"{name}.*{refusal}"):
        load(path)
    assert not sprung.exists()
    if write is pickle_trap:
        pickle.loads(path.read_bytes())  # noqa: S301 - to show that the trap works
        assert sprung.exists()


def test_object_arrays_that_are_not_asked_for_do_no_harm(tmp_path):
    path, sprung = tmp_path / "names.npz", tmp_path / "sprung"
    np.savez(path, **keyed(example()), names=np.array([Trap(sprung)], dtype=object))
    assert len(load_features(path).query) == 3
    assert not sprung.exists()


# One matrix


def test_load_array_reads_every_form(tmp_path):
    array = matrix(3)
    np.save(tmp_path / "a.npy", array)
    np.savez(tmp_path / "one.npz", anything=array)
    np.savez(tmp_path / "named.npz", feat=array, other=matrix(4), pid=np.arange(3))
    np.savez(tmp_path / "labelled.npz", x=array, pid=np.arange(3))
    save_file({"features": torch.from_numpy(array)}, tmp_path / "a.safetensors")
    for path in sorted(tmp_path.iterdir()):
        assert np.array_equal(load_array(path).numpy(), array), path


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": matrix(2), "y": matrix(2)}, r"exactly one 2-D array; .*\['x', 'y'\]"),
        ({"pid": np.arange(3)}, "exactly one 2-D array"),
        ({"feat": np.arange(3.0)}, "feat: expected 2 dimensions"),
        ({"x": np.ones((2, 3), int)}, "x: expected floating-point"),
        ({"x": np.array([[1.0], [np.inf]])}, "x: .*row 1 "),
    ],
)
def test_load_array_bad_content(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match=rf"bad\.npz: .*{message}"):
        load_array(tmp_path / "bad.npz")


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x76\x00{'descr'"])
def test_load_array_damaged(tmp_path, content):
    (tmp_path / "cut.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"cut\.npy: damaged or not"):
        load_array(tmp_path / "cut.npy")


def test_load_array_unknown_or_missing(tmp_path):
    with pytest.raises(ValueError, match=r"suffix '\.csv' is not supported; use \.npy"):
        load_array(tmp_path / "a.csv")
    for name in ("none.npy", "none.npz"):
        with pytest.raises(FileNotFoundError, match=name):
            load_array(tmp_path / name)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("key", ["query_feat", "gallery_pid", "not_read"])
@pytest.mark.parametrize("read", [load_features, load_array])
def test_a_key_that_stands_twice_is_refused(tmp_path, key, read):
    path = tmp_path / "twice.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name, value in [*keyed(example()).items(), (key, matrix(3, seed=9))]:
            content = io.BytesIO()
            np.save(content, value)
            if name == key == "not_read":
                archive.writestr("not_read.npy", content.getvalue())
            archive.writestr(f"{name}.npy", content.getvalue())
    with pytest.raises(ValueError, match=rf"twice\.npz: expected each key once, got '{key}' twice"):
        read(path)


@pytest.mark.parametrize("name", [".", "..", "/", "folder", "folder.npz", "folder.mat"])
@pytest.mark.parametrize("read", [load_features, load_array])
def test_a_folder_is_called_a_folder(tmp_path, monkeypatch, name, read):
    monkeypatch.chdir(tmp_path)
    if name.startswith("folder"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match="expected a file, got a folder"):
        read(name)
