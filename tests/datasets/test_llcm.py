"""LLCM: one random image per identity and camera."""

import random
from pathlib import Path

import pytest

from simgraph.datasets import llcm
from tests.datasets.fake_datasets import touch, write

VISIBLE = {(2, 1): 5, (2, 9): 4, (31, 1): 3, (31, 2): 6}  # (identity, camera) → images


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path / "idx" / "test_id.txt", "31,2\n")
    for (pid, cam), count in VISIBLE.items():
        touch(tmp_path, *(f"test_vis/cam{cam}/{pid:04d}/v{i}.jpg" for i in range(count)))
    touch(tmp_path, "test_nir/cam4/0031/n.jpg", "test_nir/cam1/0031/n.jpg")
    touch(tmp_path, "test_nir/cam2/0002/n.jpg", "test_nir/cam2/0500/n.jpg")
    return tmp_path


def test_gallery_is_the_stream_of_random_seed(root: Path) -> None:
    test = llcm.load_test(root, trials=5)
    assert test.query.paths == (
        "test_nir/cam2/0002/n.jpg", "test_nir/cam1/0031/n.jpg", "test_nir/cam4/0031/n.jpg",
    )  # fmt: skip
    assert test.query.cams.tolist() == [2, 1, 4] and test.query.pids.tolist() == [2, 31, 31]
    assert len(test.gallery) == 18 and (test.name, test.protocol) == ("llcm", "llcm")
    assert len(test.trials) == 5
    for seed, trial in enumerate(test.trials):
        random.seed(seed)
        expected = [
            f"test_vis/cam{cam}/{pid:04d}/{random.choice([f'v{i}.jpg' for i in range(count)])}"
            for (pid, cam), count in VISIBLE.items()
        ]
        assert list(test.gallery.select(trial.gallery).paths) == expected
        assert trial.query.tolist() == [0, 1, 2]


def test_the_other_direction(root: Path) -> None:
    test = llcm.load_test(root, "visible_to_infrared", trials=1)
    assert len(test.query) == 18 and len(test.trials[0].gallery) == 3


def test_the_authors_reading_draws_queries_and_keeps_the_whole_gallery(root: Path) -> None:
    touch(root, *(f"test_nir/cam4/0031/m{i}.jpg" for i in range(5)))
    test = llcm.load_test(root, "visible_to_infrared_authors", trials=4)
    assert test.query_infrared and len(test.query) == 8 and len(test.gallery) == 18
    groups = [
        ["test_nir/cam2/0002/n.jpg"],
        ["test_nir/cam1/0031/n.jpg"],
        sorted(f"test_nir/cam4/0031/{n}.jpg" for n in ("n", "m0", "m1", "m2", "m3", "m4")),
    ]
    for seed, trial in enumerate(test.trials):
        random.seed(seed)
        assert list(test.query.select(trial.query).paths) == [random.choice(g) for g in groups]
        assert trial.gallery.tolist() == list(range(18))
    other = llcm.load_test(root, "visible_to_infrared", trials=4)
    for one, two in zip(test.trials, other.trials, strict=True):
        drawn = other.gallery.select(two.gallery).paths
        assert test.query.select(one.query).paths == drawn  # the same draw, the sides swapped


def test_train_reads_the_camera_from_folder_or_name(root: Path) -> None:
    write(root / "idx" / "train_vis.txt", "vis/0351/0351_c06_s200656_f4830_vis.jpg 4\n")
    write(root / "idx" / "train_nir.txt", "nir/cam3/0351/x.jpg 4\nnir/cam12/0007/x.jpg 0\n")
    visible, infrared = llcm.load_train(root, images=False)
    assert visible.cams.tolist() == [6] and visible.pids.tolist() == [4]
    assert infrared.cams.tolist() == [3, 12] and infrared.pids.tolist() == [4, 0]
    with pytest.raises(FileNotFoundError, match=r"train_vis\.txt, line 1: expected the image"):
        llcm.load_train(root)
    write(root / "idx" / "train_nir.txt", "nir/0351/x.jpg 4\n")
    with pytest.raises(ValueError, match=r"got 'nir/0351/x\.jpg'"):
        llcm.load_train(root, images=False)


def test_errors(root: Path) -> None:
    with pytest.raises(ValueError, match="mode must be"):
        llcm.load_test(root, "thermal_to_visible")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="trials must be at least 1, got 0"):
        llcm.load_test(root, trials=0)
    write(root / "idx" / "test_id.txt", "7")
    with pytest.raises(FileNotFoundError, match=r"test_nir/cam1/0007/\*\.jpg, found none"):
        llcm.load_test(root)
    (root / "idx" / "test_id.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"test_id\.txt: .*github\.com/ZYK100/LLCM"):
        llcm.load_test(root)
