"""Official per-camera files of SYSU-MM01."""

import numpy as np
import pytest
import scipy.io
import torch

from simgraph.features import load_features
from tests.features.example_features import matrix


def cell_array(cells, shape=(1, -1)):
    array = np.empty(len(cells), dtype=object)
    array[:] = [np.zeros((0, 0)) if cell is None else cell for cell in cells]
    return array.reshape(shape)


def save_camera(folder, camera, cells, shape=(1, -1), **options):
    content = {"feature": cell_array(cells, shape)}
    scipy.io.savemat(folder / f"sysu_cam{camera}.mat", content, **options)


@pytest.mark.parametrize("shape", [(1, -1), (-1, 1)])
@pytest.mark.parametrize("compressed", [False, True])
def test_per_camera_files(tmp_path, shape, compressed):
    cells = {
        1: [matrix(2, seed=1), None, matrix(1, seed=2)],
        2: [None, matrix(1, seed=3), None],
        3: [matrix(1, seed=4), None, matrix(2, seed=5)],
        5: [matrix(1, seed=6), matrix(1, seed=7), None],
        6: [None, matrix(2, seed=8), None],
    }
    for camera, content in cells.items():
        save_camera(tmp_path, camera, content, shape, do_compression=compressed)
    features = load_features(tmp_path / "sysu")
    assert features.query_pids.tolist() == [1, 3, 3, 2, 2]
    assert features.query_cams.tolist() == [3, 3, 3, 6, 6]
    assert features.gallery_pids.tolist() == [1, 1, 3, 2, 1, 2]
    assert features.gallery_cams.tolist() == [1, 1, 1, 2, 5, 5]
    query = np.concatenate([matrix(1, seed=4), matrix(2, seed=5), matrix(2, seed=8)])
    assert np.array_equal(features.query.numpy(), query)
    gallery = [matrix(2, seed=1), *(matrix(1, seed=seed) for seed in (2, 3, 6, 7))]
    assert np.array_equal(features.gallery.numpy(), np.concatenate(gallery))


def test_a_prefix_may_hold_a_dot(tmp_path):
    for camera in (1, 3):
        save_camera(tmp_path, camera, [matrix(1)])
        (tmp_path / f"sysu_cam{camera}.mat").rename(tmp_path / f"net.v2_cam{camera}.mat")
    assert load_features(tmp_path / "net.v2").query_pids.tolist() == [1]


def test_doubles_that_matlab_stored_as_bytes(tmp_path):
    save_camera(tmp_path, 1, [np.ones((2, 4))])
    save_camera(tmp_path, 3, [np.ones((1, 4))])
    path = tmp_path / "sysu_cam3.mat"
    double = np.ones(4).tobytes()
    content = path.read_bytes()
    assert content.count(double) == 1
    # The element that MATLAB writes instead: miUINT8 (2), 4 bytes, in the small format; the
    # sizes of the cell and of the cell array shrink with it.
    at = content.index(double) - 8
    shrink = 8 + len(double) - 8
    small = (2 | 4 << 16).to_bytes(4, "little") + bytes([1, 1, 1, 1])
    whole = bytearray(content[:at] + small + content[at + 8 + len(double) :])
    for size_at in (128 + 4, whole.index((14).to_bytes(4, "little"), 136) + 4):
        size = int.from_bytes(whole[size_at : size_at + 4], "little")
        whole[size_at : size_at + 4] = (size - shrink).to_bytes(4, "little")
    path.write_bytes(whole)
    assert scipy.io.loadmat(path)["feature"][0, 0].dtype == np.uint8
    features = load_features(tmp_path / "sysu")
    assert features.query.tolist() == [[1.0] * 4]
    assert features.query.dtype == torch.float64


@pytest.mark.parametrize(
    ("there", "message"),
    [
        ((1, 2), r"no query camera: .*sysu_cam3\.mat, .*sysu_cam6\.mat"),
        ((3, 6), r"no gallery camera: .*sysu_cam1\.mat, .*sysu_cam5\.mat"),
    ],
)
def test_a_side_without_files(tmp_path, there, message):
    for camera in there:
        save_camera(tmp_path, camera, [matrix(1)])
    with pytest.raises(FileNotFoundError, match=message):
        load_features(tmp_path / "sysu")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        ([None, None], "no query features: every cell of 'feature' is empty"),
        ([None, np.ones((1, 4), np.uint8)], r"cam3\.mat: feature\{2\}: expected floating"),
        ([np.full((2, 4), np.nan)], r"cam3\.mat: feature\{1\}: .*row 0 "),
        ([matrix(1), matrix(1, 5)], r"cam3\.mat: feature\{2\}: expected.* length 4 .*got 5"),
        ([matrix(1, 5)], r"sysu: .*same number of feature dimensions"),
        (["name"], r"cam3\.mat: feature\{1\}: expected an array of real numbers"),
        ([np.ones((1, 2, 2))], r"cam3\.mat: feature\{1\}: .*2 dimensions"),
    ],
)
def test_bad_cells_name_file_and_cell(tmp_path, cells, message):
    save_camera(tmp_path, 1, [matrix(1)])
    save_camera(tmp_path, 3, cells)
    with pytest.raises(ValueError, match=message):
        load_features(tmp_path / "sysu")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            {"feat": np.ones(2)},
            r"cam3\.mat: missing key 'feature'; keys that are there: \['feat'\]",
        ),
        ({"feature": np.ones((2, 4))}, r"cam3\.mat: feature: expected a 1xN cell array.*float64"),
        ({"feature": cell_array([matrix(1)] * 4, (2, 2))}, r"expected a 1xN cell array.*\[2, 2\]"),
    ],
)
def test_bad_camera_files(tmp_path, content, message):
    save_camera(tmp_path, 1, [matrix(1)])
    scipy.io.savemat(tmp_path / "sysu_cam3.mat", content)
    with pytest.raises(ValueError, match=message):
        load_features(tmp_path / "sysu")


def test_one_camera_file_instead_of_the_prefix(tmp_path):
    save_camera(tmp_path, 3, [matrix(1)])
    with pytest.raises(ValueError, match="give the prefix PREFIX"):
        load_features(tmp_path / "sysu_cam3.mat")


def test_matlab_7_3_is_answered_with_what_to_do(tmp_path):
    header = b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM"
    (tmp_path / "sysu_cam3.mat").write_bytes(header.ljust(512, b"\0") + b"\x89HDF\r\n\x1a\n")
    with pytest.raises(ValueError, match=r"cam3\.mat: MATLAB v7\.3 .*save\(\.\.\., '-v7'\)"):
        load_features(tmp_path / "sysu")


@pytest.mark.parametrize("length", [0, 60, 130, 200])
def test_a_truncated_camera_file(tmp_path, length):
    save_camera(tmp_path, 3, [matrix(9)])
    path = tmp_path / "sysu_cam3.mat"
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"cam3\.mat: damaged or not"):
        load_features(tmp_path / "sysu")
