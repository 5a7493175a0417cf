"""SYSU-MM01: official and baseline galleries, on a small tree and on the real protocol files."""

import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat

from simgraph.datasets import sysu_mm01
from simgraph.features import Features
from simgraph.trials import align
from tests.datasets.fake_datasets import touch, write, write_permutations

# (camera, identity) → images of test identities 3 and 12; 12 is the last of camera 3's list only.
COUNTS = {
    (1, 3): 4, (2, 3): 3, (3, 3): 2, (4, 3): 2, (6, 3): 1, (3, 12): 3, (5, 12): 12, (6, 12): 2,
}  # fmt: skip


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for (cam, pid), count in COUNTS.items():
        touch(tmp_path, *(f"cam{cam}/{pid:04d}/{i:04d}.jpg" for i in range(1, count + 1)))
    touch(tmp_path, "cam1/0003/._0001.jpg", "cam1/0003/Thumbs.db", "cam1/0077/0001.jpg")
    write(tmp_path / "exp" / "test_id.txt", "12,3\n")
    write_permutations(tmp_path / "exp", COUNTS)
    return tmp_path


def test_lists_both_sides_by_camera_identity_and_name(root: Path) -> None:
    test = sysu_mm01.load_test(root)
    expected = {
        side: [
            f"cam{c}/{p:04d}/{i:04d}.jpg"
            for c in cams
            for p in (3, 12)
            for i in range(1, COUNTS.get((c, p), 0) + 1)
        ]
        for side, cams in (("query", (3, 6)), ("gallery", (1, 2, 4, 5)))
    }
    assert list(test.query.paths) == expected["query"]
    assert list(test.gallery.paths) == expected["gallery"]
    assert test.query.cams.tolist() == [3] * 5 + [6] * 3
    assert test.query.pids.tolist() == [3, 3, 12, 12, 12, 3, 12, 12]
    assert (test.name, test.protocol, len(test.trials)) == ("sysu_mm01", "sysu_mm01", 10)
    assert all(t.query.tolist() == list(range(8)) for t in test.trials)


def oracle(exp: Path, ids: list[int], cams: tuple[int, ...], trial: int, shots: int) -> list[str]:
    """The paths of one official gallery, straight from the raw cells."""
    cells = loadmat(exp / "rand_perm_cam.mat")["rand_perm_cam"]
    paths = []
    for cam in cams:
        cell = cells[cam - 1, 0]
        for pid in ids:
            if pid > cell.shape[0] or cell[pid - 1, 0].shape[1] == 0:
                continue
            for number in cell[pid - 1, 0][trial, :shots]:
                paths.append(f"cam{cam}/{pid:04d}/{number:04d}.jpg")
    return paths


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize(("mode", "cams"), [("all", (1, 2, 4, 5)), ("indoor", (1, 2))])
@pytest.mark.parametrize("shots", [1, 3, 10])
def test_official_gallery(
    root: Path, mode: str, cams: tuple[int, ...], shots: int, images: bool
) -> None:
    test = sysu_mm01.load_test(root, mode, shots, images=images)  # type: ignore[arg-type]
    for trial, rows in enumerate(test.trials):
        got = list(test.gallery.select(rows.gallery).paths)
        assert got == oracle(root / "exp", [3, 12], cams, trial, shots)


@pytest.mark.parametrize(("mode", "cams"), [("all", (1, 2, 4, 5)), ("indoor", (1, 2))])
def test_agw_gallery_is_the_stream_of_random_seed(
    root: Path, mode: str, cams: tuple[int, ...]
) -> None:
    (root / "exp" / "rand_perm_cam.mat").unlink()  # the baseline does not need it
    test = sysu_mm01.load_test(
        root,
        mode,  # type: ignore[arg-type]
        protocol="sysu_mm01_agw",
        trials=4,
    )
    assert test.protocol == "sysu_mm01_agw" and len(test.trials) == 4
    for trial in range(4):
        random.seed(trial)
        expected = []
        for pid in (3, 12):
            for cam in cams:
                names = [f"{i:04d}.jpg" for i in range(1, COUNTS.get((cam, pid), 0) + 1)]
                if names:
                    expected.append(f"cam{cam}/{pid:04d}/{random.choice(names)}")
        rows = test.trials[trial].gallery
        assert list(test.gallery.select(rows).paths) == expected


def test_agw_multi_shot_draws_without_replacement(root: Path) -> None:
    test = sysu_mm01.load_test(root, shots=3, protocol="sysu_mm01_agw", images=False)
    for trial in test.trials:
        picked = test.gallery.select(trial.gallery)
        groups = list(zip(picked.pids.tolist(), picked.cams.tolist(), strict=True))
        sizes = {(p, c): min(3, n) for (c, p), n in COUNTS.items() if c in (1, 2, 4, 5)}
        assert {g: groups.count(g) for g in groups} == sizes
        assert len(set(picked.paths)) == len(picked)


def test_missing_permutations_say_where_to_get_them(root: Path) -> None:
    (root / "exp" / "rand_perm_cam.mat").unlink()
    with pytest.raises(FileNotFoundError, match=r"github\.com/wuancong/SYSU-MM01"):
        sysu_mm01.load_test(root)
    with pytest.raises(FileNotFoundError, match="not in the dataset's archive"):
        sysu_mm01.load_test(root, protocol="sysu_mm01_agw", images=False)


@pytest.mark.parametrize("folder", ["cam2/0003", "cam6/0012"])
def test_counts_on_disk_must_fit_the_permutations(root: Path, folder: str) -> None:
    touch(root, f"{folder}/0099.jpg")
    cam, pid = int(folder[3]), int(folder[5:])
    count = COUNTS[cam, pid]
    message = rf"camera {cam}, identity {pid}: .* holds {count + 1} images, .* orders {count}"
    with pytest.raises(ValueError, match=message):
        sysu_mm01.load_test(root)
    sysu_mm01.load_test(root, protocol="sysu_mm01_agw")


@pytest.mark.parametrize("images", [True, False])
@pytest.mark.parametrize("protocol", ["sysu_mm01", "sysu_mm01_agw"])
def test_indoor_asks_for_no_camera_that_its_protocol_never_uses(
    root: Path, protocol: str, images: bool
) -> None:
    whole = sysu_mm01.load_test(root, protocol=protocol, mode="indoor")  # type: ignore[arg-type]
    for cam in (4, 5):
        shutil.rmtree(root / f"cam{cam}", ignore_errors=True)
    found = sysu_mm01.load_test(root, "indoor", protocol=protocol, images=images)  # type: ignore[arg-type]
    assert set(found.gallery.cams.tolist()) == {1, 2} and set(found.query.cams.tolist()) == {3, 6}
    for one, two in zip(found.trials, whole.trials, strict=True):
        assert found.gallery.select(one.gallery).paths == whole.gallery.select(two.gallery).paths
    if images and protocol == "sysu_mm01":
        with pytest.raises(ValueError, match=r"camera [45], identity \d+: .* holds 0 images"):
            sysu_mm01.load_test(root, "all")


@pytest.mark.parametrize("cams", [(1, 2), (1, 2, 4, 5)])
def test_features_of_the_cameras_of_indoor_are_enough(root: Path, cams: tuple[int, ...]) -> None:
    test = sysu_mm01.load_test(root, "all")
    kept = np.flatnonzero(np.isin(test.gallery.cams, cams))
    gallery = test.gallery.select(kept)
    features = Features(
        np.arange(len(test.query))[:, None] + 0.5, kept[:, None] + 0.5, test.query.pids,
        gallery.pids, test.query.cams, gallery.cams,
    )  # fmt: skip
    indoor = sysu_mm01.load_test(root, "indoor")
    aligned = align(features, indoor, "file")
    rows = aligned.gallery.flatten().long().tolist()
    assert test.gallery.select(rows).paths == indoor.gallery.paths


def test_no_images_at_all(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    bare = tmp_path_factory.mktemp("bare")
    (root / "exp").rename(bare / "exp")
    with pytest.raises(FileNotFoundError, match=r"no image of cameras \(3, 6\) .* on request"):
        sysu_mm01.load_test(bare)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mode": "outdoor"}, "mode must be 'all' or 'indoor', got 'outdoor'"),
        ({"protocol": "regdb"}, "protocol must be .* got 'regdb'"),
        ({"shots": 0}, "must be at least 1, got 0 and 10"),
        ({"trials": 0}, "must be at least 1, got 1 and 0"),
        ({"trials": 11}, "trials must be at most 10 .* got 11"),
    ],
)
def test_bad_arguments(root: Path, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        sysu_mm01.load_test(root, **arguments)  # type: ignore[arg-type]


def test_train_is_train_and_val(root: Path) -> None:
    write(root / "exp" / "train_id.txt", "77")
    with pytest.raises(FileNotFoundError, match=r"val_id\.txt .* val=False"):
        sysu_mm01.load_train(root)
    write(root / "exp" / "val_id.txt", "12")
    visible, infrared = sysu_mm01.load_train(root)
    assert visible.paths[0] == "cam1/0077/0001.jpg" and visible.cams.tolist() == [1] + [5] * 12
    assert infrared.pids.tolist() == [12] * 5
    touch(root, "cam3/0077/0001.jpg")
    visible, infrared = sysu_mm01.load_train(root, val=False)
    assert (visible.paths, infrared.paths) == (("cam1/0077/0001.jpg",), ("cam3/0077/0001.jpg",))


def test_the_real_protocol_files(shared: Path) -> None:
    root = shared / "sysu_mm01"
    ids = sorted(loadmat(root / "exp" / "test_id.mat")["id"].ravel().tolist())
    sizes = {("all", 1): 301, ("all", 10): 3010, ("indoor", 1): 112, ("indoor", 10): 1120}
    for (mode, shots), size in sizes.items():
        test = sysu_mm01.load_test(root, mode, shots, images=False)  # type: ignore[arg-type]
        assert len(test.query) == 3803
        assert [len(t.gallery) for t in test.trials] == [size] * 10
        cams = (1, 2, 4, 5) if mode == "all" else (1, 2)
        for trial in (0, 9):
            picked = test.gallery.select(test.trials[trial].gallery)
            assert list(picked.paths) == oracle(root / "exp", ids, cams, trial, shots)
    agw = sysu_mm01.load_test(root, protocol="sysu_mm01_agw", images=False)
    assert [len(t.gallery) for t in agw.trials] == [301] * 10
