"""Image lists and groups of images, in the forms that several datasets share."""

from __future__ import annotations

import codecs
import random
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from simgraph.datasets.samples import Samples

__all__ = [
    "SUFFIXES",
    "draw_rows",
    "list_images",
    "parse_ids",
    "read_labeled_paths",
    "refuse_dangling",
    "rows_by_group",
]

SUFFIXES = frozenset([
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".webp", ".tif", ".tiff",
    ".gif", ".ppm", ".pgm", ".pbm", ".pnm", ".jp2", ".j2k", ".avif", ".tga", ".pcx",
])  # fmt: skip
"""Of image files, in lower case."""


def list_images(folder: Path) -> list[Path]:
    """List the images directly inside a folder, by name; a missing folder has none.

    Hidden files (such as macOS's `._0001.jpg`) and files whose suffix is not in `SUFFIXES` are
    left out; `simgraph train --check` names them. Of a file with several frames the first one is
    read.

    Args:
        folder: folder of images.

    Returns:
        the image files in ascending order of their names.

    Raises:
        FileNotFoundError: for an image, or a folder, that is a symbolic link to a file that does
            not exist.
    """
    refuse_dangling(folder)
    if not folder.is_dir():
        return []
    named = (f for f in folder.iterdir() if f.suffix.lower() in SUFFIXES)
    files = sorted(f for f in named if not f.name.startswith("."))
    for file in files:
        refuse_dangling(file)
    return [file for file in files if file.is_file()]


def refuse_dangling(path: Path) -> None:
    """Raise FileNotFoundError for a symbolic link to a file that does not exist."""
    if path.is_symlink() and not path.exists():
        raise FileNotFoundError(
            f"{path}: expected images, got a link to {path.readlink()}, which does not exist: "
            "restore that file or remove the link"
        )


def _read_list(file: Path) -> str:
    """Decode UTF-8, or UTF-16 with a byte order mark; other encodings cannot be told apart."""
    content = file.read_bytes()
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig"
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        place = f"{file}, line {line}" if encoding == "utf-8-sig" else f"{file}"
        raise ValueError(
            f"{place}: expected text in UTF-8 or UTF-16 with a byte order mark, got other bytes "
            "(perhaps GBK or Latin-1): save the file as UTF-8"
        ) from None


def parse_ids(file: Path) -> tuple[int, ...]:
    """Read identities from a text file: whole numbers separated by commas or white space.

    Args:
        file: text file such as `test_id.txt`.

    Returns:
        the identities in ascending order.

    Raises:
        ValueError: for an empty file, an entry that is not a number, a repeated one, or bytes
            that are neither UTF-8 nor UTF-16.
    """
    entries = _read_list(file).replace(",", " ").split()
    bad = [e for e in entries if not e.isdecimal()]
    if bad:
        raise ValueError(f"{file}: expected identities as whole numbers, got {bad[0]!r}")
    ids = tuple(sorted(map(int, entries)))
    if not ids or len(set(ids)) != len(ids):
        raise ValueError(f"{file}: expected each identity once, got {len(ids)} entries: {ids[:8]}")
    return ids


def read_labeled_paths(
    root: Path, file: Path, images: bool, source: str
) -> tuple[list[str], list[int]]:
    """Read a list of `path label` lines; paths may hold spaces, blank lines are skipped.

    Args:
        root: folder that the paths are relative to.
        file: the list.
        images: whether every named image must exist.
        source: where users can get the files, for error messages.

    Returns:
        the paths and the labels, in the order of the lines.

    Raises:
        ValueError: for no lines, a line that is not `path label`, or bytes that are neither UTF-8
            nor UTF-16; names file and line.
        FileNotFoundError: for a missing list, or with `images` a missing image.
    """
    if not file.is_file():
        raise FileNotFoundError(f"expected the list of images {file}: {source}")
    paths: list[str] = []
    labels: list[int] = []
    for number, line in enumerate(_read_list(file).splitlines(), start=1):
        if not line.strip():
            continue
        parts = line.strip().rsplit(maxsplit=1)
        if len(parts) != 2 or not parts[1].isdecimal():
            raise ValueError(f"{file}, line {number}: expected 'path label', got {line!r}")
        parts[0] = _posix(root, parts[0])
        if images:
            refuse_dangling(root / parts[0])
        if images and not (root / parts[0]).is_file():
            raise FileNotFoundError(
                f"{file}, line {number}: expected the image {root / parts[0]}: {source}"
            )
        paths.append(parts[0])
        labels.append(int(parts[1]))
    if not paths:
        raise ValueError(f"{file}: expected lines 'path label', got an empty list")
    return paths, labels


def _posix(root: Path, path: str) -> str:
    """Turn the backslashes of a list written on Windows, unless a file has them in its name."""
    if "\\" not in path or (root / path).is_file():
        return path
    return path.replace("\\", "/")


def rows_by_group(samples: Samples) -> dict[tuple[int, int], list[int]]:
    """Group row numbers by (identity, camera); each group keeps the order of the samples.

    Args:
        samples: N images.

    Returns:
        (identity, camera) → rows, for each pair that occurs.
    """
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for row, key in enumerate(zip(samples.pids.tolist(), samples.cams.tolist(), strict=True)):
        groups[key].append(row)
    return dict(groups)


def draw_rows(
    samples: Samples, seed: int, shots: int = 1, cams: Collection[int] | None = None
) -> NDArray[np.int64]:
    """Draw images per identity and camera, with the random numbers of the published baselines.

    Groups are visited in ascending order of identity, then camera. Each takes one `choice` of its
    images from the stream of `random.seed(seed)`, which reproduces the published single-shot
    galleries of SYSU-MM01 and LLCM exactly. More than one shot takes one `sample` without
    replacement per group (all images where there are fewer); no published baseline fixes that
    draw.

    Args:
        samples: images, those of a group in the order of their names.
        seed: the trial, from 0.
        shots: images per identity and camera, at least 1.
        cams: cameras that take part; None takes all.

    Returns:
        rows of `samples`, in the order drawn.

    Source:
        The AGW baseline's `process_gallery_sysu`, github.com/mangye16/Cross-Modal-Re-ID-baseline.
    """
    rng = random.Random(seed)
    rows: list[int] = []
    for (_, cam), group in sorted(rows_by_group(samples).items()):
        if cams is not None and cam not in cams:
            continue
        if shots == 1:
            rows.append(rng.choice(group))
        else:
            rows.extend(rng.sample(group, min(shots, len(group))))
    return np.array(rows, dtype=np.int64)
