"""Curves of studies: metrics over what is varied, a line a method."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simgraph.studies.figures import GRID, TRANSDUCTIVE, Point, blank, finish, shown
from simgraph.studies.methods import Value
from simgraph.visualization.plots.style import BLACK, Line, method_lines, styled

Curve = Mapping[Value, Point]
"""Value of what is varied → mean and deviation."""

_LEAST_SPAN = 10  # points: less is no more than a few queries, and would look like much
_UNEVEN = 4  # longest step over the shortest with which ticks still stand apart
_MOST_TICKS = 8


@dataclass(frozen=True)
class Panel:
    """One of the axes of a figure.

    Attributes:
        x_label: what is varied.
        y_label: the metric.
        lines: method → curve in percent.
        levels: method → mean and deviation where nothing is varied: a level line.
        as_set: values that the study is set to, where nothing is varied.
    """

    x_label: str
    y_label: str
    lines: Mapping[str, Curve]
    levels: Mapping[str, Point] = field(default_factory=dict)
    as_set: Collection[Value] = ()


@styled
def curves(
    rows: Sequence[Sequence[Panel]], title: str, transductive: Collection[str] = ()
) -> Figure:
    """Rows of panels, in each a line with a band of one deviation for each method.

    Args:
        rows: of equal length; neighbours of one y label have one scale.
        title: over all panels.
        transductive: methods to mark as such.
    """
    figure = blank(width=3.1 * len(rows[0]) + 0.3, height=2.3 * len(rows) + 0.7)
    grid = figure.subplots(len(rows), len(rows[0]), squeeze=False)
    drawn = [panel for row in rows for panel in row]
    looks = method_lines(method for p in drawn for method in (*p.levels, *p.lines))
    for axes, row in zip(grid, rows, strict=True):
        for axis, panel in zip(axes, row, strict=True):
            if panel.y_label == row[0].y_label and axis is not axes[0]:
                axis.sharey(axes[0])
            _draw_panel(axis, panel, looks, transductive)
        for axis in axes:
            _widen(axis)
    return finish(figure, list(grid.flat), title)


def _draw_panel(
    axis: Axes, panel: Panel, looks: Mapping[str, Line], transductive: Collection[str]
) -> None:
    places = _places(list(dict.fromkeys(v for line in panel.lines.values() for v in line)))
    _draw_references(axis, panel, looks, transductive, places)
    for method, line in panel.lines.items():
        look, x = looks[method], [places[value] for value in line]
        axis.plot(
            x, [mean for mean, _ in line.values()], linestyle=look.linestyle, **look.marks,
            markersize=3.5, label=shown(method, transductive),
        )  # fmt: skip
        low, high = zip(*(_band(*point) for point in line.values()), strict=True)
        axis.fill_between(x, low, high, color=look.color, alpha=0.15, linewidth=0)
    if len(places) <= _MOST_TICKS or not _is_to_scale(places):
        axis.set_xticks(list(places.values()), [_short(value) for value in places], fontsize=7)
    axis.grid(color=GRID)
    axis.set(xlabel=panel.x_label, ylabel=panel.y_label)


def _draw_references(
    axis: Axes,
    panel: Panel,
    looks: Mapping[str, Line],
    transductive: Collection[str],
    places: Mapping[Value, float],
) -> None:
    for method, (mean, deviation) in panel.levels.items():
        look, name = looks[method], shown(method, transductive)
        axis.axhline(mean, color=look.color, linestyle=look.linestyle, label=name)
        axis.axhspan(*_band(mean, deviation), color=look.color, alpha=0.15, linewidth=0)
    for value in panel.as_set:
        if value in places:
            axis.axvline(places[value], color=BLACK, linewidth=0.7, zorder=1.8)  # over the grid


def _band(mean: float, deviation: float) -> tuple[float, float]:
    """No share is below 0 % or above 100 %."""
    return max(0.0, mean - deviation), min(100.0, mean + deviation)


def _widen(axis: Axes) -> None:
    low, high = axis.get_ylim()
    missing = max(0.0, _LEAST_SPAN - (high - low))
    below = min(missing / 2, max(0.0, low))
    axis.set_ylim(low - below, high + missing - below)


def _places(values: list[Value]) -> dict[Value, float]:
    """Where each value stands: on its own scale or its logarithm's if they keep all apart.

    Words come after numbers; 0 on a logarithmic scale, and all that neither scale keeps apart, are
    evenly spaced.
    """
    ordered = sorted(values, key=lambda value: (isinstance(value, str), value))
    numbers = [float(value) for value in ordered if not isinstance(value, str)]
    if len(numbers) == len(values):
        for places in (numbers, _logarithms(numbers)):
            steps = [after - before for before, after in pairwise(places)]
            if steps and max(steps) <= _UNEVEN * min(steps):
                return dict(zip(ordered, places, strict=True))
    return {value: float(place) for place, value in enumerate(ordered)}


def _logarithms(numbers: list[float]) -> list[float]:
    """Of ascending numbers; 0 a mean step below the others; nothing where some are negative."""
    positive = [math.log10(number) for number in numbers if number > 0]
    others = len(numbers) - len(positive)
    if numbers[0] < 0 or others > 1 or len(positive) < 2:
        return []
    step = (positive[-1] - positive[0]) / (len(positive) - 1)
    return [positive[0] - step] * others + positive


def _is_to_scale(places: Mapping[Value, float]) -> bool:
    return all(value == place for value, place in places.items())


def _short(value: Value) -> str:
    if value == "auto":  # which looks at the other queries, whatever the method
        return f"{value} {TRANSDUCTIVE}"
    return f"{value:g}" if isinstance(value, float) else str(value)
