"""Files beside the images of a dataset that are not read: which, and why."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from simgraph.datasets.image_lists import SUFFIXES

__all__ = ["left_out", "summary"]


def left_out(root: str | Path, paths: Iterable[str]) -> dict[str, str]:
    """List the files that lie where images are looked for, but are not read.

    Searched are the folders that contain the folders of the listed images, such as
    `test/visible` for `test/visible/anna/c1_1.png`: a folder whose files are all left out has no
    listed image. Images at the depth of listed images are not reported. The lists of a dataset
    may leave them out on purpose.

    Args:
        root: folder that the paths are relative to.
        paths: the listed images, with forward slashes.

    Returns:
        path → reason, in ascending order of the paths.
    """
    base, depths = Path(root), _depths(paths)
    found = {
        path: reason
        for top, depth in depths.items()
        for file in (base / top).rglob("*")
        if not file.is_dir()
        and (path := file.relative_to(base).as_posix())
        and (reason := _reason(PurePosixPath(path), depth))
    }
    return dict(sorted(found.items()))


def _depths(paths: Iterable[str]) -> dict[PurePosixPath, set[int]]:
    """Folder that contains folders of images → numbers of parts that paths of images have."""
    depths: dict[PurePosixPath, set[int]] = {}
    for path in map(PurePosixPath, paths):
        if len(path.parts) > 2:  # else the top would be the root, with everything else in it
            depths.setdefault(path.parent.parent, set()).add(len(path.parts))
    return depths


def _reason(path: PurePosixPath, depth: set[int]) -> str:
    if path.name.startswith("."):
        return "hidden"
    if path.suffix.lower() not in SUFFIXES:
        return f"{path.suffix or 'no suffix'}: not an image format that is read"
    return "" if len(path.parts) in depth else "not directly in a folder of images"


def summary(files: dict[str, str]) -> list[str]:
    """A line for each reason: how many files, and the first three.

    Args:
        files: path → reason, as `left_out` gives it.

    Returns:
        the lines, the most frequent reason first.
    """
    by_reason: dict[str, list[str]] = {}
    for path, reason in files.items():
        by_reason.setdefault(reason, []).append(path)
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    return [
        f"left out: {len(paths)} ({reason}): {', '.join(paths[:3])}"
        f"{', ...' if len(paths) > 3 else ''}"
        for reason, paths in ordered
    ]
