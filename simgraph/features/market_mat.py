"""One .mat file of a test set, as Market-style baselines write it: pytorch_result.mat."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simgraph.features.mat_files import read_mat_files

KEYS = {
    "query_f": "query_feat",
    "gallery_f": "gallery_feat",
    "query_label": "query_pid",
    "gallery_label": "gallery_pid",
    "query_cam": "query_cam",
    "gallery_cam": "gallery_cam",
}


def is_market_file(path: Path) -> bool:
    """Whether a path is one .mat file, and not the prefix of per-camera files."""
    return path.suffix.lower() == ".mat" and path.is_file()


def read_market_file(file: Path) -> dict[str, NDArray[Any]]:
    """Read the features and labels of both sides, under the keys of a feature file.

    Args:
        file: with `query_f` [Nq, D] and `gallery_f` [Ng, D], and optionally `query_label`,
            `gallery_label`, `query_cam` and `gallery_cam`. Other keys, such as those of
            multi-query search (`mquery_f` and so on), are not read.

    Returns:
        `query_feat`, `gallery_feat`, `query_pid` and so on.

    Raises:
        ValueError: for a file without features of both sides, or labels that are not whole.

    Source:
        github.com/layumi/Person_reID_baseline_pytorch, `test.py`.
    """
    (content,) = read_mat_files([file])
    missing = [key for key in ("query_f", "gallery_f") if key not in content]
    if missing:
        advice = "give the prefix PREFIX of official files PREFIX_cam1.mat ... instead of one file"
        raise ValueError(
            f"{file}: missing key {', '.join(missing)}; keys that are there: {list(content)}. "
            f"For features of SYSU-MM01, {advice}"
        )
    return {
        ours: content[key] if key.endswith("_f") else _labels(content[key], f"{file}: {key}")
        for key, ours in KEYS.items()
        if key in content
    }


def _labels(values: Any, name: str) -> NDArray[Any]:
    """A row or column of whole numbers, which MATLAB stores as doubles, as integers."""
    given = np.asarray(values)
    labels = given.ravel()
    if given.size != max(given.shape, default=0):
        raise ValueError(f"{name}: expected a vector of labels, got shape {list(given.shape)}")
    if labels.dtype.kind == "f":
        whole = np.isfinite(labels) & (labels % 1 == 0) & (abs(labels) < 2**53)
        if not whole.all():
            raise ValueError(f"{name}: expected whole numbers, got {labels[~whole][0]}")
        return labels.astype(np.int64)
    return labels
