"""The size of a small drawn set, and the bytes of one."""

from pathlib import Path

SMALL = {"train_ids": 4, "test_ids": 4, "images_per_camera": 3, "size": (64, 32)}


def contents(root: Path) -> dict[str, bytes]:
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in root.rglob("*") if p.is_file()}
