"""Headers are read before data: what is too large or of a wrong form is refused at no cost."""

import io
import resource
import struct
import zipfile

import numpy as np
import pytest
from safetensors.numpy import save_file

from simgraph.features import load_array, load_features
from simgraph.features.arrays import read_headers
from simgraph.features.headers import Header, npy_header
from tests.features.example_features import matrix

DTYPES = ["f2", "f4", "f8", "i4", "i8", "u1", "?"]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_headers_are_those_of_the_arrays(tmp_path, suffix, dtype):
    arrays = {"a": np.zeros((3, 4), dtype), "b": np.zeros(0, dtype), "c": np.zeros((), dtype)}
    path = tmp_path / f"a{suffix}"
    if suffix == ".npz":
        np.savez_compressed(path, **arrays)
    else:
        save_file(arrays, path)
    headers = read_headers(path)
    assert {key: header.shape for key, header in headers.items()} == {
        key: array.shape for key, array in arrays.items()
    }
    assert {header.kind for header in headers.values()} == {np.dtype(dtype).kind}
    assert read_headers(path, ["a", "x"]).keys() == {"a"}


def zipped_zeros(path, shapes):
    """An .npz of zeros, written without holding any of them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for key, shape in shapes.items():
            with archive.open(f"{key}.npy", "w", force_zip64=True) as member:
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(member, header)
                for _ in range(shape[0]):
                    member.write(bytes(4 * shape[1]))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"query_feat": (100, 2**18), "gallery_feat": (100, 5)}, "same number of feature dim"),
        ({"gallery_feat": (100, 2**18)}, "missing key query_feat"),
    ],
)
def test_a_large_array_is_refused_before_it_takes_memory(tmp_path, shapes, message):
    zipped_zeros(tmp_path / "large.npz", shapes)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ValueError, match=rf"large\.npz.*{message}"):
        load_features(tmp_path / "large.npz")
    # 100 MiB if it were read.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 2**10


def npy_of(header, data):
    text = f"{header}\n".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + data


@pytest.mark.parametrize("shape", [(2**40, 2**20), (3, 5), (3, 3), (-3, 4), (10**30, 1)])
def test_a_shape_that_is_not_that_of_the_data_is_refused(tmp_path, shape):
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    (tmp_path / "a.npy").write_bytes(npy_of(header, matrix(3, 4).tobytes()))
    with pytest.raises(ValueError, match=r"a\.npy: damaged.*its header says"):
        load_array(tmp_path / "a.npy")


@pytest.mark.parametrize("rest", [b"\0", npy_of({}, b""), 100 * b"x"], ids=["byte", "array", "x"])
def test_what_follows_an_array_is_not_left_out_in_silence(tmp_path, rest):
    np.save(tmp_path / "a.npy", matrix(3))
    with (tmp_path / "a.npy").open("ab") as file:
        file.write(rest)
    with pytest.raises(ValueError, match=r"a\.npy: damaged.*bytes in all"):
        load_array(tmp_path / "a.npy")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        for key in ("query_feat", "gallery_feat"):
            archive.writestr(f"{key}.npy", (tmp_path / "a.npy").read_bytes())
    with pytest.raises(ValueError, match=r"a\.npz: query_feat: damaged.*bytes in all"):
        load_features(tmp_path / "a.npz")


def test_only_the_one_matrix_of_a_file_is_read(tmp_path):
    zipped_zeros(tmp_path / "a.npz", {"x": (100, 2**18)})
    with zipfile.ZipFile(tmp_path / "a.npz", "a") as archive:
        content = io.BytesIO()
        np.save(content, np.arange(5))
        archive.writestr("labels.npy", content.getvalue())
    assert load_array(tmp_path / "a.npz").shape == (100, 2**18)


def test_a_header_tells_shape_and_type():
    content = io.BytesIO()
    np.save(content, matrix(3, 4))
    size = content.tell()
    content.seek(0)
    assert npy_header(content, size) == Header((3, 4), "float32", "f")
    assert np.frombuffer(content.read(), "f4").size == 12
