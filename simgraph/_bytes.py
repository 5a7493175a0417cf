"""Numbers of bytes as text: memory budgets are read and reported in it. Needs no torch."""

from __future__ import annotations

import re
from numbers import Integral

DEFAULT = "2GiB"

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12} | {
    f"{prefix}i": 2 ** (10 * power) for power, prefix in enumerate("kmgt", 1)
}


def budget(memory: str | int) -> int:
    """Parse a budget given in bytes or as text, such as "2GiB" or "500 MB"."""
    if isinstance(memory, Integral) and not isinstance(memory, bool):
        parsed = int(memory)
    else:
        text = memory.lower() if isinstance(memory, str) else ""
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", text)
        if found is None or found[2] not in _UNITS:
            raise ValueError(f"memory: expected bytes, or text like '2GiB', got {memory!r}")
        parsed = int(float(found[1]) * _UNITS[found[2]])
    if parsed <= 0:
        raise ValueError(f"memory: expected more than 0 bytes, got {memory!r}")
    return parsed


def readable(count: int) -> str:
    """Format a number of bytes with a binary unit."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count} bytes"
