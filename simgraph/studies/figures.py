"""Figures of studies: curves, and points with their intervals. Needs the extra [viz]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from simgraph._files import replacing
from simgraph.rerankers import METHODS
from simgraph.studies.settings import Value

Curve = Mapping[Value, tuple[float, float]]
"""Value of what is varied → mean and deviation."""

Groups = Mapping[str, Mapping[str, tuple[float, float]]]
"""Test set → method → mean and deviation."""

# Okabe and Ito's colours are told apart with every common kind of colour vision; markers and
# dashes tell apart what has the same colour, and everything in print.
BETTER, WORSE, RAW = "#0072B2", "#D55E00", "#777777"
COLORS = ("#56B4E9", "#E69F00", BETTER, WORSE, "#009E73", "#CC79A7", "#000000")
TRANSDUCTIVE = "†"
NOTE = f"{TRANSDUCTIVE}: transductive."
MARKERS = ("^", "v", "o", "D", "P", "X", "s", "<", ">")
HATCHES = ("", "///", "...", "xxx")

_SETTINGS = {
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e3e3",
    "axes.axisbelow": True,
    "svg.hashsalt": "simgraph",
}


def curves(panels: Sequence[tuple[str, str, Mapping[str, Curve]]], title: str, stem: Path) -> Path:
    """Draw a panel for each metric, a line with a band of one deviation for each method.

    Args:
        panels: x label, y label, method → curve, figures in percent.
        title: over all panels.
        stem: path of the files without their ending.

    Returns:
        The PNG; the SVG is beside it.
    """
    with _style():
        figure, axes = _panels(len(panels), width=4.2, height=3.5)
        for axis, (x_label, y_label, lines) in zip(axes, panels, strict=True):
            ticks = _ticks(list(dict.fromkeys(v for line in lines.values() for v in line)))
            for method, line in lines.items():
                _line(axis, method, line, ticks)
            axis.set(xlabel=x_label, ylabel=y_label)
            _label_ticks(axis, ticks)
        handles, labels = axes[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=6, frameon=False)
        figure.suptitle(title)
        return _save(figure, stem)


def _line(axis: Any, method: str, line: Curve, ticks: Mapping[Value, float]) -> None:
    x = [ticks[value] for value in line]
    mean, std = zip(*line.values(), strict=True)
    color, marker, dashes, _ = style(method)
    axis.plot(x, mean, dashes, color=color, marker=marker, markersize=4.5, label=shown(method))
    low = [m - s for m, s in zip(mean, std, strict=True)]
    high = [m + s for m, s in zip(mean, std, strict=True)]
    axis.fill_between(x, low, high, color=color, alpha=0.15, linewidth=0)


def shown(method: str) -> str:
    """A method's name, marked where it looks at the other queries too."""
    return f"{method} {TRANSDUCTIVE}" if METHODS[method].transductive else method


class Style(NamedTuple):
    """How a method is drawn, in every figure alike."""

    color: str
    marker: str
    dashes: str
    hatch: str


def style(method: str) -> Style:
    """Of a method by its place in METHODS; the raw distances are grey and dashed."""
    place = list(METHODS).index(method) - 1
    if method == "baseline":
        return Style(RAW, ".", "--", "")
    color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
    return Style(color, marker, "-", HATCHES[place // len(COLORS)])


def _ticks(values: list[Value]) -> dict[Value, float]:
    """Where each value stands: on its own scale where that keeps all apart, else evenly spaced."""
    numbers = [float(v) for v in values if not isinstance(v, str)]
    values = sorted(values, key=lambda v: (isinstance(v, str), v))
    steps = [b - a for a, b in zip(sorted(numbers), sorted(numbers)[1:], strict=False)]
    if len(numbers) == len(values) and steps and max(steps) <= 8 * min(steps):
        return {value: float(value) for value in values}
    return {value: float(place) for place, value in enumerate(values)}


def _label_ticks(axis: Any, ticks: Mapping[Value, float]) -> None:
    evenly = list(ticks.values()) == list(range(len(ticks)))
    if evenly or len(ticks) <= 8:
        axis.set_xticks(list(ticks.values()), [_short(value) for value in ticks])


def _short(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def bars(panels: Sequence[tuple[str, Groups]], title: str, stem: Path) -> Path:
    """Draw a panel for each metric: a group of bars for each test set, a bar for each method.

    Args:
        panels: y label, test set → method → mean and deviation, in percent.
        title: over all panels.
        stem: path of the files without their ending.

    Returns:
        The PNG; the SVG is beside it.
    """
    some = panels[0][1]
    methods = list(dict.fromkeys(method for group in some.values() for method in group))
    width = max(3.2, 0.5 + 0.2 * len(methods) * len(some))
    with _style():
        figure, axes = _panels(len(panels), width, height=3.6)
        for axis, (y_label, groups) in zip(axes, panels, strict=True):
            _bars(axis, groups, methods)
            axis.set_ylabel(y_label)
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside lower center",
            ncols=7, frameon=False,
        )  # fmt: skip
        figure.suptitle(title)
        return _save(figure, stem)


def _bars(axis: Any, groups: Groups, methods: list[str]) -> None:
    thick = 0.8 / len(methods)
    for number, method in enumerate(methods):
        places = [i + thick * (number - (len(methods) - 1) / 2) for i in range(len(groups))]
        means, stds = zip(*(g.get(method, (0.0, 0.0)) for g in groups.values()), strict=True)
        axis.bar(
            places, means, 0.9 * thick, yerr=stds if any(stds) else None, label=shown(method),
            color=style(method).color, hatch=style(method).hatch, edgecolor="white",
        )  # fmt: skip
    axis.set_xticks(
        range(len(groups)), list(groups), rotation=15, ha="right", rotation_mode="anchor"
    )
    axis.grid(False, axis="x")


def intervals(
    panels: Sequence[tuple[str, Mapping[str, tuple[float, float, float]]]], title: str, stem: Path
) -> Path:
    """Draw a panel of points with intervals, a row for each method, with a line at 0.

    Args:
        panels: x label, method → mean, low, high.
        title: over all panels.
        stem: path of the files without their ending.

    Returns:
        The PNG; the SVG is beside it.
    """
    rows = max(len(points) for _, points in panels)
    with _style():
        figure, axes = _panels(len(panels), width=4.6, height=1.3 + 0.3 * rows)
        for axis, (label, points) in zip(axes, panels, strict=True):
            for row, (mean, low, high) in enumerate(points.values()):
                color = BETTER if low > 0 else WORSE if high < 0 else RAW
                axis.plot([low, high], [row, row], color=color, linewidth=2)
                axis.plot(mean, row, "|" if color == RAW else "o", color=color, markersize=6)
            axis.axvline(0, color="#333333", linewidth=0.8)
            axis.set_yticks(range(len(points)), map(shown, points))
            axis.invert_yaxis()
            axis.set_xlabel(label)
        figure.suptitle(title)
        return _save(figure, stem)


def scatter(
    points: Mapping[str, tuple[float, float]], x_label: str, y_label: str, title: str, stem: Path
) -> Path:
    """Draw methods as labelled points over a logarithmic x axis, as of time or memory.

    Args:
        points: method → x, y.
        x_label: of the axis.
        y_label: of the axis.
        title: of the figure.
        stem: path of the files without their ending.

    Returns:
        The PNG; the SVG is beside it.
    """
    matplotlib = _matplotlib()
    with _style():
        figure, (axis,) = _panels(1, width=6.4, height=4)
        for method, (x, y) in points.items():
            color, marker, _, hatch = style(method)
            filled = "none" if hatch else color
            axis.plot(x, y, marker, color=color, markerfacecolor=filled, markersize=8, label=method)
        axis.set_xscale("log")
        axis.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter("{x:g}")
        axis.xaxis.set_minor_formatter("")
        axis.set(xlabel=x_label, ylabel=y_label)
        figure.legend(loc="outside right upper", frameon=False)
        figure.suptitle(title)
        return _save(figure, stem)


def _style() -> Any:
    return _matplotlib().rc_context(_SETTINGS)


def _panels(count: int, width: float, height: float) -> tuple[Any, list[Any]]:
    figure_module = _matplotlib().figure
    figure = figure_module.Figure(figsize=(width * count, height), layout="constrained", dpi=150)
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _save(figure: Any, stem: Path) -> Path:
    for ending, metadata in ((".svg", {"Date": None}), (".png", {"Software": None})):
        with replacing(stem.with_name(stem.name + ending)) as file:
            figure.savefig(file, format=ending[1:], metadata=metadata)
    return stem.with_name(stem.name + ".png")


def _matplotlib() -> Any:
    try:
        import matplotlib
        import matplotlib.figure
        import matplotlib.ticker
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "figures need matplotlib; install it with pip install 'simgraph[viz]'"
        ) from error
    return matplotlib
