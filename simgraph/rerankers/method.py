"""What the library knows of a re-ranking method."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor


@dataclass(frozen=True)
class Method:
    """A re-ranking method, with the facts that a fair comparison states.

    Attributes:
        name: the name that `rerank` and configs know the method by.
        run: called with query [Nq, D], gallery [Ng, D] and the method's own parameters by keyword;
            returns distances [Nq, Ng].
        transductive: whether the distances of a query depend on the other queries.
        needs: `"distances"` where the method reads features through distances or similarities
            alone, `"features"` where it computes with the vectors themselves.
        cost: work and memory, in addition to the matrix products that give the distances.
        source: the paper.
        from_distances: the method on a `DistanceSource`, with all its parameters by keyword; None
            for methods that need features.
    """

    name: str
    run: Callable[..., Any]
    transductive: bool
    needs: Literal["features", "distances"]
    cost: str
    source: str
    from_distances: Callable[..., Tensor] | None = None
