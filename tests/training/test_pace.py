"""Images per second and the time left, on a clock that the test sets."""

import pytest

from simgraph.training import pace


@pytest.fixture
def now(monkeypatch):
    at = [50.0]
    monkeypatch.setattr(pace.time, "monotonic", lambda: at[0])
    return at


def test_before_the_first_batch_nothing_is_foretold(now):
    fresh = pace.Pace(images=8, remaining=10)
    assert fresh.left() is None and fresh.words() == "0 images/s"


def test_the_rate_is_of_the_epoch_and_the_time_left_of_the_run(now):
    run = pace.Pace(images=8, remaining=20)
    for _ in range(5):
        now[0] += 2
        run.step()
    assert (run.rate(), run.left()) == (4.0, 30.0)
    now[0] += 10  # an evaluation: 20 s for 5 batches so far
    run.start_epoch()
    now[0] += 1
    run.step()
    assert run.rate() == 8.0
    assert run.left() == pytest.approx(21 / 6 * 14)
    assert run.words() == "8 images/s, 0:49 left"


def test_a_finished_run_has_no_time_left(now):
    run = pace.Pace(images=1, remaining=1)
    now[0] += 3
    run.step()
    assert run.left() == 0


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "0:00"), (59.6, "1:00"), (130, "2:10"), (3600, "1:00:00")]
)
def test_clock(seconds, shown):
    assert pace.clock(seconds) == shown
