"""The plain data that loaders answer with."""

import numpy as np
import pytest

from simgraph.datasets import Samples, TestSet, Trial


def three() -> Samples:
    return Samples(("a.png", "b.png", "c.png"), np.array([7, 7, 9]), np.array([1, 2, 1]))


def test_samples_select_takes_rows_in_the_order_asked() -> None:
    picked = three().select([2, 0, 0])
    assert picked.paths == ("c.png", "a.png", "a.png")
    assert picked.pids.tolist() == [9, 7, 7]
    assert picked.cams.tolist() == [1, 1, 1]
    assert len(picked) == 3


def test_samples_copy_and_freeze_their_arrays() -> None:
    pids = np.array([1, 2], dtype=np.int32)
    samples = Samples(("a", "b"), pids, np.array([0, 0]))
    pids[0] = 5
    assert samples.pids.tolist() == [1, 2] and samples.pids.dtype == np.int64
    with pytest.raises(ValueError, match="read-only"):
        samples.pids[0] = 3


@pytest.mark.parametrize(
    ("pids", "cams", "message"),
    [
        ([1, 2], [0, 0, 0], "Samples.pids must have one entry per path: expected 3, got 2"),
        ([1, 2, 3], [0], "Samples.cams must have one entry per path: expected 3, got 1"),
        ([1.0, 2.0, 3.0], [0, 0, 0], "Samples.pids must be a vector of whole numbers"),
        ([[1], [2], [3]], [0, 0, 0], "Samples.pids must be a vector"),
    ],
)
def test_samples_refuse_bad_labels(pids: list[int], cams: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Samples(("a", "b", "c"), np.array(pids), np.array(cams))


@pytest.mark.parametrize("row", [3, -1])
def test_rows_outside_the_samples_are_refused(row: int) -> None:
    with pytest.raises(ValueError, match=r"index rows must be in \[0, 3\)"):
        three().select([0, row])
    bad = Trial(np.array([0]), np.array([row]))
    with pytest.raises(ValueError, match=r"x trial 1: gallery rows must be in \[0, 3\)"):
        good = Trial(np.array([0]), np.array([2]))
        TestSet("x", "root", three(), three(), (good, bad), "plain")  # type: ignore[arg-type]


def test_trials_must_hold_something() -> None:
    with pytest.raises(ValueError, match=r"Trial\.query must hold at least one row"):
        Trial(np.array([], dtype=np.int64), np.array([0]))
    with pytest.raises(ValueError, match="at least one trial"):
        TestSet("x", "root", three(), three(), (), "plain")  # type: ignore[arg-type]
