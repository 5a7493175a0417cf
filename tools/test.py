"""Score features: baseline, SGR, MNNR and SIM under a test set's protocol, as in Table 3.

    tools/test.py --config configs/sysu_mm01.yaml --features feats/sysu --dataset.root data/sysu

--config FILE holds the settings; any key given here overrides it.
"""

import argparse
import logging
import sys

import tyro
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track
from rich.table import Column, Table

from simgraph.config import Config, load_config
from simgraph.pipeline import run_test
from simgraph.report import Results, caption, table, write_results


def parse(arguments: list[str] | None = None) -> Config:
    """The settings of --config FILE with the overrides of the command line."""
    file = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    file.add_argument("--config")
    known, overrides = file.parse_known_args(arguments)
    default = load_config(known.config) if known.config else Config()
    return tyro.cli(
        Config,
        args=overrides,
        default=default,
        description=__doc__,
        use_underscores=True,
        config=(tyro.conf.FlagConversionOff,),
    )


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


def main() -> None:
    """Run, print the table, write results.json."""
    messages = Console(stderr=True)
    logging.basicConfig(
        level="INFO",
        format="%(message)s",
        handlers=[RichHandler(console=messages, show_path=False)],
    )
    config = parse()
    results = run_test(
        config,
        lambda steps, total: track(
            steps, description="trials × methods", total=total, console=messages
        ),
    )
    show(results)
    if config.output is not None:
        write_results(results, config.output)
        messages.print(f"wrote results.json and table.md to {config.output}")


if __name__ == "__main__":
    try:
        main()
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
