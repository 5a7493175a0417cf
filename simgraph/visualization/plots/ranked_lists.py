"""Ranked lists as image strips, like the paper's Fig. 3, with the moves between methods."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from torch import Tensor

from simgraph._params import require_int
from simgraph.rerankers.ranked_lists import ranked_lists
from simgraph.visualization.plots.style import (
    GRAY,
    identity,
    mark_of,
    method_name,
    plain,
    styled,
)
from simgraph.visualization.trial_view import Images, TrialView

# Lengths in tile widths.
_PITCH = 1.2  # from tile to tile
_CAPTION = 0.3  # room for the text below a tile
_MOVES = 0.6  # room for the arrows between two rows
_LEFT = 1.8  # room for the query and the methods' names


class _Strip(NamedTuple):
    """One row: the first images of one method, and their ranks in the first row."""

    method: str
    images: list[int]
    ranks_before: list[int]


@styled
def draw_ranked_lists(
    view: TrialView, query: int, distances: Mapping[str, Tensor], top: int = 10
) -> Figure:
    """A query and the first images of each method; arrows connect an image with the next row.

    Correct matches have a solid frame and a tick, wrong ones a dashed frame and a cross. "was 34"
    is the image's rank in the first row. Images that the protocol excludes are in no row.

    Args:
        view: with the query and the gallery.
        query: which query, 0..Nq − 1.
        distances: method → its distances of this query, [Ng]; one row per method, in this order.
        top: images per row, at least 1; fewer if the protocol keeps fewer.

    Returns:
        The figure.

    Raises:
        ValueError: for a query that does not exist, no method, or distances of another length.
    """
    strips = _strips(view, query, distances, top)
    tile = _tile_height(view, strips[0].images)
    pitch = tile + _CAPTION + _MOVES
    width, height = _LEFT + _PITCH * len(strips[0].images), len(strips) * pitch - _MOVES
    figure, axes = _canvas(width, height)
    _draw_query(axes, view, query, (height - _CAPTION - tile) / 2, tile)
    for number, strip in enumerate(strips):
        top_edge = number * pitch
        axes.text(
            _LEFT - 0.15, top_edge + tile / 2, method_name(strip.method),
            ha="right", va="center", rotation=90, fontweight="bold",
        )  # fmt: skip
        _draw_strip(axes, view, query, strip, top_edge, tile, first=number == 0)
        if number:
            _draw_moves(axes, view, query, strips[number - 1], strip, top_edge)
    return figure


def _strips(view: TrialView, query: int, distances: Mapping[str, Tensor], top: int) -> list[_Strip]:
    view.require_query(query)
    require_int("top", top, 1)
    if not distances:
        raise ValueError("distances: expected at least one method, got none")
    in_list = view.in_list(query)
    before: dict[int, int] = {}
    strips = []
    for method, row in distances.items():
        if row.shape != in_list.shape:
            raise ValueError(
                f"{method}: expected distances {list(in_list.shape)}, got {list(row.shape)}"
            )
        order = ranked_lists(row[None])[1][0].cpu()
        images = order[in_list[order]].tolist()
        before = before or {image: rank for rank, image in enumerate(images, start=1)}
        strips.append(_Strip(method, images[:top], [before[image] for image in images[:top]]))
    return strips


def _tile_height(view: TrialView, images: list[int]) -> float:
    """Height of the median image at width 1; square tiles without images."""
    sizes = [image.size for i in images if (image := view.gallery.thumbnail(i)) is not None]
    shapes = sorted(height / width for width, height in sizes)
    return min(2.5, max(0.6, shapes[len(shapes) // 2])) if shapes else 1.0


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    """One drawing area in tile widths; y points down."""
    scale = min(0.7, 10 / width)
    margin = 0.1
    figure = Figure(figsize=((width + 2 * margin) * scale, (height + 2 * margin) * scale))
    axes = figure.add_axes((0, 0, 1, 1), frameon=False, xticks=[], yticks=[])
    axes.set(xlim=(-margin, width + margin), ylim=(height + margin, -margin))
    return figure, axes


def _draw_query(axes: Axes, view: TrialView, query: int, y: float, tile: float) -> None:
    _draw_tile(axes, view.query, query, 0.1, y, tile)
    axes.add_patch(Rectangle((0.1, y), 1, tile, fill=False, edgecolor="black", linewidth=1.5))
    _caption(
        axes, 0.1, y + tile, _words(f"query {query}", identity(view.features.query_pids, query))
    )


def _draw_strip(
    axes: Axes, view: TrialView, query: int, strip: _Strip, y: float, tile: float, first: bool
) -> None:
    is_match, pids = view.is_match(query), view.features.gallery_pids
    for place, (image, before) in enumerate(zip(strip.images, strip.ranks_before, strict=True)):
        x = _LEFT + _PITCH * place
        mark = mark_of(is_match, image)
        _draw_tile(axes, view.gallery, image, x, y, tile)
        axes.add_patch(
            Rectangle(
                (x, y), 1, tile, fill=False,
                edgecolor=mark.color, linestyle=mark.linestyle, linewidth=2,
            )
        )  # fmt: skip
        if mark.sign:
            axes.text(
                x + 0.97, y + 0.03, mark.sign, color="white", ha="right", va="top", fontsize=8,
                bbox={"facecolor": mark.color, "edgecolor": "none", "pad": 1},
            )  # fmt: skip
        moved = "" if first or before == place + 1 else f"was {before}"
        _caption(axes, x, y + tile, _words(identity(pids, image), moved))


def _draw_tile(axes: Axes, images: Images, index: int, x: float, y: float, tile: float) -> None:
    """The image inside its tile, with its proportions kept; its name if there is no image."""
    image = images.thumbnail(index, 256)
    if image is None:
        name = plain(images.names[index], 24)
        axes.text(x + 0.5, y + tile / 2, name, ha="center", va="center", fontsize=6, wrap=True)
        return
    shape = image.height / image.width
    width, height = (tile / shape, tile) if shape > tile else (1.0, shape)
    left, upper = x + (1 - width) / 2, y + (tile - height) / 2
    axes.imshow(image, extent=(left, left + width, upper + height, upper), aspect="auto", zorder=0)


def _draw_moves(
    axes: Axes, view: TrialView, query: int, above: _Strip, below: _Strip, y: float
) -> None:
    """Arrows from the position of an image in one row to that in the next, which starts at y."""
    is_match = view.is_match(query)
    for place, image in enumerate(below.images):
        if image not in above.images:
            continue
        ends = [_LEFT + _PITCH * at + 0.5 for at in (above.images.index(image), place)]
        mark = mark_of(is_match, image)
        axes.add_patch(
            FancyArrowPatch(
                (ends[0], y - _MOVES), (ends[1], y), arrowstyle="-|>", mutation_scale=6,
                color=mark.color, linestyle=mark.linestyle, linewidth=1, shrinkA=0, shrinkB=1,
            )
        )  # fmt: skip


def _caption(axes: Axes, x: float, y: float, text: str) -> None:
    axes.text(x + 0.5, y + 0.06, text, ha="center", va="top", fontsize=6, color=GRAY)


def _words(*texts: str) -> str:
    return ", ".join(filter(None, texts))
