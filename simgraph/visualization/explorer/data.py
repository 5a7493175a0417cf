"""What an explorer page carries: distances and neighbors, labels, scores, thumbnails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from simgraph._arrays import feature_pair
from simgraph.config import SIMConfig
from simgraph.distances import l2_distance, nearest_neighbors
from simgraph.evaluation import PROTOCOLS, check_labels, evaluate
from simgraph.sim.auto import resolve_auto
from simgraph.sim.fusion import fuse
from simgraph.sim.mnnr import neighbor_sets
from simgraph.sim.params import SIM_PARAMETERS, SIMParams
from simgraph.sim.sgr import two_hop_distances
from simgraph.visualization.explorer.encoding import (
    as_json,
    as_text,
    encode_rows,
    encode_thumbnails,
    float_bytes,
    text_length,
)
from simgraph.visualization.trial_view import Images, TrialView

MAX_NEIGHBORS = 40
"""Neighbors of each gallery image that a page carries, unless its own k is larger."""

_THUMBNAIL_SHARE = 0.2


@dataclass(frozen=True)
class PageData:
    """The parts of a page that depend on the trial.

    Attributes:
        about: sizes, labels, parameters and scores, as plain JSON values.
        thumbnails: base64 images of both sides, or None.
        neighbors: base64 of uint32 indices [Ng, k_max], then float32 distances [Ng, k_max].
        distances: base64 rows of D_qg, one per query, each `about["distances"]["row_chars"]` long.
    """

    about: dict[str, Any]
    thumbnails: dict[str, Any] | None
    neighbors: str
    distances: str


def page_data(view: TrialView, sim: SIMConfig, normalize: bool, max_bytes: int) -> PageData:
    """Compute and encode everything that a page needs to rank every query by itself.

    Args:
        view: features, labels and images.
        sim: the parameters that the page starts with.
        normalize: scale every feature row to length 1.
        max_bytes: limit for all parts together. D_qg is stored as float32 if that fits, else in
            2^16 levels, else only for the nearest images of each query.

    Returns:
        The parts.

    Raises:
        ValueError: for parameters that do not fit the gallery, and for sets that are too large.
    """
    query, gallery = feature_pair(view.features.query, view.features.gallery, normalize)
    p = resolve_auto(sim.params(), query, gallery, normalize)
    p.check(len(gallery))
    room = max_bytes
    thumbnails = encode_thumbnails(view, int(_THUMBNAIL_SHARE * room))
    room -= len(as_json(thumbnails))
    k_max = _neighbors_carried(len(gallery), p.k, room // 4)
    near = nearest_neighbors(gallery, k_max)
    neighbors = as_text(near[1].numpy().astype("<u4").tobytes() + float_bytes(near[0].numpy()))
    d_qg = l2_distance(query, gallery)
    about = {
        "title": view.title or "features",
        "parameters": {name: getattr(p, name) for name in SIM_PARAMETERS},
        "k_max": k_max,
        **_labels(view),
        **_scores(view, d_qg, near, p),
    }
    room -= len(neighbors) + len(as_json(about))
    form, distances = encode_rows(d_qg.numpy(), room, p.k_query)
    about["distances"] = form
    return PageData(about, thumbnails, neighbors, distances)


def _neighbors_carried(num_gallery: int, k: int, room: int) -> int:
    fits = max(0, room // text_length(8 * num_gallery))
    if k > fits:
        raise ValueError(
            f"the page has room for {fits} neighbors of each of {num_gallery} gallery images, "
            f"fewer than k = {k}: lower sim.k, raise max_mib or take part of the gallery"
        )
    return min(max(k, min(MAX_NEIGHBORS, fits)), num_gallery - 1)


# ---- labels and scores ----


def _labels(view: TrialView) -> dict[str, Any]:
    """Names, identities and cameras of both sides, and what decides whether a pair is excluded."""
    f = view.features
    known = f.query_pids is not None and f.gallery_pids is not None
    pids = (f.query_pids, f.gallery_pids) if known else (None, None)
    names = sorted({int(pid) for side in pids if side is not None for pid in side.tolist()})
    codes = {pid: code for code, pid in enumerate(names)}
    rules = PROTOCOLS[view.protocol]
    rule = rules.excluded if known else "nothing"
    junk = codes.get(rules.junk_pid) if rules.junk_pid is not None else None
    sides = {}
    for side, images, pid, cam in (
        ("query", view.query, pids[0], f.query_cams),
        ("gallery", view.gallery, pids[1], f.gallery_cams),
    ):
        sides[side] = {
            "count": len(images),
            "names": _own_names(images, side),
            "identities": None if pid is None else [codes[p] for p in pid.tolist()],
            "cameras": None if cam is None else cam.tolist(),
        }
        if rule != "nothing" and pid is not None:
            locations = check_labels(pid, cam, len(pid), side, view.protocol).locations
            sides[side]["locations"] = locations.tolist()
    identity_names = [str(name) for name in names]
    return {**sides, "identity_names": identity_names, "excluded": rule, "junk": junk}


def _own_names(images: Images, side: str) -> tuple[str, ...] | None:
    """The names of the images, unless they only repeat the numbers of the rows."""
    numbers = tuple(f"{side} {row}" for row in range(len(images)))
    return None if images.names == numbers else images.names


def _scores(
    view: TrialView, d_qg: Tensor, near: tuple[Tensor, Tensor], p: SIMParams
) -> dict[str, Any]:
    """Rank of each query's first match, and rank-1 and mAP of the trial, by each method."""
    f = view.features
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
        m = evaluate(d, f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams, view.protocol)
        first[method] = m.first_rank.tolist()
        scores[method] = {"rank1": m.rank(1), "mAP": m.mAP}
    return {"first_rank": first, "scores": scores}
