"""CMC curves of several methods in one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from simgraph.visualization.pictures.style import LINES, method_name, styled


@styled
def cmc_curves(cmc: Mapping[str, Tensor | Sequence[float]]) -> Figure:
    """The share of queries with a match among the first r images, over r.

    Args:
        cmc: method → its CMC [max_rank] in [0, 1], as of `simgraph.Metrics`.

    Returns:
        The figure, in percent.

    Raises:
        ValueError: for no curve, more than can be told apart, or an empty one.
    """
    if not 1 <= len(cmc) <= len(LINES):
        raise ValueError(f"cmc: expected 1 to {len(LINES)} methods, got {len(cmc)}")
    figure = Figure(figsize=(4, 3), layout="constrained")
    axes = figure.add_subplot(xlabel="rank", ylabel="CMC (%)")
    for line, (method, values) in zip(LINES, cmc.items(), strict=False):
        if not len(values):
            raise ValueError(f"{method}: expected a CMC of at least one rank, got none")
        axes.plot(
            range(1, len(values) + 1), [100 * float(share) for share in values],
            color=line.color, linestyle=line.linestyle, marker=line.marker, markersize=3.5,
            label=method_name(method),
        )  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.legend()
    return figure
