from .index import SIMIndex

__all__ = [
    "SIMIndex",
]
