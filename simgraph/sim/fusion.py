"""Eq. 8 and Algorithm 1: the similarity inference metric."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch_geometric.data import HeteroData

from simgraph import kernels
from simgraph._arrays import ArrayT, distance_pair, like_inputs
from simgraph._deprecation import method_of_variant
from simgraph._memory import DEFAULT, distance_blocks
from simgraph._params import checked_attribute, require_fraction
from simgraph.distances import concat_blocks, nearest_in_distances, needs_grad
from simgraph.kernels import ReciprocalSets
from simgraph.sim.auto import resolve_auto_of_distances
from simgraph.sim.mnnr import MNNR, jaccard_distance, neighbor_sets, query_sets
from simgraph.sim.params import Auto, SIMParams
from simgraph.sim.sgr import SGR, two_hop_distances

F = TypeVar("F", bound=Callable[..., Any])


class SIM(torch.nn.Module):
    r"""The similarity inference metric: distances over paths fused with distances of sets.

    $$d_{SIM}(q, g) = \alpha\, d_S(q, g) + (1 - \alpha)\, d_M(q, g)$$

    Args:
        num_paths: K >= 1, at most k + 1.
        k_query: k_q, 1..Ng.
        k_gallery: k_g, 0..k.
        alpha: α in [0, 1], the weight of d_S.
        expand: whether MNNR expands its reciprocal sets.

    Source: Jia et al., IJCAI 2020, Eq. 8 and Algorithm 1.
    """

    alpha = checked_attribute("alpha", require_fraction, "α, the weight of d_S.")

    def __init__(
        self,
        num_paths: int = 9,
        k_query: int = 20,
        k_gallery: int = 20,
        alpha: float = 0.3,
        expand: bool = True,
    ) -> None:
        super().__init__()
        self.sgr = SGR(num_paths)
        self.mnnr = MNNR(k_query, k_gallery, expand)
        self.alpha = alpha

    def forward(self, graph: HeteroData) -> Tensor:
        """Fused distances over a similarity graph.

        Args:
            graph: any valid graph, see `simgraph.similarity_graph`.

        Returns:
            d_SIM [Nq, Ng]; `inf` where d_S is; the gradient is that of α · d_S.

        Raises:
            ValueError: for an invalid graph or parameters that do not fit it.
        """
        d_s = self.sgr(graph)
        p = SIMParams(k_query=self.mnnr.k_query, alpha=self.alpha)
        return fuse(d_s, self.mnnr.reciprocal_sets(graph), p)

    def extra_repr(self) -> str:
        """The parameter that SGR and MNNR do not have."""
        return f"alpha={self.alpha}"


def _old_variant(function: F) -> F:
    """Let sim_distance take its old flag `variant`, with a warning, for one release."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if "variant" not in kwargs:
            return function(*args, **kwargs)
        from simgraph.rerankers.base import rerank_distances  # it imports this module

        method = method_of_variant("sim", kwargs.pop("variant"))
        given = inspect.signature(function).bind(*args, **kwargs).arguments
        return rerank_distances(given.pop("d_qg"), given.pop("d_gg"), method, **given)

    return cast(F, call)


@_old_variant
def sim_distance(
    d_qg: ArrayT,
    d_gg: ArrayT,
    lam: float = 0.01,
    k: int | Auto = 20,
    num_paths: int | Auto = 9,
    k_query: int | Auto = 20,
    k_gallery: int | Auto = 20,
    alpha: float = 0.3,
    expand: bool = True,
    images_per_identity: float | None = None,
    memory: str | int = DEFAULT,
) -> ArrayT:
    r"""Compute d_SIM from distance matrices, without a graph object.

    $$d_{SIM} = \alpha\, d_S + (1 - \alpha)\, d_M$$

    Args:
        d_qg: D_qg [Nq, Ng], >= 0, floating, numpy or torch.
        d_gg: D_gg [Ng, Ng], finite and >= 0, read by rows; the diagonal has no effect.
        lam: λ in [0, 1], scale of gallery distances.
        k: gallery neighbors per gallery node, itself not counted, 0 <= k < Ng; `"auto"` with
            images_per_identity.
        num_paths: K, 1..k + 1; `"auto"` follows k.
        k_query: k_q, 1..Ng, likewise.
        k_gallery: k_g, 0..k, likewise.
        alpha: α in [0, 1], weight of d_S.
        expand: whether to expand the reciprocal sets.
        images_per_identity: about how many gallery images each identity has, where that is known;
            k = `"auto"` is chosen by it.
        memory: budget of the call in addition to its inputs, in bytes or as text; calls with
            gradients may take more.

    Returns:
        d_SIM [Nq, Ng], numpy if both inputs are, else torch.

    Raises:
        ValueError: for NaN, Inf, negative distances, wrong shapes, parameters out of range, or a
            budget that does not hold the answer.

    Source: Jia et al., IJCAI 2020, Algorithm 1.
    """
    qg, gg = distance_pair(d_qg, d_gg)
    given = SIMParams(k, lam, num_paths, k_query, k_gallery, alpha, expand, images_per_identity)
    p = resolve_auto_of_distances(given, qg.shape[1])
    p.check(qg.shape[1])
    rows = distance_blocks("sim_distance", memory, qg, p.k)
    finish = from_neighbors(nearest_in_distances(gg, p.k), p)
    parts = ((part, qg[part]) for part in rows)
    d = finish(qg) if needs_grad(qg, gg) else concat_blocks(parts, len(qg), finish)
    return like_inputs(d, d_qg, d_gg)


def from_neighbors(nearest: tuple[Tensor, Tensor], p: SIMParams) -> Callable[[Tensor], Tensor]:
    """Algorithm 1 as a function of D_qg, for a gallery whose neighbors are known.

    Args:
        nearest: distances D_gg [Ng, k] of each image to its nearest, and their indices [Ng, k].
        p: checked parameters.

    Returns:
        A function of D_qg [N, Ng] that computes d_SIM [N, Ng].
    """
    sets = neighbor_sets(nearest[1], p.k_gallery, p.expand)
    return lambda d_qg: fuse(two_hop_distances(d_qg, nearest, p), sets, p)


def fuse(d: Tensor, sets: ReciprocalSets, p: SIMParams) -> Tensor:
    """Eq. 8: α · d + (1 − α) · d_M.

    Args:
        d: [Nq, Ng], what is fused with d_M and chooses N_c: d_S, or D_qg where SGR is left out.
        sets: R* of every gallery image.
        p: with k_q and α.

    Returns:
        [Nq, Ng]; `inf` where d is, for any α.
    """
    if not needs_grad(d):
        return kernels.jaccard_fuse(d, *query_sets(d, p.k_query), sets, p.alpha)
    d_m = jaccard_distance(d.detach(), p.k_query, sets)
    # 0 · inf is NaN: what no path reaches stays last.
    return torch.where(torch.isfinite(d), p.alpha * d + (1 - p.alpha) * d_m, torch.inf)
