"""Results as one Markdown table per size, and as JSON."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from benchmarks.measurements import Result
from benchmarks.stages import EXACT_SEARCH, FLOOR, INDEX_SEARCH, PLAIN_SEARCH, PRODUCT
from simgraph._files import atomic_write


def markdown(result: Result) -> str:
    """The table of one size: seconds, and ratios to the floor and to one product."""
    size = result.size
    lines = [
        f"### {size.name}: {size.num_queries} × {size.num_gallery} × {size.dim}",
        "",
        f"{result.device}.",
        "",
        *_times(result),
    ]
    if result.peak:
        lines += ["", "| peak memory above the inputs | MiB |", "|---|---:|"]
        lines += [f"| {way} | {peak / 2**20:.0f} |" for way, peak in result.peak.items()]
    if result.values:
        lines += ["", "| | |", "|---|---:|"]
        lines += [f"| {name} | {value:.4g} |" for name, value in result.values.items()]
    lines += [f"\n{note}." for note in result.notes]
    return "\n".join(lines) + "\n"


def _times(result: Result) -> list[str]:
    """Rows of stages over the floor and the product; searches over the plain one."""
    over = [name for name in (FLOOR, PRODUCT) if name in result.seconds]
    header = ["stage", "seconds", *(f"÷ {name.split(':')[0]}" for name in over)]
    lines = ["| " + " | ".join(header) + " |", "|---" + "|---:" * (1 + len(over)) + "|"]
    for name, seconds in result.seconds.items():
        cells = [name, f"{seconds:.3g}"]
        if name in (INDEX_SEARCH, EXACT_SEARCH):
            cells[0] += f" ({seconds / result.seconds[PLAIN_SEARCH]:.2f} × the plain row)"
        apart = name in (PLAIN_SEARCH, INDEX_SEARCH, EXACT_SEARCH)
        cells += ["" if apart else f"{seconds / result.seconds[other]:.2f}" for other in over]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def write_results(results: list[Result], folder: str | Path, name: str) -> None:
    """Write the tables as `name.md` and all numbers as `name.json`.

    Args:
        results: of one run.
        folder: where to.
        name: of both files.
    """
    content = {
        "md": "\n".join(map(markdown, results)),
        "json": json.dumps([dataclasses.asdict(result) for result in results], indent=1) + "\n",
    }
    for suffix, text in content.items():
        with atomic_write(Path(folder) / f"{name}.{suffix}") as temporary:
            temporary.write_text(text, encoding="utf-8")
