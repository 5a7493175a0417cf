"""The files in `exp/`: identities and official permutations, good and bad."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from simgraph.datasets import sysu_mm01
from tests.datasets.fake_datasets import write


def test_ids_prefer_text_and_fall_back_to_mat(tmp_path: Path) -> None:
    savemat(tmp_path / "test_id.mat", {"id": np.array([[9, 4]], dtype=np.uint16)})
    assert sysu_mm01.read_ids(tmp_path, "test") == (4, 9)
    write(tmp_path / "test_id.txt", "30,20")
    assert sysu_mm01.read_ids(tmp_path, "test") == (20, 30)
    with pytest.raises(FileNotFoundError, match=r"train_id\.txt or train_id\.mat"):
        sysu_mm01.read_ids(tmp_path, "train")
    with pytest.raises(ValueError, match="split must be"):
        sysu_mm01.read_ids(tmp_path, "tset")  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "1,x", "1,-2", "3,3"])
def test_bad_id_lists(tmp_path: Path, text: str) -> None:
    write(tmp_path / "test_id.txt", text)
    with pytest.raises(ValueError, match=r"test_id\.txt: expected"):
        sysu_mm01.read_ids(tmp_path, "test")


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"ids": np.array([1])}, "expected the variable 'id'"),
        ({"id": np.array([1.5])}, "distinct whole numbers"),
        ({"id": np.array([2, 2])}, "distinct whole numbers"),
        ({"id": "abc"}, "distinct whole numbers"),
    ],
)
def test_bad_id_mats(tmp_path: Path, variables: dict[str, object], message: str) -> None:
    savemat(tmp_path / "test_id.mat", variables)
    with pytest.raises(ValueError, match=message):
        sysu_mm01.read_ids(tmp_path, "test")


def permutations_of(first: object) -> np.ndarray:
    """Six cameras of one identity, the first camera's matrix given."""
    cells = np.empty((6, 1), dtype=object)
    for cam in range(6):
        cells[cam, 0] = cell = np.empty((1, 1), dtype=object)
        cell[0, 0] = np.tile([[2, 1]], (10, 1)) if cam else first
    return cells


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (np.ones((6, 1)), "must be 6 cells"),
        (permutations_of(np.ones((10, 2)))[:5], "must be 6 cells"),
        (permutations_of(np.ones((10, 2))), "camera 1, identity 1: each row must permute 1..2"),
        (permutations_of(np.tile([0, 1], (10, 1))), "each row must permute 1..2"),
        (permutations_of(np.array([[1, 2]])), r"number of trials, got \[1, 10\]"),
        (permutations_of("ab"), r"expected a matrix \[trials, images\]"),
    ],
)
def test_bad_permutations(tmp_path: Path, cells: np.ndarray, message: str) -> None:
    savemat(tmp_path / "rand_perm_cam.mat", {"rand_perm_cam": cells})
    with pytest.raises(ValueError, match=message):
        sysu_mm01.read_permutations(tmp_path)


def test_a_file_that_is_no_mat(tmp_path: Path) -> None:
    write(tmp_path / "rand_perm_cam.mat", "<html>not found</html>" * 40)
    with pytest.raises(ValueError, match="expected a MATLAB file"):
        sysu_mm01.read_permutations(tmp_path)
