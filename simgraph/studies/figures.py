"""Figures of studies: bars, intervals, accuracy over cost, and the parts that all share."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import LogLocator

from simgraph.reports.html import Figure as FigurePart
from simgraph.studies.results import StudyResults, mean_std
from simgraph.studies.tables import datasets_note, label
from simgraph.visualization.plots.style import (
    BLUE,
    GRAY,
    VERMILION,
    method_lines,
    method_name,
    plain,
    save_figure,
    styled,
)  # fmt: skip

Point = tuple[float, float]
"""Mean and deviation."""

Groups = Mapping[str, Mapping[str, Point]]
"""Test set → method → mean and deviation."""

TRANSDUCTIVE = "†"
NOTE = f"{TRANSDUCTIVE}: transductive."
GRID = "#e3e3e3"

_HATCHES = ("", "////", "....")


def scores_figure(results: StudyResults, title: str, stem: Path) -> FigurePart:
    """Draw and write the figure of a study that varies nothing: all methods on each test set.

    Args:
        results: of the study.
        title: of the figure.
        stem: path of the files without suffix.

    Returns:
        The figure as a part of a report.
    """
    panels = [(f"{label(m)} (%)", _percents(results, m)) for m in results.config.metrics]
    file = write_figure(bars(panels, title, results.transductive), stem)
    words = "Whiskers: standard deviation over trials"
    return FigurePart(file, f"{title}. {words}; {NOTE} {datasets_note(results)}")


def _percents(results: StudyResults, metric: str) -> dict[str, dict[str, Point]]:
    found = {
        dataset: {m: mean_std(results.of(dataset, m), metric) for m in results.methods}
        for dataset in results.test_sets
    }
    return {
        dataset: {m: (100 * p[0], 100 * p[1]) for m, p in points.items() if p is not None}
        for dataset, points in found.items()
    }


@styled
def bars(
    panels: Sequence[tuple[str, Groups]], title: str, transductive: Collection[str] = ()
) -> Figure:
    """Draw one panel per metric, with one group of bars per test set and one bar per method.

    Args:
        panels: y label, test set → method → mean and deviation in percent.
        title: of the figure.
        transductive: methods to mark.
    """
    some = panels[0][1]
    methods = list(dict.fromkeys(method for group in some.values() for method in group))
    width = max(2.6, 0.5 + 0.14 * len(methods) * len(some))
    figure = blank(width * len(panels), height=2.5 + 0.45 * _width(some))
    axes = list(figure.subplots(1, len(panels), squeeze=False)[0])
    for axis, (y_label, groups) in zip(axes, panels, strict=True):
        _draw_bars(axis, groups, methods, transductive)
        axis.grid(axis="y", color=GRID)
        axis.set_axisbelow(True)
        axis.set_ylabel(y_label)
    return finish(figure, axes, title)


def _draw_bars(
    axis: Axes, groups: Groups, methods: list[str], transductive: Collection[str]
) -> None:
    thick = 0.8 / len(methods)
    for number, (method, look) in enumerate(method_lines(methods).items()):
        places = [i + thick * (number - (len(methods) - 1) / 2) for i in range(len(groups))]
        means, stds = zip(*(g.get(method, (0.0, 0.0)) for g in groups.values()), strict=True)
        axis.bar(
            places, means, 0.9 * thick, yerr=stds if any(stds) else None,
            label=shown(method, transductive), color=look.color, edgecolor="white",
            hatch=_HATCHES[look.turn % len(_HATCHES)],
        )  # fmt: skip
    names = [plain(name) for name in groups]
    axis.set_xticks(range(len(groups)), names, rotation=25, ha="right", rotation_mode="anchor")


@styled
def intervals(
    panels: Sequence[tuple[str, Mapping[str, tuple[float, float, float]]]],
    title: str,
    transductive: Collection[str] = (),
) -> Figure:
    """Draw points with intervals and a line at 0; a method has the same row in all panels.

    Args:
        panels: x label, method → mean, low and high.
        title: of the figure.
        transductive: methods to mark.
    """
    methods = list(method_lines(method for _, points in panels for method in points))
    names = [shown(method, transductive) for method in methods]
    figure = blank(2.8 * len(panels) + _width(names), 1.0 + 0.2 * len(methods))
    axes = list(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0])
    for axis, (x_label, points) in zip(axes, panels, strict=True):
        for method, (mean, low, high) in points.items():
            row = methods.index(method)
            color = BLUE if low > 0 else VERMILION if high < 0 else GRAY
            axis.plot([low, high], [row, row], color=color, linewidth=1.5)
            axis.plot(mean, row, "|" if color == GRAY else "o", color=color, markersize=5)
        axis.axvline(0, color="black", linewidth=0.7)
        axis.grid(axis="x", color=GRID)
        axis.set_xlabel(x_label)
    axes[0].set_yticks(range(len(names)), names)
    axes[0].invert_yaxis()
    figure.suptitle(plain(title, 80))
    return figure


@styled
def scatter(
    points: Mapping[str, Point],
    x_label: str,
    y_label: str,
    title: str,
    transductive: Collection[str] = (),
) -> Figure:
    """Draw methods as points over a logarithmic x axis, such as time or memory.

    Args:
        points: method → x and y.
        x_label: of the axis.
        y_label: of the axis.
        title: of the figure.
        transductive: methods to mark.
    """
    names = {method: shown(method, transductive) for method in points}
    figure = blank(4.4 + _width(names.values()), max(3.0, 0.5 + 0.18 * len(names)))
    axis = figure.add_subplot()
    for method, look in method_lines(points).items():
        axis.plot(*points[method], linestyle="", **look.marks, markersize=6, label=names[method])
    axis.set_xscale("log")
    axis.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter("{x:g}")
    axis.minorticks_off()
    axis.grid(color=GRID)
    axis.set(xlabel=x_label, ylabel=y_label, title=plain(title, 60))
    figure.legend(loc="outside right upper")
    return figure


def write_figure(figure: Figure, stem: Path) -> Path:
    """Write a figure as PNG and as SVG.

    Args:
        figure: of any function here.
        stem: path of the files without suffix.

    Returns:
        The path of the PNG; the SVG is beside it.
    """
    png, svg = (stem.with_name(f"{stem.name}.{kind}") for kind in ("png", "svg"))
    save_figure(figure, svg)
    save_figure(figure, png)
    return png


def shown(method: str, transductive: Collection[str] = ()) -> str:
    """A method as the paper writes it, marked if it is transductive."""
    name, _, own = method.partition(":")
    words = f"{method_name(name)}, {plain(own)}" if own else method_name(name)
    return f"{words} {TRANSDUCTIVE}" if method in transductive else words


def finish(figure: Figure, axes: Sequence[Axes], title: str) -> Figure:
    """Add the title above all panels and one legend below them, in rows of similar length."""
    both = [axis.get_legend_handles_labels() for axis in axes]
    entries = {name: handle for found in both for handle, name in zip(*found, strict=True)}
    fitting = max(1, int(figure.get_figwidth() / (0.6 + _width(entries))))
    columns = math.ceil(len(entries) / math.ceil(len(entries) / fitting))
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=columns)
    figure.suptitle(plain(title, 80))
    return figure


def _width(names: Iterable[str]) -> float:
    """Width of the longest name in inches."""
    return 0.07 * max(map(len, names), default=0)


def blank(width: float, height: float) -> Figure:
    """An empty figure, size in inches, with room for labels between its panels."""
    return Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(wspace=0.06))
