"""Select the query, and the gallery image, that re-ranking changed most."""

from __future__ import annotations

import torch
from torch import Tensor

from simgraph.evaluation import evaluate
from simgraph.visualization.options import Change
from simgraph.visualization.trial_view import TrialView


def most_changed_query(
    view: TrialView, before: Tensor, after: Tensor, change: Change = "helped"
) -> int:
    """The query whose average precision rises, or falls, most.

    Args:
        view: with identities.
        before: distances [Nq, Ng].
        after: re-ranked distances [Nq, Ng].
        change: `"helped"` for the largest rise, `"hurt"` for the largest fall.

    Returns:
        The number of the query, the lowest if several are equal.

    Raises:
        ValueError: for a view without identities.
    """
    f = view.features
    if f.query_pids is None or f.gallery_pids is None:
        raise ValueError(
            "query: expected a number, got none: without identities no query can be selected"
        )
    labels = f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams
    first, last = (
        evaluate(d, *labels, protocol=view.protocol).average_precision for d in (before, after)
    )
    gain = last - first if change == "helped" else first - last
    # Queries without a match are NaN.
    return int(gain.nan_to_num(-torch.inf).argmax())


def most_changed_image(
    view: TrialView, query: int, before: Tensor, after: Tensor, change: Change = "helped"
) -> int:
    """The correct match that rises, or falls, most in a query's list.

    Without identities, and for queries without a match, any image of the list counts.

    Args:
        view: with the query and the gallery.
        query: which query, 0..Nq − 1.
        before: distances of this query [Ng].
        after: re-ranked distances of this query [Ng].
        change: `"helped"` for the largest rise, `"hurt"` for the largest fall.

    Returns:
        The number of the gallery image, the lowest if several are equal.
    """
    in_list, is_match = view.in_list(query), view.is_match(query)
    wanted = in_list if is_match is None or not (in_list & is_match).any() else in_list & is_match
    rise = _ranks(before, in_list) - _ranks(after, in_list)
    rise = rise if change == "helped" else -rise
    # No rank changes by more than Ng − 1: the images that are not wanted come last.
    return int(torch.where(wanted, rise, -len(rise) - 1).argmax())


def _ranks(distances: Tensor, in_list: Tensor) -> Tensor:
    """Rank of each image, counting only the images of the list."""
    order = distances.sort(stable=True).indices
    ranks = torch.empty_like(order)
    ranks[order] = in_list[order].cumsum(0)
    return ranks
