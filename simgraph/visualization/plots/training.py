"""Training curves: the loss of each epoch, and mAP at the evaluations during training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simgraph.visualization.plots.style import BLACK, method_lines, method_name, styled

Log = Sequence[dict[str, str]]
"""Rows of a run's log.csv."""


@styled
def draw_training(logs: Sequence[Log]) -> Figure:
    """The mean loss of each epoch, and mAP of baseline and SIM at the evaluations, in percent.

    Args:
        logs: the log of one run, or one log per trial for RegDB.

    Returns:
        The figure.
    """
    figure = Figure(figsize=(7.2, 2.9), layout="constrained")
    left, right = figure.subplots(1, 2, sharex=True)
    for number, log in enumerate(logs):
        alpha = 1.0 if len(logs) == 1 else 0.6
        epochs = [int(row["epoch"]) for row in log]
        left.plot(epochs, [float(row["loss"]) for row in log], color=BLACK, alpha=alpha)
        _draw_evaluations(right, log, alpha, labeled=number == 0)
    left.set_xlim(0.5, max(len(log) for log in logs) + 0.5)
    for axes, y_label in ((left, "mean loss"), (right, "mAP (%)")):
        axes.set(xlabel="epoch", ylabel=y_label)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(color="#e3e3e3")
    if right.lines:  # an interrupted run may have no evaluation
        right.legend()
    return figure


def _draw_evaluations(axes: Axes, log: Log, alpha: float, labeled: bool) -> None:
    for method, line in method_lines(("baseline", "sim")).items():
        key = f"{method}_mAP"
        scored = [(int(row["epoch"]), 100 * float(row[key])) for row in log if row.get(key)]
        label = method_name(method) if labeled else None
        look: dict[str, Any] = {**line.marks, "linestyle": line.linestyle, "alpha": alpha}
        if scored:
            axes.plot(*zip(*scored, strict=True), markersize=3.5, label=label, **look)
