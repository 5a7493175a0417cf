"""Searches as hypothesis draws them: distances with ties, and parameters up to their limits."""

import numpy as np
import torch
from hypothesis import strategies as st

from simgraph.distances import nearest_in_distances
from simgraph.kernels.pruned_search import SIMScalars, nearest_by_sim
from simgraph.search.gallery import gallery_lists


@st.composite
def problems(draw):
    """Distances on a coarse grid, so that ties are everywhere, and parameters up to limits."""
    n = draw(st.integers(1, 40))
    seed, levels = draw(st.integers(0, 2**16)), draw(st.sampled_from([1, 2, 4, 30, 1000]))
    generator = np.random.default_rng(seed)
    d_qg, d_gg = (generator.integers(0, levels + 1, (rows, n)) / 8 for rows in (4, n))
    k = draw(st.integers(0, n - 1))
    params = {
        "k": k,
        "lam": draw(st.sampled_from([0.0, 0.01, 0.5, 1.0])),
        "num_paths": draw(st.integers(1, k + 1)),
        "k_query": draw(st.integers(1, n)),
        "k_gallery": draw(st.integers(0, k)),
        "alpha": draw(st.sampled_from([0.0, 0.3, 0.9, 1.0])),
        "expand": draw(st.booleans()),
    }
    return d_qg.astype(np.float32), d_gg.astype(np.float32), params, draw(st.integers(1, n))


def pruned(d_qg, d_gg, params, top_k, num_threads=1):
    """The lists that the pruned search finds from distances."""
    nearest = nearest_in_distances(torch.from_numpy(d_gg), params["k"])
    lists = gallery_lists(*nearest, params["k_gallery"], params["expand"])
    numbers = (params[name] for name in ("lam", "num_paths", "k_query", "alpha"))
    terms = SIMScalars.of(*numbers, d_qg.dtype)
    return nearest_by_sim(d_qg, lists, terms, top_k, num_threads)
