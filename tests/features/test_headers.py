"""Shapes are read and judged before the data of a feature file."""

import json
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from simgraph.features import load_features
from simgraph.features.arrays import read_arrays
from simgraph.features.features import load_array
from simgraph.features.headers import read_shapes

ARRAYS = {
    "query_feat": np.ones((3, 4), "f4"), "gallery_feat": np.ones((5, 4), "f4"),
    "query_pid": np.arange(3), "gallery_pid": np.arange(5),
}  # fmt: skip


def write(path, arrays):
    if path.suffix == ".npz":
        np.savez_compressed(path, **arrays)
    else:
        save_file({key: torch.tensor(value) for key, value in arrays.items()}, path)
    return path


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_shapes_are_read_without_the_data(tmp_path, suffix):
    path = write(tmp_path / f"f{suffix}", ARRAYS)
    assert read_shapes(path) == {key: value.shape for key, value in ARRAYS.items()}


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gallery_feat": np.ones((5, 6), "f4")}, "same number of feature dimensions"),
        ({"query_feat": np.ones((3, 4, 1), "f4")}, "query_feat: expected 2 dimensions"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(tmp_path, suffix, change, message):
    with pytest.raises(ValueError, match=rf"f\{suffix}: .*{message}"):
        load_features(write(tmp_path / f"f{suffix}", ARRAYS | change))


def test_a_large_array_of_the_wrong_width_is_not_read(tmp_path):
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for key, value in ARRAYS.items():
            if key != "gallery_feat":
                with archive.open(f"{key}.npy", "w") as member:
                    np.lib.format.write_array(member, value)
        with archive.open("gallery_feat.npy", "w") as member:
            header = {"descr": "<f4", "fortran_order": False, "shape": (10_000, 5_000)}
            np.lib.format.write_array_header_1_0(member, header)
            for _ in range(50):
                member.write(bytes(4_000_000))
    tracemalloc.start()
    with pytest.raises(ValueError, match="same number of feature dimensions"):
        load_features(path)
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_only_the_matrix_is_read_where_no_key_says_which(tmp_path, monkeypatch):
    path = write(
        tmp_path / "f.npz",
        {"x": np.ones((3, 4), "f4"), "labels": np.arange(3), "t": np.array([["a"]])},
    )
    read = []
    monkeypatch.setattr(
        "simgraph.features.features.read_arrays",
        lambda path, wanted: (read.append(list(wanted)), read_arrays(path, wanted))[1],
    )
    assert load_array(path).shape == (3, 4)
    assert read[-1] == ["x"]


def npy_of(header, data):
    text = f"{header}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize("shape", [(2**40, 2**20), (3, 5), (3, 3), (-3, 4), (10**30, 1)])
def test_a_shape_that_is_not_that_of_the_data_is_refused(tmp_path, shape):
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    (tmp_path / "a.npy").write_bytes(npy_of(header, bytes(48)))
    with pytest.raises(ValueError, match=r"a\.npy: damaged.*its header says"):
        load_array(tmp_path / "a.npy")


@pytest.mark.parametrize("rest", [b"\0", npy_of({}, b""), 100 * b"x"], ids=["byte", "array", "x"])
def test_what_follows_an_array_is_not_left_out_in_silence(tmp_path, rest):
    np.save(tmp_path / "a.npy", ARRAYS["query_feat"])
    with (tmp_path / "a.npy").open("ab") as file:
        file.write(rest)
    with pytest.raises(ValueError, match=r"a\.npy: damaged.*bytes in all"):
        load_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for key in ("query_feat", "gallery_feat"):
            archive.writestr(f"{key}.npy", (tmp_path / "a.npy").read_bytes())
    with pytest.raises(ValueError, match=r"a\.npz: query_feat: damaged.*bytes in all"):
        load_features(tmp_path / "a.npz")


def test_a_key_that_stands_twice_in_safetensors_is_refused(tmp_path):
    path = write(tmp_path / "f.safetensors", ARRAYS)
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    text = content[8 : 8 + length].rstrip()
    pid = json.loads(text)["query_pid"]
    other = json.dumps({"query_pid": pid | {"dtype": "U64"}}).encode()
    text = other[:-1] + b"," + text[1:]
    path.write_bytes(len(text).to_bytes(8, "little") + text + content[8 + length :])
    with pytest.raises(ValueError, match=r"f\.safetensors: .*'query_pid' twice"):
        load_features(path)
