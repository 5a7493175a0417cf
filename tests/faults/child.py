"""A piece of work in a forked process that can be killed at any moment."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable


def start(work: Callable[[], object]) -> int:
    """Fork, work, and end; the process number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        work()
        code = 0
    finally:
        os._exit(code)  # no handlers of the parent's run twice


def kill_after(pid: int, seconds: float) -> bool:
    """SIGKILL the process after a time; whether it was still at work."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return False
        time.sleep(min(0.002, seconds))
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return True


def finish(work: Callable[[], object]) -> None:
    """Fork, work to the end, and raise if it failed."""
    _, status = os.waitpid(start(work), 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        raise RuntimeError(f"a process that was not killed ended with {code}")
