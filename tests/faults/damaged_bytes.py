"""Damage that knows nothing of the format: bits, blocks, lengths; and what is no file at all."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Callable
from pathlib import Path

from numpy.random import Generator

Change = Callable[[bytes, Generator], bytes]


def _flipped(content: bytes, rng: Generator, bits: int) -> bytes:
    damaged = bytearray(content)
    for place in rng.integers(0, max(1, len(content)), bits):
        if damaged:
            damaged[place] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def _flipped_at_the_start(content: bytes, rng: Generator) -> bytes:
    return _flipped(content[:512], rng, 1) + content[512:]


def _cut(content: bytes, rng: Generator) -> bytes:
    return content[: int(rng.integers(0, max(1, len(content))))]


def _cut_a_little(content: bytes, rng: Generator) -> bytes:
    return content[: -int(rng.integers(1, 9))]


def _extended(content: bytes, rng: Generator) -> bytes:
    return content + rng.bytes(int(rng.integers(1, 200)))


def _block(content: bytes, rng: Generator) -> tuple[int, int]:
    start = int(rng.integers(0, max(1, len(content))))
    return start, min(len(content), start + int(rng.integers(1, 600)))


def _zeroed(content: bytes, rng: Generator) -> bytes:
    start, stop = _block(content, rng)
    return content[:start] + bytes(stop - start) + content[stop:]


def _noise(content: bytes, rng: Generator) -> bytes:
    start, stop = _block(content, rng)
    return content[:start] + rng.bytes(stop - start) + content[stop:]


def _removed(content: bytes, rng: Generator) -> bytes:
    start, stop = _block(content, rng)
    return content[:start] + content[stop:]


def _repeated(content: bytes, rng: Generator) -> bytes:
    start, stop = _block(content, rng)
    return content[:stop] + content[start:stop] + content[stop:]


CHANGES: dict[str, Change] = {
    "one bit": lambda content, rng: _flipped(content, rng, 1),
    "one bit at the start": _flipped_at_the_start,
    "eight bits": lambda content, rng: _flipped(content, rng, 8),
    "cut short": _cut,
    "cut by a few bytes": _cut_a_little,
    "extended": _extended,
    "a block of zeros": _zeroed,
    "a block of noise": _noise,
    "a block removed": _removed,
    "a block twice": _repeated,
    "the file twice": lambda content, rng: content + content,
    "empty": lambda content, rng: b"",
    "a pickle": lambda content, rng: pickle.dumps({"feat": [1.0]}),
    "a web page": lambda content, rng: b"<!DOCTYPE html><html>404 Not Found</html>\n",
    "zeros": lambda content, rng: bytes(len(content)),
}


def damaged_bytes(content: bytes, rng: Generator) -> tuple[bytes, str]:
    """Changed content, and what was done to it."""
    name = str(rng.choice(list(CHANGES)))
    return CHANGES[name](content, rng), name


def _socket(path: Path) -> None:
    before = Path.cwd()
    os.chdir(path.parent)  # the names of sockets have to be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(before)


def _linked_fifo(path: Path) -> None:
    """What stands for a device: links to real ones could be written through, as root does."""
    os.mkfifo(path.with_name("fifo"))
    path.symlink_to("fifo")


NOT_FILES: dict[str, Callable[[Path], None]] = {
    "a folder": lambda path: path.mkdir(),
    "a FIFO": lambda path: os.mkfifo(path),
    "a socket": _socket,
    "a link that leads nowhere": lambda path: path.symlink_to("nowhere"),
    "a link to itself": lambda path: path.symlink_to(path.name),
    "a link to a FIFO": _linked_fifo,
    "missing": lambda path: None,
}


def write_no_file(path: Path, rng: Generator) -> str:
    """Put something at the path that is no regular file; say what."""
    name = str(rng.choice(list(NOT_FILES)))
    path.unlink(missing_ok=True)
    NOT_FILES[name](path)
    return name
