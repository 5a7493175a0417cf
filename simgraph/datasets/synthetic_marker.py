"""The note in every made-up set, so that its figures are never taken for a benchmark's."""

import json
from collections.abc import Mapping
from pathlib import Path

__all__ = ["NOTE", "is_synthetic", "write_note"]

NOTE = "SYNTHETIC.txt"


def write_note(root: Path, title: str, settings: Mapping[str, object]) -> None:
    """Write the note.

    Args:
        root: folder of the set.
        title: what made it; the first line.
        settings: what it was made with; the last line, as JSON.
    """
    text = f"{title}\nNothing here is real; no figure measured on it is a benchmark's.\n"
    (root / NOTE).write_text(f"{text}{json.dumps(settings)}\n", encoding="utf-8")


def is_synthetic(root: str | Path | None) -> bool:
    """Whether a folder holds the note of a made-up set; no folder is none."""
    return root is not None and (Path(root) / NOTE).is_file()
