"""What an explorer page carries: distances and neighbours as compact text, labels, thumbnails."""

from __future__ import annotations

import base64
import io
import logging
import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from simgraph._arrays import feature_pair
from simgraph.config import SIMConfig
from simgraph.distances import l2_distance, nearest_neighbors
from simgraph.evaluation import PROTOCOLS, check_labels, evaluate
from simgraph.sim.auto import resolve_auto
from simgraph.sim.fusion import fuse
from simgraph.sim.mnnr import neighbor_sets
from simgraph.sim.params import SIMParams
from simgraph.sim.sgr import two_hop_distances
from simgraph.visualization.trial_view import Images, Scene

logger = logging.getLogger(__name__)

K_MAX = 40
"""Neighbours of each gallery image that a page carries, unless its own k needs more."""

FEWEST_CANDIDATES = 50
"""Of each query, on a page that cannot carry all distances."""

_HEIGHTS = (96, 64, 48, 32)
_THUMBNAIL_SHARE = 0.2


@dataclass(frozen=True)
class PageData:
    """The parts of a page that come from a scene.

    Attributes:
        about: sizes, labels, parameters and scores, as JSON knows them.
        thumbnails: base64 images of both sides, or None.
        neighbors: base64 of uint32 indices [Ng, k_max], then float32 distances [Ng, k_max].
        distances: base64 of a row of D_qg a query, each of `about["distances"]["row_chars"]`.
    """

    about: dict[str, Any]
    thumbnails: dict[str, Any] | None
    neighbors: str
    distances: str


def page_data(scene: Scene, sim: SIMConfig, normalize: bool, max_bytes: int) -> PageData:
    """Compute and encode all that a page needs to rank every query by itself.

    Args:
        scene: features, labels and images.
        sim: the parameters that the page begins with.
        normalize: scale every feature row to length 1.
        max_bytes: what all parts together may take. D_qg is stored as float32 where that fits,
            else in 2^20 or 2^16 levels, else for each query's nearest images only.

    Returns:
        The parts.

    Raises:
        ValueError: for parameters that do not fit the gallery, and for sets that are too large.
    """
    query, gallery = feature_pair(scene.features.query, scene.features.gallery, normalize)
    p = resolve_auto(sim.params(), query, gallery, normalize)
    p.check(len(gallery))
    room = max_bytes
    thumbnails = _thumbnails(scene, int(_THUMBNAIL_SHARE * room))
    room -= _size(thumbnails)
    k_max = _neighbors_carried(len(gallery), p.k, room // 4)
    near = nearest_neighbors(gallery, k_max)
    neighbors = _text(near[1].numpy().astype("<u4").tobytes() + _float_bytes(near[0].numpy()))
    d_qg = l2_distance(query, gallery)
    about = {
        "title": scene.title or "features",
        "parameters": {name: getattr(p, name) for name in type(sim).model_fields},
        "k_max": k_max,
        **_labels(scene),
        **_scores(scene, d_qg, near, p),
    }
    room -= len(neighbors) + _size(about)
    form, distances = _encode_rows(d_qg.numpy(), room, p.k_query)
    about["distances"] = form
    return PageData(about, thumbnails, neighbors, distances)


def _neighbors_carried(num_gallery: int, k: int, room: int) -> int:
    fits = max(0, room // _text_length(8 * num_gallery))
    if k > fits:
        raise ValueError(
            f"the page has room for {fits} neighbours of each of {num_gallery} gallery images, "
            f"fewer than k = {k}: lower sim.k, raise max_mib or take part of the gallery"
        )
    return min(max(k, min(K_MAX, fits)), num_gallery - 1)


# ---- labels and scores ----


def _labels(scene: Scene) -> dict[str, Any]:
    f = scene.features
    known = f.query_pids is not None and f.gallery_pids is not None
    pids = (f.query_pids, f.gallery_pids) if known else (None, None)
    names = sorted({int(pid) for side in pids if side is not None for pid in side.tolist()})
    codes = {pid: code for code, pid in enumerate(names)}
    rule = PROTOCOLS[scene.protocol].excluded if known else "nothing"
    sides = {}
    for side, images, pid, cam in (
        ("query", scene.query, pids[0], f.query_cams),
        ("gallery", scene.gallery, pids[1], f.gallery_cams),
    ):
        sides[side] = {
            "count": len(images),
            "names": _telling_names(images, side),
            "identities": None if pid is None else [codes[p] for p in pid.tolist()],
            "cameras": None if cam is None else cam.tolist(),
        }
        if rule != "nothing" and pid is not None:
            locations = check_labels(pid, cam, len(pid), side, scene.protocol).locations
            sides[side]["locations"] = locations.tolist()
    return {**sides, "identity_names": [str(name) for name in names], "excluded": rule}


def _telling_names(images: Images, side: str) -> tuple[str, ...] | None:
    """The names, unless they only repeat the numbers of the rows."""
    numbers = tuple(f"{side} {row}" for row in range(len(images)))
    return None if images.names == numbers else images.names


def _scores(
    scene: Scene, d_qg: Tensor, near: tuple[Tensor, Tensor], p: SIMParams
) -> dict[str, Any]:
    """Rank of every query's first match and the set's scores, by each method."""
    f = scene.features
    if f.query_pids is None or f.gallery_pids is None:
        return {"first_rank": None, "scores": None}
    nearest = near[0][:, : p.k], near[1][:, : p.k]
    sets = neighbor_sets(nearest[1], p.k_gallery, p.expand)
    d_s = two_hop_distances(d_qg, nearest, p)
    every = {
        "baseline": d_qg,
        "sgr": d_s,
        "mnnr": fuse(d_qg, sets, p),
        "sim": fuse(d_s, sets, p),
    }
    first, scores = {}, {}
    for method, d in every.items():
        m = evaluate(d, f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams, scene.protocol)
        first[method] = m.first_rank.tolist()
        scores[method] = {"rank1": m.rank(1), "mAP": m.mAP}
    return {"first_rank": first, "scores": scores}


# ---- distances ----


def _encode_rows(d: NDArray[np.floating], room: int, k_query: int) -> tuple[dict[str, Any], str]:
    """D_qg [Nq, Ng] as text in the finest form that fits, and what reads it."""
    num_queries, num_gallery = d.shape
    for bits in (32, 20, 16):
        length = _text_length(math.ceil(num_gallery * bits / 8))
        if num_queries * length <= room:
            return _float_rows(d, length) if bits == 32 else _level_rows(d, bits, length)
    candidates = min(num_gallery, max(0, room // num_queries * 3 // 4 // 8))
    if candidates < max(FEWEST_CANDIDATES, k_query):
        raise ValueError(
            f"{num_queries} queries and {num_gallery} gallery images: the page has room for "
            f"{candidates} candidates of each query, expected at least "
            f"{max(FEWEST_CANDIDATES, k_query)}: raise max_mib or take part of the queries"
        )
    return _candidate_rows(d, candidates)


def _float_rows(d: NDArray[np.floating], length: int) -> tuple[dict[str, Any], str]:
    form = _form(32, length, "Distances are stored as float32, and computed on in float64.")
    return form, _joined(_float_bytes(row) for row in d)


def _level_rows(d: NDArray[np.floating], bits: int, length: int) -> tuple[dict[str, Any], str]:
    """Levels of equal step; of 20 bits the upper 16 come first, then two lower 4 a byte."""
    low, high = float(d.min()), float(d.max())
    step = (high - low) / (2**bits - 1) or 1.0
    words = (
        f"Distances are stored in 2^{bits} levels, each within {step / 2:.1e} of its value, and "
        "computed on in float64."
    )

    def packed(row: NDArray[np.floating]) -> bytes:
        levels = np.rint((row.astype(np.float64) - low) / step).astype(np.uint32)
        if bits == 16:
            return levels.astype("<u2").tobytes()
        lower = np.append(levels & 15, np.zeros(len(levels) % 2, np.uint32))
        pairs: NDArray[np.uint8] = (lower[0::2] | lower[1::2] << 4).astype(np.uint8)
        return (levels >> 4).astype("<u2").tobytes() + pairs.tobytes()

    return {**_form(bits, length, words), "low": low, "step": step}, _joined(map(packed, d))


def _candidate_rows(d: NDArray[np.floating], candidates: int) -> tuple[dict[str, Any], str]:
    words = (
        f"Only the {candidates} nearest of each query's {d.shape[1]} gallery images are stored: "
        "paths begin at those, as with candidates in simgraph.similarity_graph."
    )
    form = {**_form(32, _text_length(8 * candidates), words), "candidates": candidates}

    def packed(row: NDArray[np.floating]) -> bytes:
        nearest = np.argsort(row, kind="stable")[:candidates]
        return nearest.astype("<u4").tobytes() + _float_bytes(row[nearest])

    return form, _joined(map(packed, d))


def _form(bits: int, row_chars: int, precision: str) -> dict[str, Any]:
    return {"bits": bits, "row_chars": row_chars, "candidates": None, "precision": precision}


def _float_bytes(values: NDArray[np.floating]) -> bytes:
    return values.astype("<f4").tobytes()


def _joined(rows: Iterable[bytes]) -> str:
    return "".join(map(_text, rows))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _text_length(num_bytes: int) -> int:
    return 4 * math.ceil(num_bytes / 3)


def _size(value: Any) -> int:
    """Characters of a value as JSON, near enough."""
    if isinstance(value, dict):
        return sum(len(key) + 6 + _size(part) for key, part in value.items())
    if isinstance(value, list | tuple):
        return sum(2 + _size(part) for part in value)
    # What is not plain is written as \uXXXX, or two of those.
    return (
        sum(1 if " " < c < "\x7f" else 12 for c in value)
        if isinstance(value, str)
        else len(str(value))
    )


# ---- thumbnails ----


def _thumbnails(scene: Scene, room: int) -> dict[str, Any] | None:
    """WebP images of both sides, at the largest height that fits."""
    sides = {"query": scene.query, "gallery": scene.gallery}
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
    """Characters of all thumbnails, by some of them, and a tenth more."""
    some = np.unique(np.linspace(0, len(images) - 1, samples).astype(int))
    return (
        1.1 * len(images) * float(np.mean([len(_thumbnail(images, i, height)) + 4 for i in some]))
    )


def _thumbnail(images: Images, index: int, height: int) -> str:
    image, buffer = images.thumbnail(index, height), io.BytesIO()
    assert image is not None, "asked only where there are paths"
    image.save(buffer, "WEBP", quality=75, method=4)
    return _text(buffer.getvalue())
