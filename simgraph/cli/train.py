"""Train a network on a two-modality dataset, with evaluations during training.

    simgraph train --config folder_small --dataset.root data/mine --output runs/mine

--config takes a file or the name of a shipped config; any key given here overrides it. --resume
continues from the last checkpoint. --check only decodes every image and reports those that cannot
be read. On several GPUs: torchrun --nproc_per_node 4 -m simgraph train ...
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

from simgraph._progress import no_progress, show_progress
from simgraph.cli.inputs import config_files, keep_inputs, run_folders
from simgraph.config import Config, from_command_line

if TYPE_CHECKING:
    from simgraph.datasets.thermal import Depth, ThermalRange

_WRITTEN = ("config.yaml", "log.csv", "last.safetensors", "best.safetensors")


def main(arguments: Sequence[str] | None = None) -> None:
    """Check, or train."""
    switches = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    switches.add_argument("--resume", action="store_true")
    switches.add_argument("--check", action="store_true")
    known, rest = switches.parse_known_args(arguments)
    config = from_command_line(str(__doc__), rest, Config, "simgraph train")
    if known.check:
        _check(config)
    elif config.output is None:
        raise ValueError("output: expected a folder for the run, got none; give --output")
    else:
        if not known.resume:  # a resumed run may be given its own settings
            outputs = (path / name for path in run_folders(config.output) for name in _WRITTEN)
            keep_inputs(outputs, [*config_files(rest), config.model.weights])
        _train(config, config.output, known.resume)


def _check(config: Config) -> None:
    from simgraph.datasets.left_out import summary
    from simgraph.training.data import check_data

    found = check_data(config)
    print(", ".join(f"{name}: {count}" for name, count in found.counts.items()))
    if found.deep:
        print(_scaling(list(found.deep.values()), config.images.thermal_range))
    for line in summary(found.left_out):
        print(line)
    print("every image can be read")


def _scaling(depths: list[Depth], thermal_range: ThermalRange) -> str:
    """How images of more than eight bits are scaled, and what is left of their levels."""
    rule = (
        "the least to the greatest value of each image"
        if thermal_range == "image"
        else f"{thermal_range[0]:g} to {thermal_range[1]:g}"
    )
    low, high = min(depth.low for depth in depths), max(depth.high for depth in depths)
    kept = [depth.after for depth in depths]
    return (
        f"images of more than 8 bits: {len(depths)}, raw values {low:g} to {high:g}, scaled from "
        f"{rule} (images.thermal_range); {min(kept)} to {max(kept)} gray levels kept per image"
    )


def _train(config: Config, output: str, resume: bool) -> None:
    from simgraph.training.trainer import train

    # Of the processes that torchrun starts, the first one speaks.
    first = os.environ.get("RANK", "0") == "0"
    train(config, output, resume, show_progress if first else no_progress)
