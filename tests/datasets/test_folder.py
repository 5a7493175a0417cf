"""Any two-modality set in the folder form."""

from pathlib import Path

import pytest

from simgraph.datasets import folder
from tests.datasets.fake_datasets import touch


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split in ("train", "test"):
        touch(tmp_path / split / "visible", "bob/c2_x.png", "bob/c10_a.JPG", "anna/c1_.bmp")
        touch(tmp_path / split / "infrared", "bob/c3_x.jpeg", "carl/c3_y_z.png", "bob/notes.txt")
    return tmp_path


def test_identities_are_numbered_over_both_modalities(root: Path) -> None:
    test = folder.load_test(root)
    assert folder.identities(root, "test") == ("anna", "bob", "carl")
    assert test.query.paths == ("test/infrared/bob/c3_x.jpeg", "test/infrared/carl/c3_y_z.png")
    assert test.query.pids.tolist() == [1, 2] and test.query.cams.tolist() == [3, 3]
    assert test.gallery.pids.tolist() == [0, 1, 1] and test.gallery.cams.tolist() == [1, 10, 2]
    assert (test.name, test.protocol) == ("folder", "plain")
    assert [t.gallery.tolist() for t in test.trials] == [[0, 1, 2]]


def test_mode_and_protocol(root: Path) -> None:
    test = folder.load_test(root, "visible_to_infrared", protocol="market")
    assert test.protocol == "market" and test.query.paths[0] == "test/visible/anna/c1_.bmp"
    with pytest.raises(ValueError, match="mode must be"):
        folder.load_test(root, "visible_to_thermal")  # type: ignore[arg-type]


def test_junk_images_of_market_keep_their_number(tmp_path: Path) -> None:
    touch(tmp_path / "test" / "visible", "-1/c1_x.png", "0000/c1_x.png", "0002/c1_x.png")
    touch(tmp_path / "test" / "infrared", "0002/c2_x.png")
    test = folder.load_test(tmp_path, protocol="market")
    assert test.gallery.pids.tolist() == [-1, 1, 2] and test.query.pids.tolist() == [2]


def test_train(root: Path) -> None:
    with pytest.raises(ValueError, match="2 have them in one only: anna, carl;"):
        folder.load_train(root)
    touch(root / "train", "infrared/anna/c3_x.png", "visible/carl/c1_y.png")
    visible, infrared = folder.load_train(root)
    assert visible.pids.tolist() == [0, 1, 1, 2] and infrared.pids.tolist() == [0, 1, 2]


@pytest.mark.parametrize("name", ["x.png", "c_x.png", "c1.png", "cam1_x.png"])
def test_a_name_without_camera(root: Path, name: str) -> None:
    touch(root, f"test/visible/bob/{name}")
    with pytest.raises(ValueError, match=f"bob/{name}: expected a name such as c1_{name}"):
        folder.load_test(root)


def test_nothing_in_common(tmp_path: Path) -> None:
    touch(tmp_path, "test/visible/anna/c1_a.png", "test/infrared/bob/c1_a.png")
    with pytest.raises(ValueError, match="none in common"):
        folder.load_test(tmp_path)


def test_missing_folders_and_images(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected the folder .*test/visible: lay images"):
        folder.load_test(tmp_path)
    touch(tmp_path, "test/visible/bob/c1_a.png", "test/infrared/bob/readme.txt")
    with pytest.raises(FileNotFoundError, match=r"no image in .*test/infrared"):
        folder.load_test(tmp_path)


def test_omniglot(shared: Path) -> None:
    root = shared / "omniglot"
    test = folder.load_test(root)
    for side in (test.query, test.gallery):
        assert [side.pids.tolist().count(i) for i in range(56)] == [10] * 56
        assert all((root / path).is_file() for path in side.paths)
    assert {len(set(side.pids.tolist())) for side in folder.load_train(root)} == {100}
