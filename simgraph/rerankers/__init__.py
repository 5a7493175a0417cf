"""Re-ranking methods behind one signature: features in, distances [Nq, Ng] out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

NAMES: tuple[str, ...] = (
    "baseline", "sgr", "mnnr", "sim", "k_reciprocal", "ecn", "gnn", "gcr", "lbr", "aim",
    "alpha_qe", "dba", "diffusion", "cmkr", "mser", "rank_sim", "sgr_authors",
    "mnnr_authors", "sim_authors",
)  # fmt: skip
"""All methods, in the order of tables. Read without importing any of them."""


def module_of(name: str) -> str:
    """The module that defines a method: its own, but one for the three of the authors' code."""
    return f"{__name__}.{'authors' if name.endswith('_authors') else name}"
