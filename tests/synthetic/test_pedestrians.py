"""Synthetic pedestrians: real loaders read them, the same seed draws the same bytes."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simgraph.datasets import regdb, sysu_mm01
from simgraph.datasets.images import check_images
from simgraph.synthetic import pedestrians
from simgraph.synthetic.pedestrians.cameras import REGDB, SYSU_MM01
from simgraph.synthetic.pedestrians.looks import draw_looks
from simgraph.synthetic.pedestrians.render import render

SMALL = {"train_ids": 4, "test_ids": 4, "images_per_camera": 3, "size": (64, 32)}


@pytest.fixture(scope="module")
def sysu(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sysu") / "set"
    return pedestrians.draw_sysu_mm01(root, workers=1, **SMALL)


@pytest.fixture(scope="module")
def reg(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("regdb") / "set"
    return pedestrians.draw_regdb(root, ids=6, images=2, size=(64, 32), workers=1)


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_the_sysu_loaders_read_all_trials(sysu: Path) -> None:
    visible, infrared = sysu_mm01.load_train(sysu)
    assert (len(visible), len(infrared)) == (4 * 4 * 3, 4 * 2 * 3)
    assert len(sysu_mm01.read_ids(sysu / "exp", "val")) == 1
    for mode, cams in (("all", 4), ("indoor", 2)):
        for shots in (1, 2):
            test = sysu_mm01.load_test(sysu, mode, shots)  # type: ignore[arg-type]
            assert len(test.query) == 4 * 2 * 3
            assert [len(t.gallery) for t in test.trials] == [4 * cams * shots] * 10
    galleries = {tuple(t.gallery.tolist()) for t in sysu_mm01.load_test(sysu).trials}
    assert len(galleries) > 1
    assert set(visible.pids.tolist()).isdisjoint(test.query.pids.tolist())
    for samples in (visible, infrared, test.query, test.gallery):
        assert not check_images(samples, sysu)
    assert sysu_mm01.load_test(sysu, images=False).query.paths == test.query.paths


def test_the_regdb_loaders_read_all_splits(reg: Path) -> None:
    for trial in range(1, 11):
        visible, thermal = regdb.load_train(reg, trial)
        test = regdb.load_test(reg, trial)
        assert len(visible) == len(thermal) == len(test.query) == len(test.gallery) == 6
        assert set(test.query.pids.tolist()) == set(test.gallery.pids.tolist()) == {0, 1, 2}
        people = [{p.split("/")[1] for p in s.paths} for s in (visible, thermal, test.query)]
        assert people[0] == people[1] and people[0].isdisjoint(people[2])
        for side in (visible, thermal, test.query, test.gallery):
            assert not check_images(side, reg)


def test_infrared_images_are_gray_and_visible_ones_are_not(sysu: Path, reg: Path) -> None:
    for root, sides in ((sysu, sysu_mm01.load_train(sysu)), (reg, regdb.load_train(reg))):
        for samples, gray in zip(sides, (False, True), strict=True):
            for path in samples.paths:
                with Image.open(root / path) as image:
                    pixels = np.asarray(image.convert("RGB"), dtype=int)
                assert pixels.shape == (64, 32, 3)
                assert (np.ptp(pixels, axis=2).max() <= 2) == gray


def test_the_note_says_synthetic(sysu: Path, reg: Path) -> None:
    for root in (sysu, reg):
        assert "Synthetic" in (root / "SYNTHETIC.txt").read_text()
    assert sorted(p.name for p in sysu.iterdir()) == [
        "SYNTHETIC.txt", *(f"cam{n}" for n in range(1, 7)), "exp",
    ]  # fmt: skip


def test_the_same_seed_draws_the_same_bytes_with_any_number_of_workers(
    sysu: Path, tmp_path: Path
) -> None:
    seen: list[int] = []
    again = pedestrians.draw_sysu_mm01(
        tmp_path / "again",
        workers=2,
        track=lambda ids, total, words: (seen.append(i) or i for i in ids),
        **SMALL,
    )
    assert contents(again) == contents(sysu) and len(seen) == 8
    other = pedestrians.draw_sysu_mm01(tmp_path / "other", seed=1, workers=1, **SMALL)
    assert contents(other)["exp/test_id.txt"] != contents(sysu)["exp/test_id.txt"]


def test_an_image_depends_on_nothing_drawn_before(sysu: Path) -> None:
    alone = render(3, 9, SYSU_MM01[4], 2, (64, 32))
    for pid in range(1, 4):
        render(3, pid, SYSU_MM01[4], 1, (64, 32))
    assert render(3, 9, SYSU_MM01[4], 2, (64, 32)).tobytes() == alone.tobytes()
    assert render(4, 9, SYSU_MM01[4], 2, (64, 32)).tobytes() != alone.tobytes()


def test_infrared_reflectance_says_nothing_about_color() -> None:
    looks = [draw_looks(0, pid) for pid in range(1, 3001)]
    for cloth in ([x.upper.fabric for x in looks], [x.lower.fabric for x in looks],
                  [x.upper.second for x in looks], [x.bag_fabric for x in looks]):  # fmt: skip
        infrared = np.array([c.infrared for c in cloth])
        colors = np.array([c.color for c in cloth])
        features = np.column_stack([colors, colors.mean(axis=1), np.ptp(colors, axis=1)])
        found = [np.corrcoef(infrared, column)[0, 1] for column in features.T]
        assert np.abs(found).max() < 0.06  # 3 standard errors of 3000 independent draws
    printed = [x.upper.fabric.infrared == x.upper.second.infrared for x in looks]
    assert 0.25 < np.mean(printed) < 0.45


def test_printed_stripes_vanish_in_infrared_and_woven_ones_stay() -> None:
    striped = [
        (pid, look)
        for pid in range(1, 1500)
        if (look := draw_looks(0, pid)).upper.pattern == "stripes"
        and look.upper.cut == "shirt"
        and look.bag == "none"
    ]

    def ripple(pid: int, camera: int) -> float:
        """Strength of the stripes: what the chest's rows hold beyond a smooth change."""
        image = np.asarray(render(0, pid, SYSU_MM01[camera], 1, (144, 72)).convert("L"), float)
        rows = image[48:74, 32:40].mean(axis=1)
        fit = np.polyval(np.polyfit(np.arange(len(rows)), rows, 2), np.arange(len(rows)))
        return float(np.std(rows - fit))

    same = [p for p, x in striped if x.upper.fabric.infrared == x.upper.second.infrared]
    two = [p for p, x in striped if abs(x.upper.fabric.infrared - x.upper.second.infrared) > 0.3]
    printed, woven = (np.median([ripple(p, 3) for p in group[:9]]) for group in (same, two))
    assert len(same) >= 5 and len(two) >= 5 and woven > 2 * printed


@pytest.mark.parametrize("camera", [*SYSU_MM01.values(), *REGDB.values()], ids=lambda c: c.number)
def test_images_of_one_identity_and_camera_are_more_alike(camera: object) -> None:
    pids, images = range(1, 13), range(1, 5)
    pixels = np.array(
        [
            np.asarray(render(0, p, camera, n, (64, 32)).resize((8, 16), 4), float).ravel()  # type: ignore[arg-type]
            for p in pids
            for n in images
        ]
    )
    distance = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
    who = np.repeat(np.arange(len(pids)), len(images))
    same = (who[:, None] == who[None]) & ~np.eye(len(who), dtype=bool)
    others = who[:, None] != who[None]
    assert distance[same].mean() < 0.85 * distance[others].mean()


def test_a_set_made_here_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    small = SMALL | {"train_ids": 2, "test_ids": 1, "images_per_camera": 1}
    (tmp_path / "set").mkdir()
    root = pedestrians.draw_sysu_mm01(tmp_path / "set", workers=1, **small)  # an empty folder
    before = contents(root)
    pedestrians.draw_sysu_mm01(root, seed=1, workers=1, **small)
    assert contents(root).keys() != before.keys() or contents(root) != before
    kept = contents(root)
    (root / "results").mkdir()
    with pytest.raises(ValueError, match=r"holds results: choose another folder"):
        pedestrians.draw_sysu_mm01(root, workers=1, **small)
    (root / "results").rmdir()
    with pytest.raises(ValueError, match="choose another folder"):
        pedestrians.draw_regdb(root, ids=2, images=1, workers=1)
    (root / "SYNTHETIC.txt").unlink()
    with pytest.raises(ValueError, match="choose another folder"):
        pedestrians.draw_sysu_mm01(root, workers=1, **small)
    kept.pop("SYNTHETIC.txt")
    assert contents(root) == kept
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_an_interrupted_drawing_leaves_nothing(tmp_path: Path) -> None:
    def stop(ids: object, total: int, words: str) -> object:
        yield 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pedestrians.draw_regdb(
            tmp_path / "set",
            ids=4,
            images=1,
            size=(32, 16),
            workers=1,
            track=stop,  # type: ignore[arg-type]
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"train_ids": 1}, "train_ids must be at least 2, got 1"),
        ({"test_ids": 0}, "test_ids must be at least 1, got 0"),
        ({"workers": 0}, "workers must be at least 1, got 0"),
        ({"images_per_camera": 0}, "must be 1 to 9999, got 0"),
        ({"size": (16, 16)}, r"of at least \(32, 16\)"),
    ],
)
def test_arguments_out_of_range(tmp_path: Path, change: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pedestrians.draw_sysu_mm01(tmp_path / "set", **(SMALL | change))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_regdb_halves_an_even_number(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="ids must be even"):
        pedestrians.draw_regdb(tmp_path / "set", ids=3)


def test_contact_sheet(sysu: Path, tmp_path: Path) -> None:
    file = pedestrians.contact_sheet(sysu, tmp_path / "sheet.png", identities=2)
    with Image.open(file) as image:
        pixels = np.asarray(image.convert("RGB"), int)
    assert pixels.shape[0] > 2 * 144 and pixels.shape[1] > 6 * 72 and pixels.std() > 20
    with pytest.raises(FileNotFoundError, match="cam1"):
        pedestrians.contact_sheet(tmp_path, tmp_path / "none.png")
    with pytest.raises(ValueError, match="at least 1"):
        pedestrians.contact_sheet(sysu, tmp_path / "none.png", identities=0)
