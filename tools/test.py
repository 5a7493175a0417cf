"""Score features: baseline, SGR, MNNR and SIM under a test set's protocol, as in Table 3.

    tools/test.py --config configs/sysu_mm01.yaml --features feats/sysu --dataset.root data/sysu
    tools/test.py --config configs/sysu_mm01.yaml --checkpoint runs/sysu --dataset.root data/sysu

--config FILE holds the settings; any key given here overrides it.
"""

import logging
import sys
from pathlib import Path

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track
from rich.table import Column, Table

from simgraph._files import writable_folder
from simgraph.config import Config, from_command_line
from simgraph.pipeline import run_test
from simgraph.reports.score_page import write_report
from simgraph.results import Results, caption, table, write_results
from simgraph.trials import Source


def show(results: Results) -> None:
    """Print the table, unbroken: a line that is too long is easier to read than a torn one."""
    console = Console()
    console.width = max(console.width, 110)
    head, *rows = table(results)
    shown = Table(
        Column(head[0], no_wrap=True),
        *(Column(name, justify="right", no_wrap=True) for name in head[1:]),
    )
    for row in rows:
        shown.add_row(*row)
    console.print(shown, caption(results), sep="\n")


def checkpoint_features(config: Config) -> Source:
    """Features of a trained network; needs the extra [train]."""
    from simgraph.training.extraction import checkpoint_source

    return checkpoint_source(config)


def main() -> None:
    """Run, print the table, write results.json, table.md and report.html."""
    messages = Console(stderr=True)
    logging.basicConfig(
        level="INFO",
        format="%(message)s",
        handlers=[RichHandler(console=messages, show_path=False)],
    )
    config = from_command_line(str(__doc__))
    if config.output is not None:
        writable_folder(config.output)
    source = None if config.checkpoint is None else checkpoint_features(config)
    results = run_test(
        config,
        lambda steps, total: track(
            steps, description="trials × methods", total=total, console=messages
        ),
        source,
    )
    show(results)
    if config.output is not None:
        write_results(results, config.output)
        write_report(results, Path(config.output) / "report.html")
        messages.print(f"wrote results.json, table.md and report.html to {config.output}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
