"""A lock on the folder of a run, so that no two runs write to it at once."""

from __future__ import annotations

import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from simgraph._files import remove_leftovers

try:
    import fcntl
except ImportError:  # Windows: no locks there
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

LOCK = "run.lock"
_TAKEN = (errno.EACCES, errno.EAGAIN)
# The kernel's lock is one per process, so the runs of this process are told apart here. It would
# also be lost if the process closed another handle of the file.
_held: set[Path] = set()


@contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Hold the lock of a run's folder, and remove the leftovers of killed runs there.

    The file `run.lock` holds the process and the host. It is the kernel that tells whether they
    still run: a killed process loses its lock, and then its file counts for nothing. Unlike
    flock, this kind of lock is not inherited by the processes that read images.

    Args:
        folder: of the run; it exists and is writable.

    Raises:
        FileExistsError: if another run, of this or another process, holds the lock.
    """
    if fcntl is None:
        yield
        return
    file = folder.resolve() / LOCK
    if file in _held:
        raise FileExistsError(_message(folder, f"process {os.getpid()} on {socket.gethostname()}"))
    _held.add(file)
    try:
        handle = _locked(file, folder)
        try:
            remove_leftovers(folder)
            yield
        finally:
            file.unlink(missing_ok=True)
            os.close(handle)
    finally:
        _held.discard(file)


def _locked(file: Path, folder: Path) -> int:
    """A handle of the file that holds its lock."""
    while True:
        handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            _lock(handle, folder)
            if _is_open(file, handle):
                os.ftruncate(handle, 0)
                os.write(handle, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
                return handle
        except BaseException:
            os.close(handle)
            raise
        # The run before removed the file between the opening and the lock: take the new one.
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _TAKEN:
            owner = os.read(handle, 200).decode(errors="replace").strip()
            raise FileExistsError(_message(folder, owner or "another process")) from None
        logger.warning("%s: no locks on this disk (%s): start no second run there", folder, error)


def _is_open(file: Path, handle: int) -> bool:
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _message(folder: Path, owner: str) -> str:
    return (
        f"{folder}: {owner} is writing a run to this folder; wait for its end, or choose another "
        "folder"
    )
