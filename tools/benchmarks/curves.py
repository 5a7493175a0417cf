"""Growth of time and memory with the gallery, as a picture; needs the extra `viz`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.measurements import Result
from benchmarks.stages import FLOOR, MNNR, SETS, SGR, WHOLE
from simgraph._files import atomic_write


def draw_growth(results: list[Result], path: str | Path) -> None:
    """Draw the time of each stage and the peak memory against N_g, both axes logarithmic.

    Args:
        results: of `measure_growth`, by ascending N_g.
        path: .png to write.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ImportError("pictures need matplotlib: pip install 'simgraph[viz]'") from error
    figure = Figure(figsize=(10, 4.2), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2)
    sizes = [result.size.num_gallery for result in results]
    for name, style in ((WHOLE, "o-"), (FLOOR, "s--"), (SGR, "^-"), (SETS, "v-"), (MNNR, "d-")):
        left.plot(sizes, [result.seconds[name] for result in results], style, label=name, ms=4)
    right.plot(sizes, [r.peak[WHOLE] / 2**20 for r in results], "o-", label=WHOLE, ms=4)
    answers = [4 * r.size.num_queries * r.size.num_gallery / 2**20 for r in results]
    right.plot(sizes, answers, "s--", label="its answer, N_q × N_g", ms=4)
    _guide(left, sizes, results[-1].seconds[WHOLE], 2, "∝ N_g²")
    _guide(left, sizes, results[-1].seconds[SGR], 1, "∝ N_g")
    _guide(right, sizes, results[-1].peak[WHOLE] / 2**20, 1, "∝ N_g")
    for axes, what in ((left, "seconds"), (right, "MiB above the inputs")):
        axes.set(xscale="log", yscale="log", xlabel="gallery images N_g", ylabel=what)
        axes.set_xticks(sizes, [f"{n:,}" for n in sizes], minor=False)
        axes.set_xticks([], minor=True)
        axes.grid(alpha=0.3)
        axes.margins(y=0.35)  # room for the legend
        axes.legend(fontsize=8, loc="upper left")
    left.set_title("time, 1000 queries × 512 dimensions, " + results[0].device, fontsize=10)
    right.set_title("peak memory", fontsize=10)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="png")


def _guide(axes: Any, sizes: list[int], last: float, power: int, label: str) -> None:
    """Draw a thin line of the given slope through the last point."""
    ends = [sizes[0], sizes[-1]]
    heights = [last * (n / sizes[-1]) ** power for n in ends]
    axes.plot(ends, heights, ":", color="gray", lw=1)
    axes.annotate(label, (ends[0], heights[0]), fontsize=8, color="gray", va="bottom")
