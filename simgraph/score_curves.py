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
# Eight colours and seven markers: fifty-six methods before two look alike.
_COLOURS = (
    "#555555", "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442"
)  # fmt: skip
_MARKERS = "os^Dvp*"
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
            ranks = range(1, len(shares) + 1)
            percent = [100 * share for share in shares]
            axes.plot(ranks, percent, **_look(place), markersize=3.5, label=method)
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
            for method, place in (("baseline", 0), ("sim", 3)):
                key = f"{method}_mAP"
                seen = [(int(r["epoch"]), 100 * float(r[key])) for r in log if r.get(key)]
                label = method if number == 0 else None
                right.plot(*zip(*seen, strict=True), **_look(place), alpha=alpha, label=label)
        left.set_xlim(0.5, max(len(log) for log in logs) + 0.5)
        _dress(left, "epoch", "mean loss")
        _dress(right, "epoch", "mAP in %")
        if right.lines:  # a run may not have come to an evaluation yet
            right.legend(loc="best", frameon=False)
        return _saved(figure, file)


def _look(place: int) -> dict[str, Any]:
    """Colour and marker of a method, by its place in the table."""
    return {
        "color": _COLOURS[place % len(_COLOURS)],
        "marker": _MARKERS[place % len(_MARKERS)],
    }


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
