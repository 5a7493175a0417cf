"""The synthetic test set: sizes of the real one, the same every time, and a modality gap."""

from pathlib import Path

import numpy as np
import pytest

from simgraph.datasets import sysu_mm01
from simgraph.synthetic import features as synthetic


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthetic.write_sysu_mm01(tmp_path_factory.mktemp("synthetic"))


@pytest.mark.parametrize(
    ("mode", "shots", "size"),
    [("all", 1, 301), ("all", 10, 3010), ("indoor", 1, 112), ("indoor", 10, 1120)],
)
def test_sizes_are_those_of_the_real_test_set(
    written: Path, mode: str, shots: int, size: int
) -> None:
    test = sysu_mm01.load_test(
        written.parent,
        mode,  # type: ignore[arg-type]
        shots,
        images=False,
    )
    assert len(test.query) == 3803 and [len(t.gallery) for t in test.trials] == [size] * 10
    with np.load(written, allow_pickle=False) as arrays:
        for side in ("query", "gallery"):
            samples = getattr(test, side)
            # Indoor search has no samples of cameras 4 and 5; the file has all.
            rows = np.isin(arrays[f"{side}_cam"], samples.cams)
            np.testing.assert_array_equal(arrays[f"{side}_pid"][rows], samples.pids)
            np.testing.assert_array_equal(arrays[f"{side}_cam"][rows], samples.cams)
            feat = arrays[f"{side}_feat"][rows]
            assert feat.shape == (len(samples), 128) and feat.dtype == np.float32
            assert np.isfinite(feat).all()


def test_splits_are_disjoint_and_complete(written: Path) -> None:
    splits = [sysu_mm01.read_ids(written.parent / "exp", s) for s in ("train", "val", "test")]
    assert [len(ids) for ids in splits] == [296, 99, 96]
    together = set().union(*splits)
    assert len(together) == 491 and min(together) >= 1 and max(together) <= 533


def test_writing_again_gives_the_same_arrays(written: Path, tmp_path: Path) -> None:
    again = synthetic.write_sysu_mm01(tmp_path)
    with np.load(written) as a, np.load(again) as b:
        assert sorted(a) == sorted(b)
        assert all(a[key].tobytes() == b[key].tobytes() for key in a)
    orders = [sysu_mm01.read_permutations(f.parent / "exp") for f in (written, again)]
    assert orders[0].keys() == orders[1].keys()
    assert all(np.array_equal(order, orders[1][key]) for key, order in orders[0].items())
    assert sorted(p.name for p in tmp_path.iterdir()) == ["SYNTHETIC.txt", "exp", "features.npz"]
    other = synthetic.write_sysu_mm01(tmp_path, seed=1, dim=64)  # replaces the files
    with np.load(other) as c, np.load(written) as a:
        assert c["query_feat"].shape == (3803, 64)
        assert not np.array_equal(a["query_pid"], c["query_pid"])


def test_the_permutations_are_drawn_not_copied(written: Path, shared: Path) -> None:
    drawn = sysu_mm01.read_permutations(written.parent / "exp")
    real = sysu_mm01.read_permutations(shared / "sysu_mm01" / "exp")
    same = [k for k in drawn.keys() & real.keys() if np.array_equal(drawn[k], real[k])]
    assert drawn.keys() & real.keys() and not same


def test_neighbors_are_good_within_the_gallery_and_poor_across(written: Path) -> None:
    test = sysu_mm01.load_test(written.parent, shots=10, images=False)
    rows = test.trials[0].gallery
    with np.load(written) as arrays:
        query, gallery = arrays["query_feat"], arrays["gallery_feat"][rows]
    query = query / np.linalg.norm(query, axis=1, keepdims=True)
    gallery = gallery / np.linalg.norm(gallery, axis=1, keepdims=True)
    within = gallery @ gallery.T
    np.fill_diagonal(within, -2)
    pids = test.gallery.pids[rows]

    def share(similarity: np.ndarray, owners: np.ndarray) -> float:
        nearest = np.argsort(-similarity, axis=1)[:, :10]
        return float((pids[nearest] == owners[:, None]).mean())

    assert share(within, pids) > 0.8
    assert 0.2 < share(query @ gallery.T, test.query.pids) < 0.6


def test_dimension_below_the_latent_one(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"dim must be at least 64, .* got 63"):
        synthetic.write_sysu_mm01(tmp_path, dim=63)
    assert not list(tmp_path.iterdir())
