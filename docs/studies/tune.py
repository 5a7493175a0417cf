"""Regret of tuning: real sets whose identities are halved, and Omniglot's own split.

    python docs/studies/tune.py ../shared/data

Each half of the identities of a real set is tuned on once and tested on by the other one. Omniglot
is tuned on its training characters and tested on its test characters, with the pixels of blurred
images as features.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageFilter

import simgraph as sg
from simgraph.features import Features, load_features
from simgraph.studies.tuning_grid import candidates, k_values


def main(data: Path) -> None:
    """Print a row of the table for each set."""
    print("| set | tuned k | best k | baseline | tuned | best fixed | regret |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    regrets = [row(name, *parts) for name, *parts in all_sets(data)]
    print(f"mean regret {np.mean(regrets):.2f}, worst {max(regrets):.2f}")


def all_sets(data: Path):
    """Name, features to tune on, features to test on."""
    for file in sorted((data / "real").glob("*.npz")):
        first, second = halves(load_features(file))
        yield f"{file.stem}, first half", first, second
        yield f"{file.stem}, second half", second, first
    if (data / "omniglot").is_dir():
        yield "omniglot_pixels", *(omniglot(data / "omniglot" / part) for part in ("train", "test"))


def halves(features: Features, seed: int = 0) -> tuple[Features, Features]:
    """The features of two disjoint halves of the identities."""
    query, gallery = features.query_pids.numpy(), features.gallery_pids.numpy()
    identities = np.random.default_rng(seed).permutation(np.union1d(query, gallery))
    parts = identities[: len(identities) // 2], identities[len(identities) // 2 :]
    first, second = (
        features.select(np.flatnonzero(np.isin(query, p)), np.flatnonzero(np.isin(gallery, p)))
        for p in parts
    )
    return first, second


def omniglot(folder: Path, size: int = 16) -> Features:
    """Pixels of the images of one split: pen trajectories of writers 1–10 ask, scans of 11–20."""
    query, query_pids = pixels(folder / "infrared", range(1, 11), size)
    gallery, gallery_pids = pixels(folder / "visible", range(11, 21), size)
    return Features(query, gallery, query_pids, gallery_pids)


def pixels(folder: Path, writers: range, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Blurred images [N, size²] in light strokes on dark, without their mean, and identities."""
    rows, pids = [], []
    for pid, identity in enumerate(sorted(folder.iterdir())):
        for file in sorted(identity.iterdir()):
            if int(file.name[1:3]) in writers:
                image = Image.open(file).convert("L").filter(ImageFilter.GaussianBlur(3))
                values = np.asarray(image.resize((size, size)), dtype=np.float32).ravel()
                rows.append(np.abs(values - np.median(values)))
                pids.append(pid)
    features = np.stack(rows)
    return features - features.mean(axis=1, keepdims=True), np.array(pids)


def mean_precision(f: Features, params: dict) -> float:
    """The mAP of SIM in percent; without parameters, of the baseline."""
    d = sg.rerank(f.query, f.gallery, "sim" if params else "baseline", **params)
    return 100 * sg.evaluate(d, f.query_pids, f.gallery_pids).mAP


def measured(tuning: Features, test: Features) -> dict[str, float]:
    """Tuned k, best k, and the test mAP of both and of the baseline."""
    result = sg.tune(tuning.query, tuning.gallery, tuning.query_pids, tuning.gallery_pids)
    most = min(len(test.gallery) - 1, 128)
    scores = {p["k"]: mean_precision(test, p) for p in candidates("sim", {"k": k_values(most)})}
    baseline = mean_precision(test, {})
    best = max(scores, key=scores.__getitem__) if max(scores.values()) > baseline else 0
    tuned = mean_precision(test, result.params)
    return {
        "k": result.sim.k, "best_k": best, "baseline": baseline, "tuned": tuned,
        "best": max(baseline, *scores.values()),
    }  # fmt: skip


def row(name: str, tuning: Features, test: Features) -> float:
    """Print the row of a set; return its regret in points of mAP."""
    m = measured(tuning, test)
    regret = m["best"] - m["tuned"]
    print(
        f"| `{name}` | {m['k']} | {m['best_k']} | {m['baseline']:.2f} | {m['tuned']:.2f} | "
        f"{m['best']:.2f} | {regret:.2f} |",
        flush=True,
    )
    return regret


if __name__ == "__main__":
    torch.set_num_threads(2)
    main(Path(sys.argv[1]))
