"""The candidates of tuning: SIM's family of one k, or the product of a grid of parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from itertools import product
from typing import Any, TypeAlias

from simgraph._params import did_you_mean
from simgraph.rerankers import parameters
from simgraph.sim.auto import from_k
from simgraph.sim.params import AUTO_PARAMETERS, SIMParams

Grid: TypeAlias = Mapping[str, Sequence[Any]]
"""Parameter → values, from the simplest on."""

FOLLOW_K = ("sgr", "mnnr", "sim")
"""Methods for which K, k_q and k_g follow k where the grid does not name them."""
FULL_RANGES: dict[str, tuple[float, ...]] = {
    "alpha": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    "lam": (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
}
"""Values that refinement tries; those of num_paths depend on k."""
REFINABLE = (*FULL_RANGES, "num_paths")


def k_values(most: int) -> list[int]:
    """A logarithmic grid of k from 1 to `most` in steps of about √2: 1, 2, 3, 4, 6, 8, 11, 16."""
    values = [round(2 ** (step / 2)) for step in range(2 * most.bit_length())]
    return list(dict.fromkeys(k for k in values if k <= most))


def sim_grid(num_gallery: int, most_images: int) -> dict[str, list[int]]:
    """The default grid of SIM.

    Args:
        num_gallery: k must be below it.
        most_images: gallery images of the largest identity. Twice as many is the largest k:
            further neighbors are of other identities.

    Returns:
        k → its values from 1 on; empty for a gallery of one image.
    """
    return {"k": k_values(min(num_gallery - 1, 2 * most_images))}


def candidates(method: str, grid: Grid) -> list[dict[str, Any]]:
    """All combinations of a grid, in its order; the last parameter varies fastest.

    Args:
        method: a key of `simgraph.rerankers.METHODS`.
        grid: its parameters and their values.

    Returns:
        Parameters by name. Those of SIM's family have K, k_q and k_g that follow k.

    Raises:
        ValueError: for a parameter that the method does not have, or one without values.
    """
    known = parameters(method)
    for name, values in grid.items():
        if name not in known or name in ("normalize", "memory"):
            raise ValueError(
                f"grid: expected parameters of {method} ({', '.join(known)}), got {name!r}"
                f"{did_you_mean(name, known)}"
            )
        if isinstance(values, str) or len(values) == 0 or "auto" in values:
            raise ValueError(f"grid: expected a list of values for {name}, got {values!r}")
    combined = [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]
    return [_with_followers(method, own) for own in combined]


def sim_params(params: Mapping[str, Any], reason: str) -> SIMParams:
    """The parameters of a candidate as one value; those it leaves out have their defaults."""
    names = {f.name for f in fields(SIMParams)}
    return SIMParams(**{n: v for n, v in params.items() if n in names} | {"reason": reason})


def refinement(parameter: str, current: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The chosen parameters, then those that differ from them in one parameter.

    Args:
        parameter: of `REFINABLE`.
        current: parameters of SIM, with k.

    Returns:
        Candidates from the nearest value to the current one on.
    """
    default = getattr(SIMParams, parameter)
    now = current.get(parameter, default)
    values: Sequence[float] = FULL_RANGES.get(parameter) or k_values(current["k"] + 1)
    others = sorted((v for v in values if v != now), key=lambda v: (abs(v - now), v))
    return [dict(current), *({**current, parameter: value} for value in others)]


def _with_followers(method: str, own: dict[str, Any]) -> dict[str, Any]:
    if method not in FOLLOW_K or "k" not in own:
        return own
    followers = from_k(own["k"], "")
    known = [name for name in AUTO_PARAMETERS if name in parameters(method)]
    return {name: followers[name] for name in known} | own
