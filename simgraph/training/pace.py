"""The pace of a training run: images per second, and the time left for the whole run."""

from __future__ import annotations

import time


class Pace:
    """Counts the batches of this process; evaluations and checkpoints count as time.

    Args:
        images: per batch, over all processes.
        remaining: batches from now to the end of the run.
    """

    def __init__(self, images: int, remaining: int) -> None:
        self.images, self.remaining = images, remaining
        self.began, self.done = time.monotonic(), 0
        self._epoch_began, self._epoch_done = self.began, 0

    def start_epoch(self) -> None:
        """Start to measure the rate anew: that of an epoch has no evaluation in it."""
        self._epoch_began, self._epoch_done = time.monotonic(), 0

    def step(self) -> None:
        """Count a batch."""
        self.done += 1
        self._epoch_done += 1

    def rate(self) -> float:
        """Images per second in this epoch; 0 before its first batch."""
        seconds = time.monotonic() - self._epoch_began
        return self._epoch_done * self.images / seconds if seconds > 0 else 0.0

    def left(self) -> float | None:
        """Seconds to the end of the run at its mean pace so far; None before the first batch."""
        if not self.done:
            return None
        return (time.monotonic() - self.began) / self.done * (self.remaining - self.done)

    def words(self) -> str:
        """Rate and time left, as in "83 images/s, 2:10 left"."""
        left = self.left()
        return f"{self.rate():.0f} images/s" + ("" if left is None else f", {clock(left)} left")


def clock(seconds: float) -> str:
    """Seconds as m:ss, or h:mm:ss from an hour on."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
