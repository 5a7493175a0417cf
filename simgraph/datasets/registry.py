"""The datasets that configs can name. A new one is a file with a `DATASET`, and an entry here."""

from __future__ import annotations

from simgraph.datasets import folder, llcm, regdb, sysu_mm01
from simgraph.datasets.base import DatasetLoader

__all__ = ["DATASETS", "find_dataset"]

DATASETS: dict[str, DatasetLoader] = {
    module.DATASET.name: module.DATASET for module in (sysu_mm01, regdb, llcm, folder)
}
"""Dataset name → loader."""


def find_dataset(name: str) -> DatasetLoader:
    """The loader of a dataset.

    Args:
        name: key of `DATASETS`.

    Returns:
        its loader.

    Raises:
        ValueError: for a name that is not there.
    """
    if name not in DATASETS:
        raise ValueError(
            f"dataset.name: expected one of {', '.join(DATASETS)}, got {name!r}, which has no "
            "images or lists"
        )
    return DATASETS[name]
