"""The slow, obvious way: equations 1 and 4 to 8 by loops and sets, and inputs to try them on.

Nothing here comes from simgraph. Every matrix is a float64 array or a list of lists, every sum
goes from the smallest term to the largest, so that float64 answers can be compared exactly.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch_geometric.data import HeteroData

INF = math.inf

# --- Eq. 1: neighbors -----------------------------------------------------------------------


def neighbor_lists(d_gg, k):
    """Each gallery node's k nearest others, nearest first, ties to the lower index."""
    n = len(d_gg)
    return [
        sorted((t for t in range(n) if t != j), key=lambda t, j=j: (d_gg[j][t], t))[:k]
        for j in range(n)
    ]


def graph_edges(d_qg, d_gg, lam, k):
    """Eq. 1 as two dictionaries: (query, gallery) -> weight and (neighbor, target) -> weight."""
    matches = {(q, g): float(d) for q, row in enumerate(d_qg) for g, d in enumerate(row)}
    near = {
        (t, j): lam * float(d_gg[j][t])
        for j, list_of_j in enumerate(neighbor_lists(d_gg, k))
        for t in list_of_j
    }
    return matches, near


# --- Eq. 2 to 5: paths -----------------------------------------------------------------------


def mean_of_smallest(values, count):
    """Mean of the `count` smallest finite values, of all when there are fewer, inf of none."""
    smallest = sorted(v for v in values if v < INF)[:count]
    total = 0.0
    for value in smallest:
        total += value
    return total / len(smallest) if smallest else INF


def edge_sgr(num_queries, num_gallery, matches, near, num_paths, num_hops=2):
    """Mean of the K smallest paths over explicit edges; self-loops are the direct edges."""
    result = np.empty((num_queries, num_gallery))
    last_hops = [[] for _ in range(num_gallery)]
    for (t, j), weight in near.items():
        if t != j:
            last_hops[j].append((t, weight))
    for q in range(num_queries):
        direct = [matches.get((q, g), INF) for g in range(num_gallery)]
        legs = shortest_walk(direct, near, None if num_hops is None else num_hops - 1)
        for j in range(num_gallery):
            paths = [direct[j], *(legs[t] + weight for t, weight in last_hops[j])]
            result[q, j] = mean_of_smallest(paths, num_paths)
    return result


def shortest_walk(direct, near, max_hops):
    """Shortest path of at most max_hops edges from one query to every gallery node."""
    best, hops = list(direct), 1
    while max_hops is None or hops < max_hops:
        longer = list(best)
        for (t, j), w in near.items():
            longer[j] = min(longer[j], best[t] + w)
        if longer == best:
            break
        best, hops = longer, hops + 1
    return best


def sgr(d_qg, d_gg, lam, k, num_paths):
    """Eq. 4-5 from distances."""
    return edge_sgr(len(d_qg), len(d_gg), *graph_edges(d_qg, d_gg, lam, k), num_paths)


# --- Eq. 6 and 7: neighborhoods -------------------------------------------------------------


def reciprocal(lists, k):
    """R(g, k): g and those among its k nearest that have g among their k nearest."""
    return [{g} | {c for c in lists[g][:k] if g in lists[c][:k]} for g in range(len(lists))]


def expanded(lists, k):
    """R*(g, k): with R(c, k/2) of each member c of which more than 2/3 lies in R(g, k)."""
    whole, half = reciprocal(lists, k), reciprocal(lists, round(k / 2))
    result = []
    for members in whole:
        grown = set(members)
        for c in members:
            if 3 * len(half[c] & members) > 2 * len(half[c]):
                grown |= half[c]
        result.append(grown)
    return result


def query_neighbors(row, count):
    """The `count` images with the smallest finite values, ties to the lower index."""
    order = sorted(range(len(row)), key=lambda g: (row[g], g))[:count]
    return {g for g in order if row[g] < INF}


def set_mnnr(d_s, sets, k_query):
    """Eq. 7 from the sets R* themselves."""
    result = np.empty((len(d_s), len(sets)))
    for q, row in enumerate(d_s):
        nearest = query_neighbors(row, k_query)
        for g, members in enumerate(sets):
            result[q, g] = 1 - len(nearest & members) / len(nearest | members)
    return result


def mnnr(d_s, d_gg, k_query, k_gallery, expand):
    """Eq. 6-7 from distances."""
    lists = neighbor_lists(d_gg, k_gallery)
    return set_mnnr(d_s, (expanded if expand else reciprocal)(lists, k_gallery), k_query)


# --- Eq. 8 -----------------------------------------------------------------------------------


def fuse(d_s, d_m, alpha):
    """Eq. 8; what nothing reaches stays at inf."""
    rows = [
        [alpha * s + (1 - alpha) * m if s < INF else INF for s, m in zip(*pair, strict=True)]
        for pair in zip(d_s, d_m, strict=True)
    ]
    return np.array(rows)


def sim(d_qg, d_gg, lam, k, num_paths, k_query, k_gallery, alpha, expand):
    """Algorithm 1."""
    d_s = sgr(d_qg, d_gg, lam, k, num_paths)
    return fuse(d_s, mnnr(d_s, d_gg, k_query, k_gallery, expand), alpha)


# --- What the authors' code computes ---------------------------------------------------------


def authors_sgr(d_qg, d_gg, lam, k, num_paths):
    """k counts the node itself; column j is overwritten before j + 1 is looked at."""
    d = [[float(value) for value in row] for row in d_qg]
    lists = neighbor_lists(d_gg, k - 1)
    for j in range(len(d_gg)):
        for row in d:
            paths = [row[j], *(row[t] + lam * float(d_gg[j][t]) for t in lists[j])]
            row[j] = mean_of_smallest(paths, num_paths)
    return np.array(d)


def scaled_squares(row):
    """The squares over the largest square; all 0 stays 0."""
    squares = [float(value) * float(value) for value in row]
    return [s / (max(squares) or 1.0) for s in squares]


def exponential_weights(distances):
    """exp(-d) of each member, 1 in sum."""
    weights = {g: math.exp(-d) for g, d in distances.items()}
    total = sum(weights.values())
    return {g: w / total for g, w in weights.items()}


def authors_mnnr(d, d_gg, k_query, k_gallery, alpha, expand):
    """Weighted Jaccard distance of k_query + 1 images and R*, fused with the scaled distance."""
    lists = neighbor_lists(d_gg, k_gallery)
    member_weights = []
    for g, members in enumerate((expanded if expand else reciprocal)(lists, k_gallery)):
        # Self is told by index: whatever the diagonal says, a node is at distance 0 from itself.
        own = scaled_squares([0.0 if t == g else value for t, value in enumerate(d_gg[g])])
        member_weights.append(exponential_weights({c: own[c] for c in sorted(members)}))
    result = np.empty((len(d), len(d_gg)))
    for q, row in enumerate(d):
        scaled = scaled_squares(row)
        chosen = query_neighbors(scaled, k_query + 1)
        weights = exponential_weights({g: scaled[g] for g in sorted(chosen)})
        for g, others in enumerate(member_weights):
            m = sum(min(w, others[c]) for c, w in weights.items() if c in others)
            result[q, g] = alpha * scaled[g] + (1 - alpha) * (1 - m / (2 - m))
    return result


def authors_sim(d_qg, d_gg, lam, k, num_paths, k_query, k_gallery, alpha, expand):
    """SIM as released."""
    d_s = authors_sgr(d_qg, d_gg, lam, k, num_paths)
    return authors_mnnr(d_s, d_gg, k_query, k_gallery, alpha, expand)


# --- Inputs ----------------------------------------------------------------------------------


class Case(NamedTuple):
    """Distances and parameters that fit them."""

    d_qg: np.ndarray
    d_gg: np.ndarray
    lam: float
    k: int
    num_paths: int
    k_query: int
    k_gallery: int

    def tensors(self, dtype=torch.float64):
        """Fresh copies of both matrices: no test can spoil the next one's."""
        return torch.tensor(self.d_qg, dtype=dtype), torch.tensor(self.d_gg, dtype=dtype)

    @property
    def sgr_params(self):
        return {"lam": self.lam, "k": self.k, "num_paths": self.num_paths}

    @property
    def params(self):
        return self.sgr_params | {"k_query": self.k_query, "k_gallery": self.k_gallery}


def euclidean(x, y):
    """Float64 distances from the differences; equal rows are at exactly 0."""
    return np.sqrt(((np.asarray(x)[:, None] - np.asarray(y)[None]) ** 2).sum(2))


def point_case(seed, num_queries, num_gallery, lam, k, num_paths, k_query, k_gallery):
    """Random points: all distances are different."""
    rng = np.random.default_rng(seed)
    query, gallery = rng.normal(size=(num_queries, 4)), rng.normal(size=(num_gallery, 4))
    d_qg, d_gg = euclidean(query, gallery), euclidean(gallery, gallery)
    return Case(d_qg, d_gg, lam, k, num_paths, k_query, k_gallery)


def integer_case(seed, num_queries, num_gallery, highest, lam, k, num_paths, k_query, k_gallery):
    """Small integers: ties everywhere, zeros off the diagonal too."""
    rng = np.random.default_rng(seed)
    d_gg = rng.integers(0, highest + 1, (num_gallery, num_gallery))
    d_gg = np.triu(d_gg, 1) + np.triu(d_gg, 1).T
    d_qg = rng.integers(0, highest + 1, (num_queries, num_gallery))
    return Case(d_qg.astype(float), d_gg.astype(float), lam, k, num_paths, k_query, k_gallery)


def _cases():
    rng = np.random.default_rng(5)
    thrice = np.repeat(rng.normal(size=(5, 3)), 3, axis=0)
    query = rng.normal(size=(4, 3))
    clusters = np.repeat(rng.normal(size=(6, 3)) * 4, 6, axis=0) + rng.normal(size=(36, 3)) * 0.4
    ones = np.ones((8, 8))
    return {
        "random": point_case(0, 7, 15, 0.1, 5, 4, 4, 4),
        "defaults": point_case(1, 6, 40, 0.01, 20, 9, 20, 20),
        "clusters": Case(
            euclidean(query, clusters), euclidean(clusters, clusters), 0.1, 12, 4, 6, 8
        ),
        "not symmetric": Case(rng.random((5, 12)), rng.random((12, 12)), 0.2, 5, 2, 4, 5),
        "ties": integer_case(2, 6, 14, 3, 0.25, 6, 4, 5, 5),
        "ties of 0 and 1": integer_case(3, 6, 12, 1, 0.5, 4, 2, 3, 4),
        "all equal": Case(np.ones((3, 8)), ones, 0.5, 3, 2, 4, 3),
        "all zero": Case(np.zeros((2, 8)), 0 * ones, 0.5, 3, 2, 4, 3),
        "duplicates": Case(euclidean(query, thrice), euclidean(thrice, thrice), 0.1, 4, 2, 4, 4),
        "one query": point_case(6, 1, 9, 0.1, 3, 2, 3, 3),
        "one gallery image": Case(np.full((3, 1), 0.5), np.zeros((1, 1)), 0.1, 0, 1, 1, 0),
        "two gallery images": point_case(7, 3, 2, 0.5, 1, 2, 2, 1),
        "no neighbors": point_case(8, 3, 5, 0.5, 0, 1, 2, 0),
        "k at its limit": point_case(9, 4, 9, 0.1, 8, 9, 9, 8),
        "every path": point_case(10, 4, 11, 0.1, 4, 5, 1, 3),
        "lam 1": point_case(11, 4, 11, 1.0, 4, 2, 3, 2),
    }


CASES = _cases()

# In the authors' variant k counts the node (K <= k) and N_c has one member more (k_q < Ng).
AUTHORS_CASES = {
    name: case._replace(
        k=max(case.k, 1),
        num_paths=min(case.num_paths, max(case.k, 1)),
        k_query=min(case.k_query, len(case.d_gg) - 1),
    )
    for name, case in CASES.items()
    if len(case.d_gg) > 1
}


class EdgeCase(NamedTuple):
    """A graph by its edges: (query, gallery) and (neighbor, target) -> weight."""

    num_queries: int
    num_gallery: int
    matches: dict
    near: dict

    def graph(self, seed=None, dtype=torch.float64):
        """As HeteroData, without k and lam; edges in the dictionaries' order or shuffled."""
        return graph_of_edges(*self, seed=seed, dtype=dtype)


def graph_of_edges(num_queries, num_gallery, matches, near, seed=None, dtype=torch.float64):
    """A user-built graph; see EdgeCase."""
    graph = HeteroData()
    graph["query"].num_nodes, graph["gallery"].num_nodes = num_queries, num_gallery
    rng = None if seed is None else np.random.default_rng(seed)
    for edge, edges in (
        (("query", "matches", "gallery"), matches),
        (("gallery", "near", "gallery"), near),
    ):
        items = list(edges.items())
        if rng is not None:
            items = [items[i] for i in rng.permutation(len(items))]
        ends = torch.tensor([ends for ends, _ in items], dtype=torch.long).reshape(-1, 2)
        graph[edge].edge_index = ends.T.contiguous()
        graph[edge].edge_weight = torch.tensor([weight for _, weight in items], dtype=dtype)
    return graph


def irregular_edges(seed, num_queries, num_gallery, share, loops):
    """Random edges: each is there by chance, so that degrees differ and nodes stand alone."""
    rng = np.random.default_rng(seed)
    matches = {
        (q, g): rng.random()
        for q in range(num_queries)
        for g in range(num_gallery)
        if rng.random() < share
    }
    near = {
        (t, j): 0.0 if t == j else rng.random() / 4
        for j in range(num_gallery)
        for t in range(num_gallery)
        if (loops if t == j else rng.random() < share)
    }
    return EdgeCase(num_queries, num_gallery, matches, near)


def _edge_cases():
    dense = irregular_edges(0, 5, 9, 0.5, loops=True)
    return {
        "irregular": dense,
        "sparse": irregular_edges(1, 6, 12, 0.15, loops=True),
        "no self-loops": irregular_edges(2, 5, 9, 0.4, loops=False),
        "some self-loops": dense._replace(
            near={ends: w for ends, w in dense.near.items() if ends[0] != ends[1] or ends[0] % 2}
        ),
        "isolated node": dense._replace(
            near={ends: w for ends, w in dense.near.items() if 4 not in ends},
            matches={ends: w for ends, w in dense.matches.items() if ends[1] != 4},
        ),
        "query without edges": dense._replace(
            matches={ends: w for ends, w in dense.matches.items() if ends[0] != 2}
        ),
        "no gallery edges": dense._replace(near={}),
        "no query edges": dense._replace(matches={}),
        "no edges": EdgeCase(2, 3, {}, {}),
        "equal weights": dense._replace(
            matches=dict.fromkeys(dense.matches, 0.5),
            near={ends: 0.25 * (ends[0] != ends[1]) for ends in dense.near},
        ),
        "zero weights": dense._replace(near=dict.fromkeys(dense.near, 0.0)),
        "one gallery image": EdgeCase(2, 1, {(1, 0): 0.5}, {}),
        "star": EdgeCase(2, 6, {(0, 0): 0.5, (1, 3): 0.25}, {(0, j): 0.125 for j in range(1, 6)}),
    }


EDGE_CASES = _edge_cases()
