"""Run many inputs in forked processes: one that dies or hangs costs its own input only."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any

from tests.faults.outcomes import CRASH, ERROR, HANG, Result

# More address space than any input needs: a header that asks for a terabyte gets an error.
_MORE_MEMORY = 4 * 2**30
_FORK = multiprocessing.get_context("fork")

Work = Callable[[int, Path], Result]
"""Number and empty folder → outcome."""


@dataclass
class _Worker:
    process: Any
    pipe: Connection
    work: _Chunk
    number: int = -1
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True)
class _Chunk:
    kind: str
    work: Work
    numbers: Sequence[int]
    limit: float

    def after(self, number: int) -> _Chunk:
        """What is left when the worker of that number is gone."""
        left = [n for n in self.numbers if n > number]
        return _Chunk(self.kind, self.work, left, self.limit)


def run_all(
    kinds: Sequence[tuple[str, Work, int, float]], scratch: Path, jobs: int, chunk: int = 50
) -> Iterator[Result]:
    """Results of all numbers of all kinds, as they come.

    Args:
        kinds: name, work, count of numbers, seconds until a number counts as hanging.
        scratch: folder for the folders of the inputs; those of faults stay there.
        jobs: processes at a time.
        chunk: numbers per process.
    """
    waiting = [
        _Chunk(kind, work, range(start, min(count, start + chunk)), limit)
        for kind, work, count, limit in kinds
        for start in range(0, count, chunk)
    ]
    running: list[_Worker] = []
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(_start(waiting.pop(0), scratch))
            yield from _listen(running, waiting, scratch)
    finally:
        for worker in running:
            worker.process.kill()


def folder_of(scratch: Path, kind: str, number: int) -> Path:
    """Where an input lies."""
    return scratch / f"{kind.replace(' ', '_')}-{number}"


def _start(chunk: _Chunk, scratch: Path) -> _Worker:
    ours, theirs = _FORK.Pipe()
    process = _FORK.Process(target=_serve, args=(chunk, scratch, theirs))
    process.start()
    theirs.close()
    return _Worker(process, ours, chunk)


def _serve(chunk: _Chunk, scratch: Path, pipe: Connection) -> None:
    os.setpgid(0, 0)  # so that what it starts can be ended with it
    _limit_memory()
    for number in chunk.numbers:
        pipe.send(number)
        folder = folder_of(scratch, chunk.kind, number)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        result = chunk.work(number, folder)
        if not result.is_fault:
            shutil.rmtree(folder, ignore_errors=True)
        pipe.send(result)


def _limit_memory() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _MORE_MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _listen(running: list[_Worker], waiting: list[_Chunk], scratch: Path) -> Iterator[Result]:
    ready = wait([worker.pipe for worker in running], timeout=0.5)
    for worker in list(running):
        message = _message(worker) if worker.pipe in ready else None
        if isinstance(message, Result):
            yield message
        elif isinstance(message, int):
            worker.number, worker.since = message, time.monotonic()
        elif worker.pipe in ready:
            yield from _ended(worker, running, waiting)
        elif time.monotonic() - worker.since > worker.work.limit:
            _kill(worker)
            yield _lost(worker, HANG, f"no answer in {worker.work.limit:g} s", running, waiting)


def _message(worker: _Worker) -> Any:
    try:
        return worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        return None


def _ended(worker: _Worker, running: list[_Worker], waiting: list[_Chunk]) -> Iterator[Result]:
    worker.process.join()
    code = worker.process.exitcode
    if code == 0:
        running.remove(worker)
    elif code < 0:
        name = signal.Signals(-code).name
        yield _lost(worker, CRASH, name, running, waiting)
    else:
        yield _lost(worker, ERROR, f"the process ended with {code}", running, waiting)


def _lost(
    worker: _Worker, outcome: str, detail: str, running: list[_Worker], waiting: list[_Chunk]
) -> Result:
    """Take the worker out, and put what it did not come to at the front."""
    running.remove(worker)
    left = worker.work.after(worker.number)
    if left.numbers:
        waiting.insert(0, left)
    return Result(worker.work.kind, worker.number, "", outcome, detail)


def _kill(worker: _Worker) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(worker.process.pid, signal.SIGKILL)
    worker.process.join()
