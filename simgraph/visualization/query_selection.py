"""Which query, and which gallery image, are worth a look: where re-ranking did most."""

from __future__ import annotations

from typing import Literal, TypeAlias

import torch
from torch import Tensor

from simgraph.evaluation import evaluate
from simgraph.visualization.trial_view import Scene

Change: TypeAlias = Literal["helped", "hurt"]


def striking_query(scene: Scene, before: Tensor, after: Tensor, change: Change = "helped") -> int:
    """The query whose average precision rises, or falls, most.

    Args:
        scene: with identities.
        before: distances [Nq, Ng].
        after: the same, re-ranked.
        change: `"helped"` for the greatest rise, `"hurt"` for the greatest fall.

    Returns:
        Which query; the first of several.

    Raises:
        ValueError: for a scene without identities.
    """
    f = scene.features
    if f.query_pids is None or f.gallery_pids is None:
        raise ValueError("query: expected a number, because without identities none stands out")
    labels = f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams
    first, last = (
        evaluate(d, *labels, protocol=scene.protocol).average_precision for d in (before, after)
    )
    gain = last - first if change == "helped" else first - last
    # Queries without a match are NaN.
    return int(gain.nan_to_num(-torch.inf).argmax())


def striking_image(
    scene: Scene, query: int, before: Tensor, after: Tensor, change: Change = "helped"
) -> int:
    """The right image that rises, or falls, most in a query's list; of any, without identities.

    Args:
        scene: whose query and gallery.
        query: which query.
        before: its distances [Ng].
        after: the same, re-ranked.
        change: `"helped"` for the greatest rise, `"hurt"` for the greatest fall.

    Returns:
        Which gallery image; the first of several.
    """
    seen, right = scene.seen(query), scene.right(query)
    wanted = seen if right is None or not (seen & right).any() else seen & right
    rise = _ranks(before, seen) - _ranks(after, seen)
    rise = rise if change == "helped" else -rise
    return int(torch.where(wanted, rise, -len(rise) - 1).argmax())


def _ranks(distances: Tensor, seen: Tensor) -> Tensor:
    """Place of each image in the list of those that are seen."""
    order = distances.sort(stable=True).indices
    ranks = torch.empty_like(order)
    ranks[order] = seen[order].cumsum(0)
    return ranks
