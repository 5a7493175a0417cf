from .base import METHODS, Method, parameters, rerank, rerank_distances

__all__ = [
    "METHODS",
    "Method",
    "parameters",
    "rerank",
    "rerank_distances",
]
