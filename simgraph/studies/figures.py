"""Figures of studies: curves, bars, intervals and accuracy over cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from simgraph.rerankers import METHODS
from simgraph.studies.settings import Value
from simgraph.visualization.pictures.style import (
    BLUE,
    GREY,
    LINES,
    VERMILION,
    Line,
    method_name,
    save_figure,
    styled,
)  # fmt: skip

Point = tuple[float, float]
"""Mean and deviation."""

Curve = Mapping[Value, Point]
"""Value of what is varied → mean and deviation."""

Groups = Mapping[str, Mapping[str, Point]]
"""Test set → method → mean and deviation."""

TRANSDUCTIVE = "†"
NOTE = f"{TRANSDUCTIVE}: transductive."

_HATCHES = ("", "////", "....")


@styled
def curves(panels: Sequence[tuple[str, str, Mapping[str, Curve]]], title: str) -> Figure:
    """A panel for each metric, a line with a band of one deviation for each method.

    Args:
        panels: x label, y label, method → curve in percent.
        title: over all panels.
    """
    figure, axes = _panels(len(panels), width=3.4, height=2.9)
    for axis, (x_label, y_label, lines) in zip(axes, panels, strict=True):
        places = _places(list(dict.fromkeys(v for line in lines.values() for v in line)))
        for method, line in lines.items():
            _draw_curve(axis, method, line, places)
        if len(places) <= 8 or list(places.values()) == list(range(len(places))):
            axis.set_xticks(list(places.values()), [_short(value) for value in places])
        axis.grid(color="#e3e3e3")
        axis.set(xlabel=x_label, ylabel=y_label)
    return _finish(figure, axes, title)


def _draw_curve(axis: Axes, method: str, line: Curve, places: Mapping[Value, float]) -> None:
    look = _line(method)
    x = [places[value] for value in line]
    low, mean, high = zip(*((m - s, m, m + s) for m, s in line.values()), strict=True)
    axis.plot(
        x, mean, look.linestyle, color=look.color, marker=look.marker, markersize=3.5,
        markerfacecolor="white" if _round(method) else look.color, label=shown(method),
    )  # fmt: skip
    axis.fill_between(x, low, high, color=look.color, alpha=0.15, linewidth=0)


def _places(values: list[Value]) -> dict[Value, float]:
    """Where each value stands: on its own scale if that keeps all apart, else evenly spaced."""
    ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
    numbers = [float(value) for value in ordered if not isinstance(value, str)]
    steps = [after - before for before, after in pairwise(numbers)]
    if len(numbers) == len(values) and steps and max(steps) <= 8 * min(steps):
        return dict(zip(ordered, numbers, strict=True))
    return {value: float(place) for place, value in enumerate(ordered)}


def _short(value: Value) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


@styled
def bars(panels: Sequence[tuple[str, Groups]], title: str) -> Figure:
    """A panel for each metric: a group of bars for each test set, a bar for each method.

    Args:
        panels: y label, test set → method → mean and deviation in percent.
        title: over all panels.
    """
    some = panels[0][1]
    methods = list(dict.fromkeys(method for group in some.values() for method in group))
    width = max(2.6, 0.5 + 0.14 * len(methods) * len(some))
    figure, axes = _panels(len(panels), width, height=2.9)
    for axis, (y_label, groups) in zip(axes, panels, strict=True):
        _draw_bars(axis, groups, methods)
        axis.grid(axis="y", color="#e3e3e3")
        axis.set_axisbelow(True)
        axis.set_ylabel(y_label)
    return _finish(figure, axes, title)


def _draw_bars(axis: Axes, groups: Groups, methods: list[str]) -> None:
    thick = 0.8 / len(methods)
    for number, method in enumerate(methods):
        places = [i + thick * (number - (len(methods) - 1) / 2) for i in range(len(groups))]
        means, stds = zip(*(g.get(method, (0.0, 0.0)) for g in groups.values()), strict=True)
        axis.bar(
            places, means, 0.9 * thick, yerr=stds if any(stds) else None, label=shown(method),
            color=_line(method).color, hatch=_HATCHES[_round(method)], edgecolor="white",
        )  # fmt: skip
    axis.set_xticks(
        range(len(groups)), list(groups), rotation=15, ha="right", rotation_mode="anchor"
    )


@styled
def intervals(
    panels: Sequence[tuple[str, Mapping[str, tuple[float, float, float]]]], title: str
) -> Figure:
    """A panel of points with intervals, a row for each method, and a line at 0.

    Args:
        panels: x label, method → mean, low and high.
        title: over all panels.
    """
    rows = max(len(points) for _, points in panels)
    figure, axes = _panels(len(panels), width=3.6, height=1.0 + 0.2 * rows)
    for axis, (label, points) in zip(axes, panels, strict=True):
        for row, (mean, low, high) in enumerate(points.values()):
            color = BLUE if low > 0 else VERMILION if high < 0 else GREY
            axis.plot([low, high], [row, row], color=color, linewidth=1.5)
            axis.plot(mean, row, "|" if color == GREY else "o", color=color, markersize=5)
        axis.axvline(0, color="black", linewidth=0.7)
        axis.set_yticks(range(len(points)), [shown(method) for method in points])
        axis.invert_yaxis()
        axis.grid(axis="x", color="#e3e3e3")
        axis.set_xlabel(label)
    figure.suptitle(title)
    return figure


@styled
def scatter(points: Mapping[str, Point], x_label: str, y_label: str, title: str) -> Figure:
    """Methods as points over a logarithmic x axis, as of time or memory.

    Args:
        points: method → x and y.
        x_label: of the axis.
        y_label: of the axis.
        title: of the figure.
    """
    figure, (axis,) = _panels(1, width=5, height=3)
    for method, (x, y) in points.items():
        look = _line(method)
        filled = "white" if _round(method) else look.color
        axis.plot(
            x, y, linestyle="", marker=look.marker, color=look.color, markerfacecolor=filled,
            markersize=6, label=shown(method),
        )  # fmt: skip
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()
    axis.grid(color="#e3e3e3")
    axis.set(xlabel=x_label, ylabel=y_label)
    figure.legend(loc="outside right upper")
    figure.suptitle(title)
    return figure


def write_figure(figure: Figure, stem: Path) -> Path:
    """Write a figure as PNG and as SVG.

    Args:
        figure: of any function here.
        stem: path of the files without their ending.

    Returns:
        The PNG; the SVG is beside it.
    """
    png, svg = (stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg"))
    save_figure(figure, svg)
    save_figure(figure, png)
    return png


def shown(method: str) -> str:
    """A method's name, marked where it looks at the other queries too."""
    name = method_name(method)
    return f"{name} {TRANSDUCTIVE}" if METHODS[method].transductive else name


def _line(method: str) -> Line:
    """A method looks alike in every figure; after a round of colours they come again, hollow."""
    place = list(METHODS).index(method)
    return LINES[1 + (place - 1) % (len(LINES) - 1)] if place else LINES[0]


def _round(method: str) -> int:
    return max(0, list(METHODS).index(method) - 1) // (len(LINES) - 1)


def _panels(count: int, width: float, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(width * count, height), layout="constrained")
    return figure, list(figure.subplots(1, count, squeeze=False)[0])


def _finish(figure: Figure, axes: Sequence[Axes], title: str) -> Figure:
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=7)
    figure.suptitle(title)
    return figure
