from .base import METHODS, Method, parameters, rerank, rerank_distances

NAMES: tuple[str, ...]

__all__ = [
    "METHODS",
    "NAMES",
    "Method",
    "parameters",
    "rerank",
    "rerank_distances",
]
