"""Synthetic pedestrians on disk: real loaders read them, the same seed draws the same bytes."""

from pathlib import Path

import pytest

from simgraph.datasets import regdb, sysu_mm01
from simgraph.datasets.images import check_images
from simgraph.synthetic import pedestrians
from tests.synthetic.pedestrians.small_sets import SMALL, contents


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


def test_a_set_that_an_earlier_version_drew_is_replaced(tmp_path: Path) -> None:
    root = pedestrians.draw_regdb(tmp_path / "set", ids=2, images=1, size=(32, 16), workers=1)
    note = (root / "SYNTHETIC.txt").read_text()
    (root / "SYNTHETIC.txt").write_text(note.replace("simgraph.synthetic", "simgraph.datasets"))
    pedestrians.draw_regdb(root, ids=2, images=1, size=(32, 16), workers=1)
    assert (root / "SYNTHETIC.txt").read_text() == note


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


def test_clear_identities_are_other_images_under_the_same_protocol(
    sysu: Path, tmp_path: Path
) -> None:
    clear = pedestrians.draw_sysu_mm01(tmp_path / "clear", workers=1, clear=True, **SMALL)
    usual, other = contents(sysu), contents(clear)
    assert usual.keys() == other.keys()
    same = {name for name in usual if usual[name] == other[name]}
    assert {name for name in usual if str(name).endswith((".txt", ".mat"))} - same == {
        name for name in usual if str(name).endswith("SYNTHETIC.txt")
    }
    assert not any(str(name).endswith(".jpg") for name in same)
    assert '"clear": true' in (clear / "SYNTHETIC.txt").read_text()
