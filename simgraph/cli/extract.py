"""Write the features of a test set's images to a file that `simgraph test` reads.

    simgraph extract --config sysu_mm01 --dataset.root data/sysu \
        --checkpoint runs/sysu --output feats/sysu.npz

RegDB has one file per trial: name them with {trial}.
"""

from __future__ import annotations

from collections.abc import Sequence

from simgraph._progress import show_progress
from simgraph.cli.inputs import checkpoint_files, config_files, keep_inputs
from simgraph.config import Config, from_command_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Compute the features of each split's images once, and write them."""
    config = from_command_line(str(__doc__), arguments, Config, "simgraph extract")
    if config.output is not None:
        splits = (config.output.replace("{trial}", str(split)) for split in range(1, 11))
        keep_inputs(splits, [*config_files(arguments), *checkpoint_files(config.checkpoint)])
    from simgraph.training.extraction import extract_to_files

    # All files first: the reader of the words may be gone.
    written = list(extract_to_files(config, show_progress))
    for file, test_set in written:
        print(f"wrote {len(test_set.query)} + {len(test_set.gallery)} features to {file}")
