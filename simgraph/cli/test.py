"""Score features: baseline, SGR, MNNR and SIM under a test set's protocol, as in Table 3.

    simgraph test --config sysu_mm01 --features feats/sysu --dataset.root data/sysu
    simgraph test --config sysu_mm01 --checkpoint runs/sysu --dataset.root data/sysu

--config takes a file or the name of a shipped config; any key given here overrides it.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from simgraph._files import writable_folder
from simgraph._progress import show_progress
from simgraph.cli.inputs import checkpoint_files, config_files, feature_files, keep_inputs
from simgraph.config import Config, from_command_line

if TYPE_CHECKING:
    from simgraph.results import Results
    from simgraph.trials import Source

_WRITTEN = ("results.json", "table.md", "report.html")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, write results.json, table.md and report.html, print the table."""
    config = from_command_line(str(__doc__), arguments, Config, "simgraph test")
    if config.output is not None:
        folder = writable_folder(config.output)
        inputs: list[str | Path] = [
            *feature_files(config.features),
            *checkpoint_files(config.checkpoint),
        ]
        keep_inputs((folder / name for name in _WRITTEN), [*config_files(arguments), *inputs])

    from simgraph.pipeline import run_test

    source = None if config.checkpoint is None else _checkpoint_features(config)
    results = run_test(config, show_progress, source)
    # Files first: the reader of the table may be gone, or its disk full.
    if config.output is not None:
        _write(results, Path(config.output))
    _print(results)
    if config.output is not None:
        print(f"wrote {', '.join(_WRITTEN)} to {config.output}", file=sys.stderr)


def _checkpoint_features(config: Config) -> Source:
    """Features of a trained network; needs the extra [train]."""
    from simgraph.training.extraction import checkpoint_source

    return checkpoint_source(config)


def _print(results: Results) -> None:
    """Print the table without wrapping: a long line is easier to read than a torn one."""
    from rich.console import Console
    from rich.table import Column, Table

    from simgraph.results import caption, table

    console = Console()
    console.width = max(console.width, 110)
    head, *rows = table(results)
    columns = (Column(name, justify="right", no_wrap=True) for name in head[1:])
    shown = Table(Column(head[0], no_wrap=True), *columns)
    for row in rows:
        shown.add_row(*row)
    console.print(shown, caption(results), sep="\n")


def _write(results: Results, folder: Path) -> None:
    from simgraph.reports.score_page import write_report
    from simgraph.results import write_results

    write_results(results, folder)
    write_report(results, folder / "report.html")
