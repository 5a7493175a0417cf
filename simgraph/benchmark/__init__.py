"""What SIM costs, beside what it cannot cost less than and what one would run otherwise."""

from simgraph.benchmark.curves import draw_growth
from simgraph.benchmark.measurements import Result, measure, measure_growth
from simgraph.benchmark.sizes import SIZES, Size
from simgraph.benchmark.tables import markdown, write_results

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
