"""Curves of studies: metrics over a varied parameter, one line per method."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from simgraph.studies.figures import GRID, TRANSDUCTIVE, Point, blank, finish, shown
from simgraph.studies.results import StudyResults, curve
from simgraph.studies.settings import ParameterValue
from simgraph.visualization.plots.style import BLACK, Line, method_lines, styled

Curve = Mapping[ParameterValue, Point]
"""Parameter value → mean and deviation."""

_LEAST_SPAN = 10  # points: on a smaller scale the difference of a few queries would look large
_UNEVEN = 4  # longest step over the shortest at which ticks do not overlap
_MOST_TICKS = 8


@dataclass(frozen=True)
class Panel:
    """One panel of a figure.

    Attributes:
        x_label: the varied parameter.
        y_label: the metric.
        lines: method → curve in percent.
        levels: method → mean and deviation where nothing is varied: a horizontal line.
        as_set: values in the settings: vertical lines.
    """

    x_label: str
    y_label: str
    lines: Mapping[str, Curve]
    levels: Mapping[str, Point] = field(default_factory=dict)
    as_set: Collection[ParameterValue] = ()


def percent_curves(
    results: StudyResults, dataset: str, parameter: str, metric: str
) -> dict[str, Curve]:
    """Method → curve of a metric in percent, for the methods that have one."""
    found = {
        method: curve(results.of(dataset, method, parameter), metric) for method in results.methods
    }
    return {
        method: {value: (100 * mean, 100 * std) for value, (mean, std) in points.items()}
        for method, points in found.items()
        if points
    }


@styled
def curves(
    rows: Sequence[Sequence[Panel]], title: str, transductive: Collection[str] = ()
) -> Figure:
    """Draw rows of panels with one line per method and a band of one standard deviation.

    Args:
        rows: of equal length; panels of a row with the same y label share their scale.
        title: of the figure.
        transductive: methods to mark.
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
    places: Mapping[ParameterValue, float],
) -> None:
    for method, (mean, deviation) in panel.levels.items():
        look, name = looks[method], shown(method, transductive)
        axis.axhline(mean, color=look.color, linestyle=look.linestyle, label=name)
        axis.axhspan(*_band(mean, deviation), color=look.color, alpha=0.15, linewidth=0)
    for value in panel.as_set:
        if value in places:
            axis.axvline(places[value], color=BLACK, linewidth=0.7, zorder=1.8)  # over the grid


def _band(mean: float, deviation: float) -> tuple[float, float]:
    """One deviation around the mean, within 0 % and 100 %."""
    return max(0.0, mean - deviation), min(100.0, mean + deviation)


def _widen(axis: Axes) -> None:
    """Show at least `_LEAST_SPAN` points, and none below 0."""
    low, high = axis.get_ylim()
    missing = max(0.0, _LEAST_SPAN - (high - low))
    below = min(missing / 2, max(0.0, low))
    axis.set_ylim(low - below, high + missing - below)


def _places(values: list[ParameterValue]) -> dict[ParameterValue, float]:
    """The place of each value on the x axis.

    The scale is linear if that keeps all ticks apart, or else logarithmic, with 0 one mean step
    below. Values that neither scale keeps apart, and words, are evenly spaced; words come last.
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
    """Logarithms of ascending numbers, 0 one mean step below; empty if any is negative."""
    positive = [math.log10(number) for number in numbers if number > 0]
    others = len(numbers) - len(positive)
    if numbers[0] < 0 or others > 1 or len(positive) < 2:
        return []
    step = (positive[-1] - positive[0]) / (len(positive) - 1)
    return [positive[0] - step] * others + positive


def _is_to_scale(places: Mapping[ParameterValue, float]) -> bool:
    return all(value == place for value, place in places.items())


def _short(value: ParameterValue) -> str:
    if value == "auto":  # it uses the other queries, with any method
        return f"{value} {TRANSDUCTIVE}"
    return f"{value:g}" if isinstance(value, float) else str(value)
