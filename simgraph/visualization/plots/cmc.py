"""CMC curves of several methods in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from simgraph.visualization.plots.style import method_lines, method_name, styled

_RANKS = (1, 5, 10, 20, 50, 100)  # the ranks that tables report


@styled
def draw_cmc(cmc: Mapping[str, Tensor | Sequence[float]]) -> Figure:
    """The share of queries with a match among the first r images, over r.

    Args:
        cmc: method → its CMC [max_rank] in [0, 1], as `simgraph.Metrics` has it; any number of
            methods.

    Returns:
        The figure, in percent.

    Raises:
        ValueError: for no curve, or an empty one.
    """
    if not cmc:
        raise ValueError("cmc: expected the curve of at least one method, got none")
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.add_subplot(xlabel="rank", ylabel="CMC (%)")
    for method, line in method_lines(cmc).items():
        values = cmc[method]
        if not len(values):
            raise ValueError(f"{method}: expected a CMC of at least one rank, got none")
        axes.plot(
            range(1, len(values) + 1), [100 * float(share) for share in values],
            linestyle=line.linestyle, **line.marks, markersize=3.5, label=method_name(method),
        )  # fmt: skip
    ranks = [rank for rank in _RANKS if rank <= axes.get_xlim()[1]]
    if len(ranks) > 2:
        axes.set_xticks(ranks)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.grid(color="#e3e3e3")
    figure.legend(loc="outside right upper")
    return figure
