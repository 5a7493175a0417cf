"""The common look of all pictures, literal text, and writing a picture to a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, Literal, NamedTuple, ParamSpec, TypeAlias, TypeVar

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from torch import Tensor

from simgraph._files import atomic_write, writable_file
from simgraph.rerankers import METHODS

SUFFIXES = (".png", ".svg", ".pdf")

BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GRAY = "#767676"
"""Okabe and Ito's colors, which color-blind readers can tell apart; GRAY is for the background.

Source: Okabe and Ito, Color Universal Design, 2008.
"""

_FONT = "DejaVu Sans"  # part of matplotlib: pictures look the same on every machine
_RULES: dict[str, Any] = {
    "font.family": [_FONT],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # TrueType, which publishers require
    "svg.hashsalt": "simgraph",  # equal pictures are equal files
}
_METHODS = {"sgr": "SGR", "mnnr": "MNNR", "sim": "SIM"}

LineStyle: TypeAlias = Literal["-", "--", "-.", ":"]
P = ParamSpec("P")
R = TypeVar("R")


class Line(NamedTuple):
    """How to draw one of several curves: color, line style and marker."""

    color: str
    linestyle: LineStyle
    marker: str
    turn: int = 0
    """How often the colors were used up before; markers of odd turns are hollow."""

    @property
    def marks(self) -> dict[str, Any]:
        """Color and marker as keyword arguments of matplotlib's `plot`."""
        inside = "white" if self.turn % 2 else self.color
        return {"color": self.color, "marker": self.marker, "markerfacecolor": inside}


LINES = (
    Line(GRAY, ":", "s"),
    Line(SKY, "--", "^"),
    Line(ORANGE, "-.", "v"),
    Line(BLUE, "-", "o"),
    Line(VERMILION, "--", "D"),
    Line(GREEN, "-.", "P"),
    Line(PURPLE, "-", "X"),
    Line(BLACK, ":", "*"),
)
"""The lines of the baseline, SGR, MNNR and SIM, then of other methods."""

_STROKES: tuple[LineStyle, ...] = ("-", "--", "-.", ":")


def method_lines(methods: Iterable[str]) -> dict[str, Line]:
    """How to draw each of any number of methods.

    Args:
        methods: names; a method of `simgraph.rerankers.METHODS` looks the same in every picture,
            other names follow in their order.

    Returns:
        Method → line, no two alike.
    """
    names = list(dict.fromkeys(methods))
    order = list(dict.fromkeys([*METHODS, *names]))
    return {method: _line(order.index(method)) for method in names}


def _line(place: int) -> Line:
    """Later colors repeat with other strokes and markers; only the baseline is gray."""
    if place == 0:
        return LINES[0]
    colored = LINES[1:]
    turn, color = divmod(place - 1, len(colored))
    stroke = _STROKES.index(colored[color].linestyle) + turn
    marker = colored[(color + turn) % len(colored)].marker
    return Line(colored[color].color, _STROKES[stroke % len(_STROKES)], marker, turn)


class Mark(NamedTuple):
    """How to mark an image as correct or wrong: by color, line style and sign."""

    color: str
    linestyle: LineStyle
    sign: str


MATCH, NO_MATCH, UNLABELED = (
    Mark(GREEN, "-", "✓"),
    Mark(VERMILION, "--", "×"),
    Mark(GRAY, "-", ""),
)


def mark_of(is_match: Tensor | None, index: int) -> Mark:
    """The mark of a gallery image.

    Args:
        is_match: which gallery images show the query's identity, [Ng] bool; None if unknown.
        index: which gallery image.

    Returns:
        The mark of a correct, a wrong, or an unlabeled image.
    """
    if is_match is None:
        return UNLABELED
    return MATCH if is_match[index] else NO_MATCH


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that draws: the caller's matplotlib settings have no effect."""

    @wraps(draw)
    def by_rules(*args: P.args, **kwargs: P.kwargs) -> R:
        with style.context(["default", _RULES]):
            return draw(*args, **kwargs)

    return by_rules


def plain(text: object, longest: int = 40) -> str:
    """Prepare any text to be shown literally by matplotlib, on one line.

    Args:
        text: any text, also with `$`, line ends, or characters that the font lacks.
        longest: maximum length; a longer text loses its middle.

    Returns:
        The text with `$` escaped and missing characters replaced by □.
    """
    known = get_font(findfont(_FONT)).get_char_index
    line = " ".join(str(text).split())
    if len(line) > longest:
        head = (longest - 1) // 2
        line = f"{line[:head]}…{line[len(line) - (longest - 1 - head) :]}"
    shown = "".join(c if c.isprintable() and known(ord(c)) else "□" for c in line)
    return shown.replace("$", r"\$")


def method_name(method: str) -> str:
    """The name of a method as the paper writes it."""
    return _METHODS.get(method, plain(method))


def identity(pids: Tensor | None, index: int) -> str:
    """The identity of an image as a caption; empty if it is unknown."""
    return "" if pids is None else f"id {int(pids[index])}"


def check_picture(path: str | Path) -> Path:
    """Raise ValueError unless a picture of that name can be written; call it before drawing."""
    return writable_file(path, SUFFIXES)


@styled
def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure to a temporary file and rename it, so that no partial file remains.

    Args:
        figure: the figure to write.
        path: `.png`, `.svg` or `.pdf`; the suffix selects the format.

    Raises:
        ValueError: for another suffix, or a folder that cannot be written to.
    """
    target = check_picture(path)
    kind = target.suffix.lower()[1:]
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with atomic_write(target) as temporary:
        figure.savefig(temporary, format=kind, metadata=undated.get(kind, {}))
