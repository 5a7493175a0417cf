"""What can become of an input, and the table of how often it did."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

REFUSED = "refused"
"""An error of the right type that names the file."""
RIGHT = "right"
"""The answer of the undamaged file, or what the damaged file lawfully says."""
WRONG = "wrong"
"""Another answer."""
CRASH = "crash"
"""The process ended by a signal."""
HANG = "hang"
"""No answer within the time limit."""
ERROR = "wrong error"
"""An error of another type, or one that does not name the file."""
LOST = "lost"
"""A good file was changed or destroyed."""

ALL = (REFUSED, RIGHT, WRONG, CRASH, HANG, ERROR, LOST)
FAULTS = (WRONG, CRASH, HANG, ERROR, LOST)


@dataclass(frozen=True)
class Result:
    """The outcome of one numbered input of a kind."""

    kind: str
    number: int
    what: str
    outcome: str
    detail: str = ""

    @property
    def is_fault(self) -> bool:
        """Whether the campaign fails by it."""
        return self.outcome in FAULTS


def table(results: Iterable[Result]) -> str:
    """A row per kind, a column per outcome, and their sums."""
    counts = Counter((result.kind, result.outcome) for result in results)
    kinds = list(dict.fromkeys(kind for kind, _ in counts))
    rows = [[kind, *(counts[kind, outcome] for outcome in ALL)] for kind in kinds]
    rows.append(["all", *(sum(row[column] for row in rows) for column in range(1, 1 + len(ALL)))])
    lines = [["kind", "inputs", *ALL], *([name, sum(own), *own] for name, *own in rows)]
    widths = [max(len(str(line[column])) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(_aligned(line, widths) for line in lines)


def _aligned(line: list, widths: list[int]) -> str:
    first, *rest = (str(cell) for cell in line)
    cells = (cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True))
    return "  ".join([first.ljust(widths[0]), *cells])
