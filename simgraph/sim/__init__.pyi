from . import authors, auto
from .explanation import Explanation, explain
from .fusion import SIM, sim_distance
from .mnnr import MNNR
from .sgr import SGR, KSmallestMean

__all__ = [
    "MNNR",
    "SGR",
    "SIM",
    "Explanation",
    "KSmallestMean",
    "authors",
    "auto",
    "explain",
    "sim_distance",
]
