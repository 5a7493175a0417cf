"""Draw a picture as its options describe it: select the query and the image, then plot.

trial view and options → re-ranked distances → figure
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from matplotlib.figure import Figure
from torch import Tensor

import simgraph as sg
from simgraph.config import Config
from simgraph.pipeline import check_fit, method_params, score, sim_params
from simgraph.visualization import plots
from simgraph.visualization.options import CMC, Distances, Embedding, Graph, Picture, Strip
from simgraph.visualization.query_selection import most_changed_image, most_changed_query
from simgraph.visualization.trial_view import TrialView


class Drawing(NamedTuple):
    """A figure, and the text to print with it."""

    figure: Figure
    text: str = ""


def draw(view: TrialView, options: Picture) -> Drawing:
    """Rank one trial by the methods of the config, and draw it.

    Args:
        view: features, labels and images of the trial.
        options: of any picture in `simgraph.visualization.options` but the explorer.

    Returns:
        The drawing.

    Raises:
        ValueError: for parameters that do not fit the trial, or a picture that needs identities
            of a trial without them.
    """
    return _DRAW[type(options)](view, options)


def _strip(view: TrialView, options: Strip) -> Drawing:
    distances = _rank(view, options.config)
    query = _query(view, options, distances)
    rows = {method: d[query] for method, d in distances.items()}
    return Drawing(plots.draw_ranked_lists(view, query, rows, options.top))


def _graph(view: TrialView, options: Graph) -> Drawing:
    distances = _rank(view, options.config)
    query, gallery = _query(view, options, distances), options.gallery
    if gallery is None:
        before, after = (d[query] for d in _first_and_last(distances))
        gallery = most_changed_image(view, query, before, after, options.change)
    f, p = view.features, sim_params(view.features, options.config)
    graph = sg.similarity_graph(f.query, f.gallery, p.k, p.lam, normalize=options.config.normalize)
    why = sg.explain(graph, query, gallery, p.num_paths, p.k_query, p.k_gallery, p.alpha, p.expand)
    return Drawing(plots.draw_neighbor_graph(view, graph, why, options.top), str(why))


def _distances(view: TrialView, options: Distances) -> Drawing:
    distances = _rank(view, options.config)
    return Drawing(plots.draw_distance_histograms(view, distances, options.bins))


def _embedding(view: TrialView, options: Embedding) -> Drawing:
    config, p = options.config, sim_params(view.features, options.config)
    check_fit(view.features, config, p)
    identities = options.identities or None
    return Drawing(plots.draw_tsne(view, p.k, identities, config.normalize, options.seed))


def _cmc(view: TrialView, options: CMC) -> Drawing:
    distances = _rank(view, options.config)
    scores = {m: score(d, view.features, view.protocol) for m, d in distances.items()}
    return Drawing(plots.draw_cmc({method: metrics.cmc for method, metrics in scores.items()}))


_DRAW: dict[type[Picture], Callable[..., Drawing]] = {
    Strip: _strip, Graph: _graph, Distances: _distances, Embedding: _embedding, CMC: _cmc,
}  # fmt: skip


def _rank(view: TrialView, config: Config) -> dict[str, Tensor]:
    """Method of the config → its distances [Nq, Ng]."""
    f, p = view.features, sim_params(view.features, config)
    check_fit(f, config, p)
    known = config.normalize, config.params, config.memory
    params = {m: method_params(m, p, *known) for m in config.methods}
    return {m: sg.rerank(f.query, f.gallery, m, **params[m]) for m in config.methods}


def _query(view: TrialView, options: Strip | Graph, distances: dict[str, Tensor]) -> int:
    """The query asked for, or the one that changes most from the first to the last method."""
    if options.query is None:
        return most_changed_query(view, *_first_and_last(distances), options.change)
    view.require_query(options.query)
    return options.query


def _first_and_last(distances: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Distances by the first and by the last method, which may be the same."""
    rows = [*distances.values()]
    return rows[0], rows[-1]
