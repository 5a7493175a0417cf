"""The text form of what an explorer page carries: base64 of little-endian arrays and of images.

distances [Nq, Ng] → how to read a row, and one text row per query
"""

from __future__ import annotations

import base64
import io
import json
import logging
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph.visualization.trial_view import Images, TrialView

logger = logging.getLogger(__name__)

MIN_CANDIDATES = 50
"""Candidates per query on a page that has no room for all distances."""

_HEIGHTS = (96, 64, 48, 32)  # of thumbnails, in pixels


# ---- distances ----


def encode_rows(d: NDArray[np.floating], room: int, k_query: int) -> tuple[dict[str, Any], str]:
    """Encode D_qg in the most precise form that fits.

    float32 is exact. 16 bits per distance are half as long, with an error of at most half a
    level. The nearest candidates per query are exact again, but paths cannot begin at the others.

    Args:
        d: distances [Nq, Ng], float32.
        room: characters that the text may take.
        k_query: size of N_c(q), the least number of candidates per query.

    Returns:
        How to read a row, as `about["distances"]` of the page; and the rows, each `row_chars`
        long, joined.

    Raises:
        ValueError: for a room that is too small even for the candidates.
    """
    num_queries, num_gallery = d.shape
    if num_queries * text_length(4 * num_gallery) <= room:
        return _float_rows(d)
    if num_queries * text_length(2 * num_gallery) <= room:
        return _level_rows(d)
    # A candidate takes 8 bytes, and every 4 characters of text hold 3 bytes.
    candidates = min(num_gallery, max(0, room // num_queries // 4 * 3 // 8))
    if candidates < max(MIN_CANDIDATES, k_query):
        raise ValueError(
            f"{num_queries} queries and {num_gallery} gallery images: the page has room for "
            f"{candidates} candidates of each query, expected at least "
            f"{max(MIN_CANDIDATES, k_query)}: raise max_mib or take part of the queries"
        )
    return _candidate_rows(d, candidates)


def _float_rows(d: NDArray[np.floating]) -> tuple[dict[str, Any], str]:
    precision = "Distances are stored as float32; the page computes in float64."
    return _form(32, text_length(4 * d.shape[1]), precision), _joined(map(float_bytes, d))


def _level_rows(d: NDArray[np.floating]) -> tuple[dict[str, Any], str]:
    """2^16 equally spaced levels from the smallest to the largest distance."""
    low, high = float(d.min()), float(d.max())
    step = (high - low) / (2**16 - 1) or 1.0  # equal distances are all at level 0
    precision = (
        f"Distances are stored in 2^16 levels, each within {step / 2:.1e} of its value; the page "
        "computes in float64."
    )
    form = {**_form(16, text_length(2 * d.shape[1]), precision), "low": low, "step": step}
    levels = (np.rint((row.astype(np.float64) - low) / step) for row in d)
    return form, _joined(row.astype("<u2").tobytes() for row in levels)


def _candidate_rows(d: NDArray[np.floating], candidates: int) -> tuple[dict[str, Any], str]:
    precision = (
        f"Only the {candidates} nearest of each query's {d.shape[1]} gallery images are stored: "
        "paths begin at those, as with candidates in simgraph.similarity_graph."
    )
    form = {**_form(32, text_length(8 * candidates), precision), "candidates": candidates}

    def packed(row: NDArray[np.floating]) -> bytes:
        nearest = np.argsort(row, kind="stable")[:candidates]
        return nearest.astype("<u4").tobytes() + float_bytes(row[nearest])

    return form, _joined(map(packed, d))


def _form(bits: int, row_chars: int, precision: str) -> dict[str, Any]:
    return {"bits": bits, "row_chars": row_chars, "candidates": None, "precision": precision}


def _joined(rows: Iterable[bytes]) -> str:
    return "".join(map(as_text, rows))


# ---- texts ----


def float_bytes(values: NDArray[np.floating]) -> bytes:
    """Values as little-endian float32."""
    return values.astype("<f4").tobytes()


def as_text(data: bytes) -> str:
    """Base64 of some bytes."""
    return base64.b64encode(data).decode("ascii")


def text_length(num_bytes: int) -> int:
    """Characters that `as_text` makes of that many bytes."""
    return 4 * math.ceil(num_bytes / 3)


def as_json(value: Any) -> str:
    """JSON in ASCII without `<`: nothing in it can end the element that contains it."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


# ---- thumbnails ----


def encode_thumbnails(view: TrialView, room: int) -> dict[str, Any] | None:
    """WebP images of both sides, at the largest height that fits.

    Args:
        view: whose images.
        room: characters that the thumbnails may take.

    Returns:
        Side → base64 images, and their media type; None without images, and, with a warning,
        without room.
    """
    sides = {"query": view.query, "gallery": view.gallery}
    if any(images.paths is None for images in sides.values()):
        return None
    for height in _HEIGHTS:
        if sum(_expected_size(images, height) for images in sides.values()) <= room:
            encoded = {
                side: [_thumbnail(images, i, height) for i in range(len(images))]
                for side, images in sides.items()
            }
            return {"type": "image/webp", **encoded}
    logger.warning(
        "the page has no room for %d thumbnails: made without", sum(map(len, sides.values()))
    )
    return None


def _expected_size(images: Images, height: int, samples: int = 40) -> float:
    """Characters of all thumbnails, estimated from a sample, plus 10 %."""
    sample = np.unique(np.linspace(0, len(images) - 1, samples).astype(int))
    mean = float(np.mean([len(_thumbnail(images, i, height)) + 4 for i in sample]))
    return 1.1 * len(images) * mean


def _thumbnail(images: Images, index: int, height: int) -> str:
    image, buffer = images.thumbnail(index, height), io.BytesIO()
    assert image is not None, "called only for images with paths"
    image.save(buffer, "WEBP", quality=75, method=4)
    return as_text(buffer.getvalue())
