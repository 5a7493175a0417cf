"""The marker file of synthetic sets: scores on them are never benchmark results."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from simgraph._files import atomic_write

__all__ = ["NOTE", "is_synthetic", "write_note"]

NOTE = "SYNTHETIC.txt"


def write_note(root: Path, title: str, settings: Mapping[str, object]) -> None:
    """Write the marker file.

    Args:
        root: folder of the set.
        title: the first line, which names the generator.
        settings: of the generator; the last line, as JSON.
    """
    text = f"{title}\nNothing here is real; no score on it is a benchmark result.\n"
    with atomic_write(root / NOTE) as file:
        file.write_text(f"{text}{json.dumps(settings)}\n", encoding="utf-8")


def is_synthetic(root: str | Path | None) -> bool:
    """Whether a folder holds a synthetic set; None does not."""
    return root is not None and (Path(root) / NOTE).is_file()
