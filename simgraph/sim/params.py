"""The parameters of SIM as one value, with their defaults and their checks."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from simgraph._params import check_graph_params, require_fraction, require_int

Auto: TypeAlias = Literal["auto"]

if TYPE_CHECKING:
    # Whoever computes with parameters has had them from `resolve_auto`, and reads numbers.
    IntOrAuto: TypeAlias = Any
else:
    IntOrAuto = int | Auto

SIM_PARAMETERS = ("k", "lam", "num_paths", "k_query", "k_gallery", "alpha", "expand")
"""What d_SIM depends on, in the order of the signatures."""
AUTO_PARAMETERS = ("k", "num_paths", "k_query", "k_gallery")
"""The parameters that may be `"auto"`, see `simgraph.sim.auto`."""


@dataclass(frozen=True)
class SIMParams:
    """The parameters of SGR, MNNR and SIM.

    Public signatures stay flat, and their defaults are those written here (a test compares
    them). The code behind them passes this value.

    Attributes:
        k: gallery neighbors per gallery image, the image itself not counted.
        lam: λ, scale of gallery distances.
        num_paths: K, how many shortest paths are averaged.
        k_query: k_q, size of a query's neighborhood N_c.
        k_gallery: k_g, reciprocal neighbors of a gallery image in R*.
        alpha: α, weight of d_S in the fused distance.
        expand: whether to expand the reciprocal sets.
        images_per_identity: about how many gallery images each identity has, where that is known;
            with k = `"auto"` the numbers follow it, see `simgraph.sim.auto`.
        reason: why `auto` chose these numbers, one sentence; empty where they were given. It has
            no part in comparisons.
    """

    k: IntOrAuto = 20
    lam: float = 0.01
    num_paths: IntOrAuto = 9
    k_query: IntOrAuto = 20
    k_gallery: IntOrAuto = 20
    alpha: float = 0.3
    expand: bool = True
    images_per_identity: float | None = None
    reason: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.images_per_identity is not None:
            check_images_per_identity(self.images_per_identity, self.k)

    @property
    def has_auto(self) -> bool:
        """Whether a number is still to be chosen."""
        return "auto" in (self.k, self.num_paths, self.k_query, self.k_gallery)

    @property
    def is_transductive(self) -> bool:
        """Whether the numbers depend on the queries: k is chosen by all of them."""
        return self.k == "auto" and self.images_per_identity is None

    def check(self, num_gallery: int) -> None:
        """Raise ValueError for parameters that SIM refuses on a gallery of this size."""
        self.check_sgr(num_gallery)
        self.check_mnnr(num_gallery)

    def check_sgr(self, num_gallery: int) -> None:
        """The same for the parameters of SGR: k, lam and num_paths."""
        check_graph_params(self.k, self.lam, None, num_gallery)
        check_num_paths(self.num_paths, self.k)

    def check_mnnr(self, num_gallery: int) -> None:
        """The same for the parameters of MNNR: k, k_query, k_gallery and alpha."""
        check_graph_params(self.k, 0.0, None, num_gallery)
        check_neighborhoods(self.k_query, self.k_gallery, self.k, num_gallery)
        require_fraction("alpha", self.alpha)


def check_images_per_identity(images: Any, k: Any) -> None:
    """A number of at least 1, with k = "auto"."""
    number = isinstance(images, Real) and not isinstance(images, bool)
    if not number or not 1 <= images < math.inf:
        raise ValueError(
            f"images_per_identity: expected a number of gallery images, 1 or more, got {images!r}"
        )
    if k != "auto":
        raise ValueError(
            f"images_per_identity = {images:g} is what k = 'auto' chooses by, but k = {k} was "
            "given: set k to 'auto', or leave images_per_identity out"
        )


def check_num_paths(num_paths: int, k: int | None) -> None:
    """1 <= num_paths <= k + 1; k is None where a graph does not say how it was built."""
    require_int("num_paths", num_paths, 1)
    if k is not None and num_paths > k + 1:
        raise ValueError(
            f"num_paths = {num_paths} must be at most k + 1 = {k + 1}: "
            "the direct edge and one path through each neighbor"
        )


def check_neighborhoods(k_query: int, k_gallery: int, k: int | None, num_gallery: int) -> None:
    """1 <= k_query <= Ng and 0 <= k_gallery <= k; k is None as in check_num_paths."""
    require_int("k_query", k_query, 1)
    require_int("k_gallery", k_gallery, 0)
    if k_query > num_gallery:
        raise ValueError(f"k_query = {k_query} must be at most num_gallery = {num_gallery}")
    if k is not None and k_gallery > k:
        raise ValueError(f"k_gallery = {k_gallery} must be at most k = {k}")
