"""How all pictures look, and how they are written: one palette, plain text, whole files."""

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
GREY = "#767676"
"""Okabe and Ito's colours, which the colour-blind tell apart; GREY for what is in the background.

Source: Okabe and Ito, Color Universal Design, 2008.
"""

_FONT = "DejaVu Sans"  # comes with matplotlib: pictures are the same everywhere
_RULES: dict[str, Any] = {
    "font.family": [_FONT],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # TrueType: what publishers ask for
    "svg.hashsalt": "simgraph",  # the same picture is the same file
}
_METHODS = {"sgr": "SGR", "mnnr": "MNNR", "sim": "SIM"}

LineStyle: TypeAlias = Literal["-", "--", "-.", ":"]
P = ParamSpec("P")
R = TypeVar("R")


class Line(NamedTuple):
    """How to draw one of several curves: told apart by more than colour."""

    color: str
    linestyle: LineStyle
    marker: str
    turn: int = 0
    """How often the colours have come round; markers of odd turns are hollow."""

    @property
    def marks(self) -> dict[str, Any]:
        """Colour and marker, as matplotlib's `plot` takes them."""
        inside = "white" if self.turn % 2 else self.color
        return {"color": self.color, "marker": self.marker, "markerfacecolor": inside}


LINES = (
    Line(GREY, ":", "s"),
    Line(SKY, "--", "^"),
    Line(ORANGE, "-.", "v"),
    Line(BLUE, "-", "o"),
    Line(VERMILION, "--", "D"),
    Line(GREEN, "-.", "P"),
    Line(PURPLE, "-", "X"),
    Line(BLACK, ":", "*"),
)
"""For the baseline, SGR, MNNR, SIM, and what comes after."""

_STROKES: tuple[LineStyle, ...] = ("-", "--", "-.", ":")


def method_lines(methods: Iterable[str]) -> dict[str, Line]:
    """How to draw each of any number of methods.

    Args:
        methods: names; those of `simgraph.rerankers.METHODS` look alike in every picture, others
            come after them.

    Returns:
        Method → line, no two alike.
    """
    names = list(dict.fromkeys(methods))
    order = list(dict.fromkeys([*METHODS, *names]))
    return {method: _line(order.index(method)) for method in names}


def _line(place: int) -> Line:
    """Colours come again with other strokes and markers; grey stays the baseline's."""
    if place == 0:
        return LINES[0]
    colored = LINES[1:]
    turn, color = divmod(place - 1, len(colored))
    stroke = _STROKES.index(colored[color].linestyle) + turn
    marker = colored[(color + turn) % len(colored)].marker
    return Line(colored[color].color, _STROKES[stroke % len(_STROKES)], marker, turn)


class Verdict(NamedTuple):
    """How to mark an image as right or wrong: by colour, line and sign."""

    color: str
    linestyle: LineStyle
    sign: str


RIGHT, WRONG, UNKNOWN = (
    Verdict(GREEN, "-", "✓"),
    Verdict(VERMILION, "--", "×"),
    Verdict(GREY, "-", ""),
)


def verdict(right: bool | None) -> Verdict:
    """The mark of a right, a wrong, or an unlabelled image."""
    return UNKNOWN if right is None else RIGHT if right else WRONG


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Draw by these rules, whatever the caller's settings of matplotlib are."""

    @wraps(draw)
    def by_rules(*args: P.args, **kwargs: P.kwargs) -> R:
        with style.context(["default", _RULES]):
            return draw(*args, **kwargs)

    return by_rules


def plain(text: object, longest: int = 40) -> str:
    """Any text as matplotlib shows it literally, on one line.

    Args:
        text: may hold `$`, line ends, or letters that the font lacks.
        longest: more characters than that are cut out of the middle.

    Returns:
        Text without mathematics, in letters that there are.
    """
    known = get_font(findfont(_FONT)).get_char_index
    line = " ".join(str(text).split())
    if len(line) > longest:
        head = (longest - 1) // 2
        line = f"{line[:head]}…{line[len(line) - (longest - 1 - head) :]}"
    shown = "".join(c if c.isprintable() and known(ord(c)) else "□" for c in line)
    return shown.replace("$", r"\$")


def method_name(method: str) -> str:
    """A method as the paper writes it."""
    return _METHODS.get(method, plain(method))


def identity(pids: Tensor | None, index: int) -> str:
    """An image's identity as a caption; nothing where it is unknown."""
    return "" if pids is None else f"id {int(pids[index])}"


def check_picture(path: str | Path) -> Path:
    """Raise unless a picture of that name can be written; ask before the work begins."""
    return writable_file(path, SUFFIXES)


@styled
def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a picture, whole or not at all.

    Args:
        figure: of any function here.
        path: `.png`, `.svg` or `.pdf`; the suffix chooses.

    Raises:
        ValueError: for another suffix, or a folder that cannot be written to.
    """
    target = check_picture(path)
    kind = target.suffix.lower()[1:]
    undated = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with atomic_write(target) as temporary:
        figure.savefig(temporary, format=kind, metadata=undated.get(kind, {}))
