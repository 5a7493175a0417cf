"""Atomic writes: a file appears complete or not at all."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

# A temporary file is a leftover if its process is gone, or, where that cannot be known, because
# another host or an earlier version wrote it, after a day without a change.
_LEFTOVER_SECONDS = 24 * 3600
_TEMPORARY = re.compile(r"\..+\.(?P<host>[0-9a-f]{8})-(?P<pid>[0-9]{1,10})-[0-9a-f]{8}")
_EARLIER_VERSION = re.compile(r"[0-9a-f]{32}")


def reason(error: OSError) -> str:
    """What went wrong with which file, without `[Errno N]`; a message of our own stays."""
    if error.strerror is None:
        return str(error)
    return error.strerror if error.filename is None else f"{error.filename}: {error.strerror}"


def writable_folder(path: str | Path) -> Path:
    """Create a folder if it is missing; raise, before any work, if it is not writable."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(
            f"{folder}: expected a folder that can be written to ({reason(error)})"
        ) from None
    return folder


def writable_file(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Raise, before any work, unless a file of that name and suffix can be written."""
    file = Path(path)
    if file.suffix.lower() not in suffixes:
        raise ValueError(f"{file}: expected a name ending in {' or '.join(suffixes)}")
    _require_replaceable(file, file)
    return writable_folder(file.parent) / file.name


def refuse_input_as_output(output: str | Path, inputs: Iterable[str | Path]) -> None:
    """Raise, before any work, if the output is one of the inputs: by name, link or hard link."""
    for path in inputs:
        if _same_file(output, path):
            raise ValueError(
                f"{output}: expected an output that is not an input, it is the same file as the "
                f"input {path}: give another name"
            )


def _same_file(one: str | Path, other: str | Path) -> bool:
    try:
        return Path(one).samefile(other)
    except OSError:  # one of them does not exist yet
        return os.path.realpath(one) == os.path.realpath(other)


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """Yield a temporary name that is renamed to path if the block ends without an error.

    A symbolic link is written through: it stays, and the file that it names is replaced. Temporary
    files that killed processes left in the folder are removed first.

    Raises:
        ValueError: for a folder, a pipe or a device of that name, also behind a link: renaming a
            file over /dev/null would destroy the device for the whole machine.
    """
    target = Path(os.path.realpath(path))
    _require_replaceable(path, target)
    target.parent.mkdir(parents=True, exist_ok=True)
    remove_leftovers(target.parent, target.name)
    temporary = target.with_name(f".{target.name}.{_host()}-{os.getpid()}-{uuid4().hex[:8]}")
    temporary.touch(exist_ok=False)
    permissions = temporary.stat().st_mode
    try:
        yield temporary
        # Some writers create private files; give the result the permissions of any new file.
        temporary.chmod(permissions)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _require_replaceable(path: str | Path, target: Path) -> None:
    """Raise unless the target is a regular file, or nothing."""
    if target.is_dir():
        raise ValueError(f"{path}: expected a file to write, there is a folder of that name")
    if target.exists() and not target.is_file():
        raise ValueError(f"{path}: expected a file to write, there is a pipe or a device")


def remove_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove the temporary files of killed processes from a folder.

    Args:
        folder: where files are written; its sub-folders are left alone.
        name: of a file to write, whose temporary files of earlier versions are removed too. Their
            names have no process in them, and with any other name could be a user's files.
    """
    try:
        # Of the many files of a study's folder, only hidden ones are looked at.
        with os.scandir(folder) as entries:
            hidden = [folder / entry.name for entry in entries if entry.name.startswith(".")]
    except OSError:  # a folder that can be written to but not listed
        return
    for entry in hidden:
        found = _TEMPORARY.fullmatch(entry.name)
        prefix = f".{name}."
        earlier = entry.name.startswith(prefix) and _EARLIER_VERSION.fullmatch(
            entry.name.removeprefix(prefix)
        )
        if found and found["host"] == _host() and not process_exists(int(found["pid"])):
            _remove(entry)
        elif found or earlier:
            _remove(entry, _LEFTOVER_SECONDS)


def _remove(file: Path, seconds: float = 0) -> None:
    """Remove a file that did not change for some time; leave one that may not be removed."""
    try:
        old = not seconds or file.lstat().st_mtime < time.time() - seconds
        if old and file.is_file():
            file.unlink()
    except OSError:  # of another user, or just removed by another process
        pass


def process_exists(pid: int) -> bool:
    """Whether a process of that number runs on this host; True where it cannot be known."""
    if os.name != "posix":  # elsewhere os.kill ends the process
        return True
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # of another user
        return True
    return True


def _host() -> str:
    return hashlib.sha256(socket.gethostname().encode()).hexdigest()[:8]
