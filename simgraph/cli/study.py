"""Studies of re-ranking methods: tables, figures, a report in Markdown and in HTML.

    simgraph study ablation --features feats/a.npz --output runs/ablation
    simgraph study compare --features feats/a.npz feats/b.npz --output runs/compare
    simgraph study sweep --config study_sweep --features feats/a.npz
    simgraph study generalize --checkpoints runs/a runs/b --dataset.name sysu_mm01 --dataset.root …
    simgraph study robustness --configs demo_features --methods sim sim:k=auto
    simgraph study tune --features feats/validation.npz --output runs/tune

ablation: SIM's parts (Table 3). sweep: curves of λ, K, α or any parameter (Fig. 4). generalize:
methods × features (Table 4). compare: all methods, with intervals, time and memory. robustness:
few images, distractors, noise, few queries. tune: chooses parameters on labeled identities outside
the test set and writes sim.yaml; it has its own options (simgraph study tune --help). The same
command again continues where it was stopped.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from simgraph._params import unknown_name
from simgraph._progress import show_progress
from simgraph._shipped_configs import find_config
from simgraph.cli.inputs import checkpoint_files, config_files, feature_files, keep_inputs
from simgraph.config import Config, from_command_line, load_config
from simgraph.studies.settings import STUDY_NAMES, StudyConfig, current_study_name
from simgraph.studies.tuning_settings import TuneConfig

TUNE = "tune"
_TUNE_HELP = """Choose parameters on labeled identities that are not those of the test set.

    simgraph study tune --features feats/validation.npz --images_per_identity 4 --output runs/tune
    simgraph study tune --checkpoint runs/a --dataset.name folder --dataset.root HELD_OUT

The baseline is among the candidates, and stays where nothing is better beyond chance. Then:
simgraph test --config YOUR_CONFIG --config runs/tune/sim.yaml …
"""

_WRITTEN = ("results.csv", "results.json", "report.md", "report.html")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the study and say where its report is."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    name = "" if not words or words[0].startswith("-") else current_study_name(words.pop(0))
    if name == TUNE:
        _tune(from_command_line(_TUNE_HELP, words, TuneConfig, "simgraph study tune"))
        return
    if name not in STUDY_NAMES and not {"-h", "--help"}.intersection(words):
        raise ValueError(unknown_name("study", name, (*STUDY_NAMES, TUNE)))
    config = from_command_line(str(__doc__), words, StudyConfig, "simgraph study")
    outputs = (Path(config.output) / file for file in _WRITTEN)
    keep_inputs(outputs, [*config_files(words), *_inputs(config)])
    _run(name, config)


def _inputs(config: StudyConfig) -> Iterator[str | Path]:
    """The files that a study reads, those that its configs name too."""
    own: list[Config] = [load_config(file) for file in config.configs]
    yield from map(find_config, config.configs)
    for features in (*config.features, *(c.features for c in own)):
        yield from feature_files(features)
    for checkpoint in (*config.checkpoints, *(c.checkpoint for c in own)):
        yield from checkpoint_files(checkpoint)


def _run(name: str, config: StudyConfig) -> None:
    from simgraph.studies import run_study  # needs the extra [viz]

    with _quiet_and_resumable():
        run_study(name, config, show_progress)
    print(f"wrote {', '.join(_WRITTEN)} to {config.output}", file=sys.stderr)


def _tune(config: TuneConfig) -> None:
    from simgraph.studies.tuning_run import run_tuning

    with _quiet_and_resumable():
        result = run_tuning(config, show_progress)
    print(result.reason)
    file = "params.yaml" if result.sim is None else "sim.yaml"
    written = f"{file}, tuning.json, report.md, report.html"
    print(f"wrote {written} to {config.output}", file=sys.stderr)


@contextmanager
def _quiet_and_resumable() -> Iterator[None]:
    # Every call of a method logs its plan as INFO, and that a gallery has no structure to use as
    # WARNING: in a study that would be once per experiment. The report says it once.
    quiet = {"simgraph": logging.WARNING, "simgraph.sim.auto": logging.ERROR}
    before = {name: logging.getLogger(name).level for name in quiet}
    for name, level in quiet.items():
        logging.getLogger(name).setLevel(level)
    try:
        yield
    except KeyboardInterrupt:
        raise KeyboardInterrupt("stopped; the same command continues from here") from None
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)
