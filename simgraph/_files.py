"""Atomic writes: a file appears complete or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


def writable_folder(path: str | Path) -> Path:
    """Create a folder if it is missing; raise, before any work, if it is not writable."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"{folder}: expected a folder that can be written to ({error})") from None
    return folder


def writable_file(path: str | Path, suffixes: tuple[str, ...]) -> Path:
    """Raise, before any work, unless a file of that name and suffix can be written."""
    file = Path(path)
    if file.suffix.lower() not in suffixes:
        raise ValueError(f"{file}: expected a name ending in {' or '.join(suffixes)}")
    if file.is_dir():
        raise ValueError(f"{file}: expected a file to write, there is a folder of that name")
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

    A symbolic link is written through: it stays, and the file that it names is replaced.
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{uuid4().hex}")
    temporary.touch(exist_ok=False)
    permissions = temporary.stat().st_mode
    try:
        yield temporary
        # Some writers create private files; give the result the permissions of any new file.
        temporary.chmod(permissions)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
