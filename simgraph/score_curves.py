"""Curves of a report, drawn with matplotlib: CMC of every method, and how a network trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from simgraph.report import RANKS, Results

Log = list[dict[str, str]]
"""Rows of a run's log.csv."""

# Okabe and Ito's colours, told apart by colour-blind readers too, with markers for grey prints.
_METHODS = (("#555555", "o"), ("#0072B2", "s"), ("#E69F00", "^"), ("#009E73", "D"))
_RC: Any = {"svg.hashsalt": "simgraph", "svg.fonttype": "path", "font.size": 10}


def cmc_curves(results: Results, file: Path) -> Path:
    """Draw the CMC of every method, in percent at the ranks 1 to 20.

    Args:
        results: whose `cmc`.
        file: .svg or .png to write.

    Returns:
        file.
    """
    with mpl.rc_context(_RC):
        figure = Figure((6.5, 4), layout="constrained")
        axes = figure.subplots()
        for place, (method, shares) in enumerate(results["cmc"].items()):
            colour, marker = _METHODS[place % len(_METHODS)]
            ranks = range(1, len(shares) + 1)
            percent = [100 * share for share in shares]
            axes.plot(ranks, percent, color=colour, marker=marker, markersize=3.5, label=method)
        _dress(axes, "rank r", "CMC in %")
        axes.set_xticks(RANKS)
        axes.legend(loc="lower right", frameon=False)
        return _saved(figure, file)


def training_curves(logs: Sequence[Log], file: Path) -> Path:
    """Draw the loss of each epoch, and mAP of baseline and SIM at the evaluations.

    Args:
        logs: of one run, or of RegDB's, one a trial.
        file: .svg or .png to write.

    Returns:
        file.
    """
    with mpl.rc_context(_RC):
        figure = Figure((9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2, sharex=True)
        for number, log in enumerate(logs):
            epochs = [int(row["epoch"]) for row in log]
            alpha = 1.0 if len(logs) == 1 else 0.6
            left.plot(epochs, [float(row["loss"]) for row in log], color="#333333", alpha=alpha)
            for method, (colour, marker) in zip(("baseline", "sim"), _ends(), strict=True):
                key = f"{method}_mAP"
                seen = [(int(r["epoch"]), 100 * float(r[key])) for r in log if r.get(key)]
                label = method if number == 0 else None
                right.plot(
                    *zip(*seen, strict=True), color=colour, marker=marker, alpha=alpha, label=label
                )
        left.set_xlim(0.5, max(len(log) for log in logs) + 0.5)
        _dress(left, "epoch", "mean loss")
        _dress(right, "epoch", "mAP in %")
        if right.lines:  # a run may not have come to an evaluation yet
            right.legend(loc="best", frameon=False)
        return _saved(figure, file)


def _ends() -> tuple[tuple[str, str], tuple[str, str]]:
    """Looks of baseline and SIM, the first and the last method."""
    return _METHODS[0], _METHODS[-1]


def _dress(axes: Any, x: str, y: str) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)


def _saved(figure: Figure, file: Path) -> Path:
    # Without the time, so that the same figures make the same file.
    figure.savefig(file, metadata={"Date": None} if file.suffix == ".svg" else None)
    return file
