from .page import write_explorer

__all__ = [
    "write_explorer",
]
