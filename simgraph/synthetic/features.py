"""A synthetic test set: random features with the structure of SYSU-MM01's test set.

Nothing here is real data. Identities, cameras and image counts have the statistics of the real
test set, so that protocols, sizes and run times are realistic. Scores on it show how a method
works on this model of a modality gap, not how it works on people. Synthetic images, in the
layouts of SYSU-MM01 and RegDB, come from `simgraph.synthetic.pedestrians`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.io import savemat

from simgraph._files import atomic_write
from simgraph.datasets import sysu_mm01
from simgraph.datasets.samples import Samples
from simgraph.datasets.synthetic_marker import write_note
from simgraph.features import Features, save_features

__all__ = ["write_sysu_mm01"]

_TITLE = "Synthetic features, drawn by simgraph.synthetic.features."

_Floats = NDArray[np.float64]
_Counts = dict[tuple[int, int], int]  # (camera, identity) → images

# Test identities per set of cameras, and the length of each camera's list of identities: the
# indoor cameras and camera 6 recorded identities up to 333 only.
_PRESENCE = {
    "123456": 53, "3456": 37, "12456": 2, "456": 1, "346": 1, "12356": 1, "356": 1,
}  # fmt: skip
_LISTED = {1: 333, 2: 333, 3: 533, 4: 533, 5: 533, 6: 333}
_CAM3_IMAGES = 1883  # with 96 × 20 of camera 6: 3803 queries

# Latent dimensions of an identity: shared by both modalities, in visible light only (color), and
# in infrared only (heat). Infrared keeps `_KEPT` of the shared ones.
_SHARED, _PRIVATE, _KEPT, _POSES = 32, 16, 29, 8
# Lengths of the parts of a latent vector, relative to the shared part of an identity.
_COLOR, _HEAT, _CAMERA, _VIEW, _POSE, _GAP, _NOISE = 0.3, 0.5, 0.4, 0.9, 0.35, 1.0, 0.9


def write_sysu_mm01(root: str | Path, seed: int = 0, dim: int = 128) -> Path:
    """Write a synthetic counterpart of the SYSU-MM01 test set, with features instead of images.

    Writes `exp/{train,val,test}_id.txt`, `exp/rand_perm_cam.mat`, `features.npz` and
    `SYNTHETIC.txt` below `root`; `sysu_mm01.load_test(root, images=False)` lists 3803 queries and
    the galleries of 301 / 3010 (all) and 112 / 1120 (indoor) images for 1 / 10 shots. A feature is

        Q (identity + camera + view + pose [+ gap]) + noise

    with Q orthonormal. `view` is drawn per identity and camera, and `pose` per image in a few
    directions that both modalities share. Infrared lacks a part of the shared identity and the
    part of visible light, has a part of its own, and is shifted by `gap`. Distances across
    modalities are therefore poor, and distances within the gallery are good.

    Args:
        root: folder to write to, created if missing; files of an earlier call are replaced.
        seed: everything is drawn from `numpy.random.default_rng(seed)`.
        dim: feature dimension D, at least 64.

    Returns:
        `root/features.npz`, with `query_feat` [3803, D] and `gallery_feat` [N, D] float32 (N is
        the number of gallery-side images, about 6700), `query_pid`, `gallery_pid`, `query_cam`
        and `gallery_cam` int64; rows are in the order of `sysu_mm01.load_test`.

    Raises:
        ValueError: for a `dim` below 64.
    """
    latent = _SHARED + 2 * _PRIVATE
    if dim < latent:
        raise ValueError(f"dim must be at least {latent}, the latent dimension, got {dim}")
    root = Path(root)
    rng = np.random.default_rng(seed)
    (root / "exp").mkdir(parents=True, exist_ok=True)
    write_note(root, _TITLE, {"seed": seed, "dim": dim})
    _write_exp(root / "exp", rng)
    listed = sysu_mm01.load_test(root, images=False)
    query, gallery = _features(listed.query, listed.gallery, dim, rng)
    labels = (listed.query.pids, listed.gallery.pids, listed.query.cams, listed.gallery.cams)
    save_features(Features(query, gallery, *labels), root / "features.npz")
    return root / "features.npz"


def _write_exp(exp: Path, rng: np.random.Generator) -> None:
    """Draw the identities of each split, and the order of each folder's images in ten trials."""
    test = np.sort(rng.choice(np.arange(1, 334), size=96, replace=False))
    others = rng.permutation(np.setdiff1d(np.arange(1, 534), test))[:395]
    splits = {"train": np.sort(others[:296]), "val": np.sort(others[296:]), "test": test}
    for split, ids in splits.items():
        with atomic_write(exp / f"{split}_id.txt") as part:
            part.write_text(",".join(map(str, ids)) + "\n", encoding="utf-8")
    counts = _draw_counts(test, rng)
    cells = np.empty((6, 1), dtype=object)
    for cam, listed in _LISTED.items():
        cells[cam - 1, 0] = cell = np.empty((listed, 1), dtype=object)
        for pid in range(1, listed + 1):
            images = np.arange(1, counts.get((cam, pid), 0) + 1, dtype=np.uint8)
            cell[pid - 1, 0] = rng.permuted(np.tile(images, (10, 1)), axis=1)
    with atomic_write(exp / "rand_perm_cam.mat") as part:
        savemat(part, {"rand_perm_cam": cells}, appendmat=False, do_compression=True)


def _draw_counts(ids: NDArray[np.int64], rng: np.random.Generator) -> _Counts:
    """Draw the number of images per camera and test identity."""
    patterns = [pattern for pattern, times in _PRESENCE.items() for _ in range(times)]
    cameras = dict(zip(ids.tolist(), rng.permutation(patterns), strict=True))
    counts: _Counts = {}
    for cam, draw in {1: (24.5, 6.0, 13, 42), 2: (28.0, 5.0, 18, 40)}.items():
        mean, spread, low, high = draw
        for pid in (p for p in cameras if str(cam) in cameras[p]):
            counts[cam, pid] = int(np.clip(round(rng.normal(mean, spread)), low, high))
    for cam in (4, 5):
        for pid in (p for p in cameras if str(cam) in cameras[p]):
            counts[cam, pid] = 20 + int(rng.integers(1, 8) if rng.random() < 0.1 else 0)
    counts |= {(6, pid): 20 for pid in cameras}
    seen = [pid for pid in cameras if "3" in cameras[pid]]
    places = np.repeat(seen, 6)  # at most six images more than the usual 20
    extra = rng.permutation(places)[: _CAM3_IMAGES - 20 * len(seen)]
    counts |= {(3, pid): 20 + int((extra == pid).sum()) for pid in seen}
    return counts


def _features(
    query: Samples, gallery: Samples, dim: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw the features of both sides from one set of identities, cameras and poses."""
    latent = _SHARED + 2 * _PRIVATE
    ids = np.unique(np.concatenate([query.pids, gallery.pids]))
    shared = np.hstack([_unit(rng, len(ids), _SHARED), np.zeros((len(ids), 2 * _PRIVATE))])
    color, heat = (_private(rng, len(ids), part) for part in (0, 1))
    cameras = _CAMERA * _unit(rng, 7, latent)
    poses = np.hstack([_unit(rng, _POSES, _SHARED), np.zeros((_POSES, 2 * _PRIVATE))])
    mixing = np.linalg.qr(rng.normal(size=(dim, latent)))[0].T
    seen_in_infrared = np.where(np.arange(latent) < _KEPT, 1.0, 0.0)
    identity = {
        "visible": shared + _COLOR * color,
        "infrared": shared * seen_in_infrared + _HEAT * heat + _GAP * _unit(rng, 1, latent),
    }

    def draw(samples: Samples, modality: str) -> NDArray[np.float32]:
        who = np.searchsorted(ids, samples.pids)
        views = _VIEW * _unit(rng, len(ids) * 7, latent).reshape(len(ids), 7, latent)
        pose = _POSE * _unit(rng, len(who), _POSES) @ poses
        clean = identity[modality][who] + cameras[samples.cams] + views[who, samples.cams] + pose
        noisy = clean @ mixing + _NOISE * _unit(rng, len(who), dim)
        return np.asarray(noisy, dtype=np.float32)

    return draw(query, "infrared"), draw(gallery, "visible")


def _unit(rng: np.random.Generator, rows: int, columns: int) -> _Floats:
    """Draw Gaussian vectors of expected squared length 1."""
    return rng.normal(scale=columns**-0.5, size=(rows, columns))


def _private(rng: np.random.Generator, rows: int, part: int) -> _Floats:
    """Draw identity vectors in the directions of a single modality."""
    vectors = np.zeros((rows, _SHARED + 2 * _PRIVATE))
    start = _SHARED + part * _PRIVATE
    vectors[:, start : start + _PRIVATE] = _unit(rng, rows, _PRIVATE)
    return vectors
