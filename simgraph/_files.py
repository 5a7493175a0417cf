"""Files appear whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


def writable_folder(path: str | Path) -> Path:
    """Make a folder where it is missing; raise, before any work, if it cannot be written to."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"{folder}: expected a folder that can be written to ({error})") from None
    return folder


def writable_file(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Raise, before any work, unless a file of that name and one of these suffixes can be made."""
    file = Path(path)
    if file.suffix.lower() not in suffixes:
        raise ValueError(f"{file}: expected a name ending in {' or '.join(suffixes)}")
    if file.is_dir():
        raise ValueError(f"{file}: expected a file to write, there is a folder of that name")
    return writable_folder(file.parent) / file.name


@contextmanager
def atomic_write(path: str | Path) -> Iterator[Path]:
    """A temporary name beside path that becomes path when the block ends without an error."""
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    temporary.touch(exist_ok=False)
    permissions = temporary.stat().st_mode
    try:
        yield temporary
        # Some writers make private files; the result has the permissions of any new file.
        temporary.chmod(permissions)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
