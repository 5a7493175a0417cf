from .base import METHODS, Method, parameters, rerank, rerank_distances

NAMES: tuple[str, ...]

def module_of(name: str) -> str: ...

__all__ = [
    "METHODS",
    "NAMES",
    "Method",
    "module_of",
    "parameters",
    "rerank",
    "rerank_distances",
]
