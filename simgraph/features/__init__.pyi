from .features import Features, load_array, load_features, save_features

__all__ = [
    "Features",
    "load_array",
    "load_features",
    "save_features",
]
