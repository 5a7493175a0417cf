"""Studies of re-ranking methods: tables, figures, a report in Markdown and in HTML.

    tools/study.py ablation --features feats/a.npz --output runs/ablation
    tools/study.py compare --features feats/a.npz feats/b.npz --output runs/compare
    tools/study.py sweep --config configs/study_sweep.yaml --features feats/a.npz
    tools/study.py generalise --checkpoints runs/a runs/b --dataset.name sysu_mm01 --dataset.root …
    tools/study.py robustness --configs configs/demo_features.yaml --methods sim sim:k=auto

ablation: SIM's parts (Table 3). sweep: curves of λ, K, α or any parameter (Fig. 4). generalise:
methods × features (Table 4). compare: all methods, with intervals, time and memory. robustness:
few images, distractors, noise, few queries. The same command again goes on where it was stopped.
"""

import argparse
import logging
import sys

from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track

from simgraph.config import settings_from_command_line


def main() -> None:
    """Run the study and say where its report is."""
    from simgraph.studies import STUDIES, StudyConfig, run_study  # needs the extra [viz]

    messages = Console(stderr=True)
    handler = RichHandler(console=messages, show_path=False)
    # It would say in every cell again that a gallery has no structure to use; the report does once.
    handler.addFilter(lambda record: record.name != "simgraph.sim.auto")
    # WARNING, because every call of a method tells its plan as INFO.
    logging.basicConfig(level="WARNING", format="%(message)s", handlers=[handler])
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("study", choices=STUDIES)
    known, rest = first.parse_known_args()
    config = settings_from_command_line(StudyConfig, str(__doc__), rest)
    run_study(
        known.study,
        config,
        lambda steps, words, total: track(steps, description=words, total=total, console=messages),
    )
    messages.print(f"wrote results.csv, results.json, report.md, report.html to {config.output}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped; the same command goes on from here")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
