"""RegDB: lists of `path label`."""

from pathlib import Path

import pytest

from simgraph.datasets import regdb
from tests.datasets.fake_datasets import touch, write


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for split in ("train", "test"):
        write(
            tmp_path / "idx" / f"{split}_visible_3.txt",
            "Visible/8/a b.bmp 0\nVisible/9/c.bmp 1\r\n\n",
        )
        write(
            tmp_path / "idx" / f"{split}_thermal_3.txt",
            "Thermal/9/t.bmp 1\nThermal/8/t.bmp 0\nThermal/8/u.bmp 0\n",
        )
    touch(tmp_path, "Visible/8/a b.bmp", "Visible/9/c.bmp")
    touch(tmp_path, "Thermal/9/t.bmp", "Thermal/8/t.bmp", "Thermal/8/u.bmp")
    return tmp_path


def test_one_trial_of_everything_both_ways(root: Path) -> None:
    test = regdb.load_test(root, 3)
    assert test.query.paths == ("Visible/8/a b.bmp", "Visible/9/c.bmp")
    assert test.query.pids.tolist() == [0, 1] and test.query.cams.tolist() == [1, 1]
    assert test.gallery.pids.tolist() == [1, 0, 0] and test.gallery.cams.tolist() == [2, 2, 2]
    assert (test.name, test.protocol, len(test.trials)) == ("regdb", "regdb", 1)
    assert test.trials[0].query.tolist() == [0, 1]
    assert test.trials[0].gallery.tolist() == [0, 1, 2]
    back = regdb.load_test(root, 3, "thermal_to_visible")
    assert (back.query.paths, back.gallery.paths) == (test.gallery.paths, test.query.paths)


def test_train(root: Path) -> None:
    visible, thermal = regdb.load_train(root, 3)
    assert (len(visible), len(thermal)) == (2, 3)
    assert thermal.paths[0] == "Thermal/9/t.bmp"


@pytest.mark.parametrize("line", ["Visible/8/a.bmp", "Visible/8/a.bmp x", "Visible/8/a.bmp -1"])
def test_bad_line_is_named(root: Path, line: str) -> None:
    write(root / "idx" / "test_visible_3.txt", f"Visible/9/c.bmp 1\n{line}\n")
    with pytest.raises(ValueError, match=r"test_visible_3\.txt, line 2: expected 'path label'"):
        regdb.load_test(root, 3)


def test_what_is_missing_is_named(root: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"test_visible_4\.txt: .*dongguk"):
        regdb.load_test(root, 4)
    (root / "Thermal" / "8" / "t.bmp").unlink()
    with pytest.raises(FileNotFoundError, match=r"line 2: expected the image .*t\.bmp"):
        regdb.load_test(root, 3)
    assert len(regdb.load_test(root, 3, images=False).gallery) == 3
    write(root / "idx" / "test_visible_3.txt", "\n")
    with pytest.raises(ValueError, match="got an empty list"):
        regdb.load_test(root, 3)


@pytest.mark.parametrize("trial", [0, 11])
def test_trial_out_of_range(root: Path, trial: int) -> None:
    with pytest.raises(ValueError, match=f"from 1 to 10, got {trial}"):
        regdb.load_test(root, trial)


def test_unknown_mode(root: Path) -> None:
    with pytest.raises(ValueError, match="mode must be"):
        regdb.load_test(root, 3, "visible_to_infrared")  # type: ignore[arg-type]


@pytest.mark.parametrize("trial", range(1, 11))
def test_the_published_splits(shared: Path, trial: int) -> None:
    test = regdb.load_test(shared / "regdb", trial, images=False)
    train = regdb.load_train(shared / "regdb", trial, images=False)
    for side in (test.query, test.gallery, *train):
        assert len(side) == 2060 and len(set(side.pids.tolist())) == 206
    assert not set(test.query.paths) & set(train[0].paths)
