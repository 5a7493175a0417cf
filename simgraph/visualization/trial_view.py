"""What a picture shows: the features of one trial, their labels, and their images if available.

feature file, or config and checkpoint → TrialView
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor

from simgraph._params import require_int
from simgraph.config import Config
from simgraph.datasets import TestSet, find_dataset
from simgraph.datasets.images import open_image
from simgraph.evaluation import excluded
from simgraph.features import Features, load_features
from simgraph.pipeline import require_labels, scoring_protocol
from simgraph.trials import Source, files_source, load_test_set, num_trials

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Images:
    """The images behind the feature rows of one side, or only their names.

    Args:
        names: N strings that identify the images.
        paths: N image files, or None if there are no images.
    """

    names: tuple[str, ...]
    paths: tuple[Path, ...] | None = None

    def __len__(self) -> int:
        """Number of images, which is the number of feature rows."""
        return len(self.names)

    def thumbnail(self, index: int, height: int = 128) -> Image.Image | None:
        """One image, scaled down with its proportions kept.

        Args:
            index: which image, 0..N − 1.
            height: largest height in pixels; the largest width is twice that. Smaller images
                are not enlarged.

        Returns:
            The image in mode RGB; None if there are no images.

        Raises:
            ValueError: for an image that cannot be read, with its path.
        """
        if self.paths is None:
            return None
        image = open_image(self.paths[index])
        image.thumbnail((2 * height, height), Image.Resampling.LANCZOS)
        return image


@dataclass(frozen=True, eq=False)
class TrialView:
    """One trial of a test set, as the pictures show it.

    Args:
        features: of both sides, with identities and cameras if they are known.
        query: the images of the queries, in the order of the feature rows.
        gallery: the images of the gallery, in the order of the feature rows.
        protocol: key of `simgraph.evaluation.PROTOCOLS`.
        title: short title of the trial.

    Raises:
        ValueError: for a number of names, or of images, that differs from that of the features.
    """

    features: Features
    query: Images
    gallery: Images
    protocol: str = "plain"
    title: str = ""

    def __post_init__(self) -> None:
        for side in ("query", "gallery"):
            images, count = getattr(self, side), len(getattr(self.features, side))
            for name, values in (("names", images.names), ("paths", images.paths)):
                if values is not None and len(values) != count:
                    raise ValueError(
                        f"{side} {name}: expected one for each of {count} features, "
                        f"got {len(values)}"
                    )

    def require_query(self, query: int) -> None:
        """Raise ValueError for a query number that does not exist."""
        require_int("query", query, 0)
        if query >= len(self.query):
            raise ValueError(f"query = {query} must be less than {len(self.query)}")

    def is_match(self, query: int) -> Tensor | None:
        """Which gallery images show the query's identity, [Ng] bool; None without identities."""
        pids = self.features.query_pids, self.features.gallery_pids
        return None if pids[0] is None or pids[1] is None else pids[1] == pids[0][query]

    def in_list(self, query: int) -> Tensor:
        """Which gallery images the protocol keeps in the query's ranked list, [Ng] bool."""
        f, one = self.features, slice(query, query + 1)
        if f.query_pids is None or f.gallery_pids is None:
            return torch.ones(len(f.gallery), dtype=torch.bool)
        cams = None if f.query_cams is None else f.query_cams[one]
        return ~excluded(f.query_pids[one], f.gallery_pids, cams, f.gallery_cams, self.protocol)[0]


def load_trial_view(config: Config, trial: int = 1, source: Source | None = None) -> TrialView:
    """Load the features of one trial, with labels and images if available.

    Args:
        config: with `features` alone, or with a dataset.
        trial: which trial, from 1; a feature file alone, and a folder, have one.
        source: gives the features of the dataset instead of the file, for example
            `simgraph.training.extraction.checkpoint_source`.

    Returns:
        The view. A feature file alone may lack identities. If the images of a dataset are not
        on this disk, the view has their names.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for settings that name no features, or a trial that does not exist.
    """
    dataset, protocol = config.dataset, scoring_protocol(config)
    require_int("trial", trial, 1)
    if trial > num_trials(dataset):
        raise ValueError(
            f"trial = {trial} must be at most {num_trials(dataset)}, the trials of {dataset.name}"
        )
    if source is None and config.features is None:
        raise ValueError("expected --features FILE, or --config FILE and --checkpoint RUN")
    if source is None and dataset.name == "features":
        file = Path(str(config.features))
        return trial_view_of_features(load_features(file), protocol, file.name)
    give = source or files_source(str(config.features), dataset)
    split, position = find_dataset(dataset.name).locate(trial)
    test_set = load_test_set(dataset, split, images=source is not None)
    rows = test_set.trials[position]
    features = give(test_set, split).select(rows.query, rows.gallery)
    require_labels(features, protocol)
    if source is None:
        _require_certain_images(features, test_set, str(config.features))
    query, gallery = (
        _images(names or samples.select(chosen).paths, test_set.root)
        for samples, chosen, names in (
            (test_set.query, rows.query, features.query_names),
            (test_set.gallery, rows.gallery, features.gallery_names),
        )
    )
    number = f", trial {trial}" if num_trials(dataset) > 1 else ""
    return TrialView(features, query, gallery, protocol, f"{dataset.name}{number}")


def trial_view_of_features(
    features: Features, protocol: str = "plain", title: str = ""
) -> TrialView:
    """View features that have no images; each row has its name, or else its number.

    Args:
        features: of both sides.
        protocol: key of `simgraph.evaluation.PROTOCOLS`.
        title: short title of the trial.

    Returns:
        The view.

    Raises:
        ValueError: for cameras that the protocol needs and the features lack.
    """
    require_labels(features, protocol)
    query, gallery = (
        Images(names or tuple(f"{side} {i}" for i in range(len(rows))))
        for side, rows, names in (
            ("query", features.query, features.query_names),
            ("gallery", features.gallery, features.gallery_names),
        )
    )
    return TrialView(features, query, gallery, protocol, title)


def _require_certain_images(features: Features, test_set: TestSet, file: str) -> None:
    if test_set.paths_listed and features.query_names is None:
        raise ValueError(
            f"{file}: rows cannot be matched to images: the identities may be positions in the "
            "sorted list of folder names (where '10' comes before '2') or their numbers, and both "
            "fit. Extract the features again, which stores the image paths, add query_name and "
            "gallery_name to the file, or name the folders with leading zeros"
        )


def _images(names: tuple[str, ...], root: Path) -> Images:
    paths = tuple(root / name for name in names)
    missing = sum(not path.is_file() for path in paths)
    if missing == 0:
        return Images(names, paths)
    if missing < len(paths):
        logger.warning(
            "%s: %d of %d images are not there: shown without images", root, missing, len(paths)
        )
    return Images(names)
