from . import features, pedestrians

__all__ = [
    "features",
    "pedestrians",
]
