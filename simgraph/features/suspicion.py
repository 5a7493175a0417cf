"""Features whose scores would be perfect, or empty, for a reason other than a good network."""

from __future__ import annotations

import logging

from torch import Tensor

from simgraph.features.features import Features

logger = logging.getLogger(__name__)


def warn_if_suspicious(features: Features) -> None:
    """Warn of constant features, and of queries whose very row is in the gallery.

    Args:
        features: of one trial.
    """
    if bool((features.query == features.gallery[0]).all()) and bool(
        (features.gallery == features.gallery[0]).all()
    ):
        logger.warning(
            "all features are the same row, so all distances are equal and the ranking is the "
            "order of the gallery: the scores mean nothing"
        )
        return
    shared = _count_shared_rows(features.query, features.gallery)
    if 2 * shared >= len(features.query):
        logger.warning(
            "%d of %d query rows are also in the gallery, bit for bit: their first match may be "
            "the query image itself. Check that the two sides are not the same images; protocols "
            "with cameras exclude the query's own image only if its labels agree",
            shared, len(features.query),
        )  # fmt: skip


def _count_shared_rows(query: Tensor, gallery: Tensor) -> int:
    rows = {row.tobytes() for row in gallery.detach().cpu().numpy()}
    return sum(row.tobytes() in rows for row in query.detach().cpu().numpy())
