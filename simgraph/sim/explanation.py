"""Why SIM ranks a gallery image where it does: the paths, sets and terms of one distance."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph._params import require_int
from simgraph.distances import k_smallest
from simgraph.graph.edges import MATCHES, NEAR, near_edges, query_distances
from simgraph.graph.validate import validate_graph
from simgraph.sim.fusion import SIM, fuse
from simgraph.sim.mnnr import jaccard_distance
from simgraph.sim.params import SIMParams


class Path(NamedTuple):
    """A path from the query to the gallery image; see `Explanation.paths`."""

    via: int | None
    """The gallery image between them; None for the direct edge."""
    query_hop: float
    """D_qg(q, g_t), or the direct distance."""
    gallery_hop: float
    """λ·D_gg(g_t, g_j), 0 for the direct edge."""
    length: float
    """Their sum."""


class Stage(NamedTuple):
    """Distance and rank of the gallery image by one method."""

    distance: float
    """`inf` where there is no path."""
    rank: int
    """Place in the query's ranked list, from 1, ties to the lower index."""


class Stages(NamedTuple):
    """The four methods; MNNR is α · D_qg + (1 − α) · d_M with N_c chosen by D_qg."""

    baseline: Stage
    sgr: Stage
    mnnr: Stage
    sim: Stage


@dataclass(frozen=True)
class Explanation:
    """The parts of d_SIM of one query and one gallery image; `str` writes them out.

    Attributes:
        query, gallery: indices of the two images.
        num_paths, k_query, k_gallery, alpha, expand: the parameters K, k_q, k_g, α, expansion.
        stages: distance and rank of the gallery image by baseline, SGR, MNNR and SIM.
        direct: D_qg(q, g); `inf` where there is no such edge.
        paths: the paths whose mean is d_S, shortest first: K, or all if there are fewer.
        query_set: N_c(q), nearest by d_S first.
        gallery_set: R*(g), ascending.
        shared: members of both, in the order of query_set.
        d_s: mean of the paths; `inf` where there are none.
        d_m: 1 − |N_c ∩ R*| / |N_c ∪ R*|.
        term_s, term_m: α · d_S and (1 − α) · d_M.
        d_sim: their sum.
    """

    query: int
    gallery: int
    num_paths: int
    k_query: int
    k_gallery: int
    alpha: float
    expand: bool
    stages: Stages
    direct: float
    paths: tuple[Path, ...]
    query_set: tuple[int, ...]
    gallery_set: tuple[int, ...]
    shared: tuple[int, ...]
    d_s: float
    d_m: float
    term_s: float
    term_m: float
    d_sim: float

    def to_dict(self) -> dict[str, Any]:
        """The fields in JSON types: tuples as lists or objects, `inf` as None."""
        return {key: _plain(value) for key, value in asdict(self).items()}

    def __str__(self) -> str:
        s = self.stages
        where = (
            f"baseline {s.baseline.rank}, SGR {s.sgr.rank}, MNNR {s.mnnr.rank}, SIM {s.sim.rank}"
        )
        return "\n".join(
            [
                f"query {self.query}, gallery image {self.gallery}: rank by {where}",
                f"d_SIM = α · d_S + (1 − α) · d_M = {self.alpha:g} · {self.d_s:.4f} "
                f"+ {1 - self.alpha:g} · {self.d_m:.4f} = {self.term_s:.4f} + {self.term_m:.4f} "
                f"= {self.d_sim:.4f}",
                *self._paths_in_words(),
                *self._sets_in_words(),
            ]
        )

    def _paths_in_words(self) -> list[str]:
        if not self.paths:
            return ["d_S: no path leads to it"]
        lines = [f"d_S = {self.d_s:.4f}, the mean of the {len(self.paths)} shortest paths:"]
        for path in self.paths:
            if path.via is None:
                lines.append(f"  directly: {path.length:.4f}")
            else:
                hops = f"{path.query_hop:.4f} + {path.gallery_hop:.4f} = {path.length:.4f}"
                lines.append(f"  over {path.via}: {hops}")
        if all(path.via is not None for path in self.paths):
            lines.append(f"  not among them: directly, {self.direct:.4f}")
        return lines

    def _sets_in_words(self) -> list[str]:
        union = len(self.query_set) + len(self.gallery_set) - len(self.shared)
        return [
            f"d_M = 1 − {len(self.shared)}/{union} = {self.d_m:.4f}",
            f"  N_c(q), {len(self.query_set)}: {_listed(self.query_set)}",
            f"  R*(g), {len(self.gallery_set)}: {_listed(self.gallery_set)}",
            f"  in both, {len(self.shared)}: {_listed(self.shared)}",
        ]


@torch.no_grad()
def explain(
    graph: HeteroData,
    query: int,
    gallery: int,
    num_paths: int = 9,
    k_query: int = 20,
    k_gallery: int = 20,
    alpha: float = 0.3,
    expand: bool = True,
) -> Explanation:
    r"""Break d_SIM of one query and one gallery image down into its parts.

    $$d_{SIM}(q, g) = \alpha \frac{1}{K} \sum_{t \in S} D_{qg}(q, g_t) + \lambda D_{gg}(g_t, g)
      + (1 - \alpha) \Big( 1 - \frac{|N_c(q) \cap R^*(g)|}{|N_c(q) \cup R^*(g)|} \Big)$$

    Only the row of the query is computed, by the modules that compute the whole matrix. Among
    paths of equal length the direct one comes first, then the one over the nearer neighbor.

    Args:
        graph: any valid graph, see `simgraph.similarity_graph`.
        query: index of the query, 0..Nq − 1.
        gallery: index of the gallery image, 0..Ng − 1.
        num_paths: K >= 1, at most k + 1.
        k_query: k_q, 1..Ng.
        k_gallery: k_g, 0..k.
        alpha: α in [0, 1], the weight of d_S.
        expand: whether MNNR expands its reciprocal sets.

    Returns:
        The parts, in the graph's precision, and the ranks before and after each stage.

    Raises:
        ValueError: for an invalid graph, an image it does not have, or parameters that do not
            fit the graph.

    Source: Jia et al., IJCAI 2020, Eq. 4–8.
    """
    sim = SIM(num_paths, k_query, k_gallery, alpha, expand)
    p = SIMParams(k_query=k_query, alpha=alpha)
    validate_graph(graph)
    _require_node(graph, "query", query)
    _require_node(graph, "gallery", gallery)
    row = _one_query(graph, query)

    d_qg, d_s, sets = query_distances(row), sim.sgr(row), sim.mnnr.reciprocal_sets(row)
    d_m = jaccard_distance(d_s, k_query, sets)
    by_mnnr, by_sim = (fuse(d, sets, p) for d in (d_qg, d_s))
    nearest, chosen = k_smallest(d_s, k_query)
    query_set = tuple(chosen[torch.isfinite(nearest)].tolist())
    gallery_set = tuple(sets.member[sets.owner == gallery].tolist())
    reached = bool(torch.isfinite(d_s[0, gallery]))
    return Explanation(
        query=int(query),
        gallery=int(gallery),
        num_paths=int(num_paths),
        k_query=int(k_query),
        k_gallery=int(k_gallery),
        alpha=float(alpha),
        expand=expand,
        stages=Stages(*(_stage(d[0], gallery) for d in (d_qg, d_s, by_mnnr, by_sim))),
        direct=float(d_qg[0, gallery]),
        paths=_winning_paths(row, d_qg[0], gallery, num_paths),
        query_set=query_set,
        gallery_set=gallery_set,
        shared=tuple(g for g in query_set if g in gallery_set),
        d_s=float(d_s[0, gallery]),
        d_m=float(d_m[0, gallery]),
        # 0 · inf is NaN: what no path reaches stays last.
        term_s=float(alpha * d_s[0, gallery]) if reached else math.inf,
        term_m=float((1 - alpha) * d_m[0, gallery]),
        d_sim=float(by_sim[0, gallery]),
    )


def _require_node(graph: HeteroData, node: str, index: int) -> None:
    require_int(node, index, 0)
    if index >= graph[node].num_nodes:
        raise ValueError(f"{node} = {index} must be less than {graph[node].num_nodes}")


def _one_query(graph: HeteroData, query: int) -> HeteroData:
    """The graph with one of its queries."""
    row, own = HeteroData(), graph[MATCHES].edge_index[0] == query
    if hasattr(graph, "k"):
        row.k = graph.k
    row["query"].num_nodes, row["gallery"].num_nodes = 1, graph["gallery"].num_nodes
    columns = graph[MATCHES].edge_index[1, own]
    row[MATCHES].edge_index = torch.stack([torch.zeros_like(columns), columns])
    row[MATCHES].edge_weight = graph[MATCHES].edge_weight[own]
    for key in ("edge_index", "edge_weight", "edge_distance"):
        if key in graph[NEAR]:
            row[NEAR][key] = graph[NEAR][key]
    return row


def _winning_paths(
    graph: HeteroData, direct: Tensor, gallery: int, num_paths: int
) -> tuple[Path, ...]:
    """The K shortest paths to one gallery image, or all if there are fewer."""
    edges = near_edges(graph)
    into = edges.target == gallery
    via, last = edges.source[into], edges.weight[into]
    first = direct[via]
    # Stable, and self comes first in the edges' order: the direct path wins ties.
    order = (first + last).argsort(stable=True)[:num_paths]
    order = order[torch.isfinite(first[order])]
    columns = (via, first, last, first + last)
    rows = zip(*(values[order].tolist() for values in columns), strict=True)
    return tuple(Path(None if t == gallery else t, *weights) for t, *weights in rows)


def _stage(distances: Tensor, gallery: int) -> Stage:
    own = distances[gallery]
    nearer = int((distances < own).sum() + (distances[:gallery] == own).sum())
    return Stage(float(own), nearer + 1)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(part) for key, part in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return None if value == math.inf else value


def _listed(members: tuple[int, ...]) -> str:
    return " ".join(map(str, members)) or "none"
