"""Time and memory of SIM, next to a lower bound and to plain implementations."""

from benchmarks.curves import draw_growth
from benchmarks.measurements import Result, measure, measure_growth
from benchmarks.sizes import SIZES, Size
from benchmarks.tables import markdown, write_results

__all__ = [
    "SIZES",
    "Result",
    "Size",
    "draw_growth",
    "markdown",
    "measure",
    "measure_growth",
    "write_results",
]
