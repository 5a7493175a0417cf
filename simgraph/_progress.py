"""Progress of long loops: a bar on a terminal or in a notebook, else a line for each step."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

SECONDS_BETWEEN_LINES = 5.0
"""Where there is no terminal: a quick loop prints no more often than this."""
SECONDS_BETWEEN_STATUS_LINES = 60.0
"""The same for a loop with words that change: it reports its end itself."""
Words: TypeAlias = str | Callable[[], str]
_SECONDS_BETWEEN_UPDATES = 0.2  # of a notebook's bar


class Track(Protocol):
    """Wraps a loop to show its progress."""

    def __call__(self, steps: Iterable[T], total: int, words: Words = "") -> Iterable[T]:
        """The same steps.

        Args:
            steps: of the loop.
            total: how many there are.
            words: what a step is, as in "experiment"; the step's number follows. A function gives
                words that change, as in "epoch 3/14, loss 5.12, batch".
        """
        ...


def no_progress(steps: Iterable[T], total: int, words: Words = "") -> Iterable[T]:
    """Show nothing: the default of library calls."""
    return steps


def show_progress(steps: Iterable[T], total: int, words: Words = "step") -> Iterable[T]:
    """Show progress in the form that fits where the program runs; see `Track`."""
    if _in_notebook():
        return _notebook_bar(steps, total, words)
    if sys.stderr.isatty():
        return _terminal_bar(steps, total, words)
    return _lines(steps, total, words)


@cache
def messages() -> Console:
    """The one console for bars and log messages: two would write over each other."""
    from rich.console import Console

    return Console(stderr=True)


def _terminal_bar(steps: Iterable[T], total: int, words: Words) -> Iterator[T]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    # Words that change tell the time left themselves: that of a loop around this one.
    ends = () if callable(words) else (TimeRemainingColumn(),)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), *ends)
    with Progress(*columns, console=messages(), transient=True) as bar:
        task = bar.add_task(_text(words), total=total)
        for step in steps:
            yield step
            bar.update(task, advance=1, description=_text(words))


def _text(words: Words) -> str:
    return words() if callable(words) else words


def _lines(steps: Iterable[T], total: int, words: Words) -> Iterator[T]:
    """A line on stderr when a step is done, unless the last line is too recent."""
    changing = callable(words)
    pause = SECONDS_BETWEEN_STATUS_LINES if changing else SECONDS_BETWEEN_LINES
    began = printed = time.monotonic()
    for number, step in enumerate(steps, start=1):
        yield step
        now = time.monotonic()
        if (number == total and not changing) or now - printed >= pause:
            printed = now
            sys.stderr.write(f"{_text(words)} {number}/{total}, {now - began:.0f} s\n")


def _in_notebook() -> bool:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return type(shell).__name__ == "ZMQInteractiveShell"


def _notebook_bar(steps: Iterable[T], total: int, words: Words) -> Iterator[T]:
    """HTML's own progress bar: it needs no widgets and stays in the saved notebook."""
    from html import escape

    display = _display_html()
    began, shown = time.monotonic(), 0.0
    for number, step in enumerate(steps, start=1):
        yield step
        now = time.monotonic()
        if number == total or now - shown >= _SECONDS_BETWEEN_UPDATES:
            shown = now
            display(
                f'<progress value="{number}" max="{total}"></progress> '
                f"{escape(_text(words))} {number}/{total}, {now - began:.0f} s"
            )


def _display_html() -> Callable[[str], None]:
    """Display HTML at one place of the cell's output: each call replaces the one before."""
    ipython: Any = import_module("IPython.display")
    handle = ipython.display(ipython.HTML(""), display_id=True)
    return lambda text: handle.update(ipython.HTML(text))
