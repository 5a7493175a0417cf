"""Write the features of a test set's images to a file that `simgraph test` reads.

    simgraph extract --config sysu_mm01 --dataset.root data/sysu \
        --checkpoint runs/sysu --output feats/sysu.npz

RegDB has one file per trial: name them with {trial}.
"""

from __future__ import annotations

from collections.abc import Sequence

from simgraph._progress import show_progress
from simgraph.config import Config, from_command_line


def main(arguments: Sequence[str] | None = None) -> None:
    """Read each trial's images once, and write their features."""
    config = from_command_line(str(__doc__), arguments, Config, "simgraph extract")
    if config.output is None or config.checkpoint is None:
        raise ValueError("expected --checkpoint and --output FILE (.npz or .safetensors)")
    _extract(config, config.output)


def _extract(config: Config, output: str) -> None:
    from simgraph.features import save_features
    from simgraph.training.extraction import checkpoint_source
    from simgraph.trials import load_test_set

    regdb = config.dataset.name == "regdb"
    if regdb and config.dataset.trials > 1 and "{trial}" not in output:
        raise ValueError(f"output: expected {{trial}} in {output!r}, one file per RegDB trial")
    source = checkpoint_source(config, show_progress)
    for trial in range(1, config.dataset.trials + 1 if regdb else 2):
        test_set = load_test_set(config.dataset, trial, images=True)
        file = output.replace("{trial}", str(trial))
        save_features(source(test_set, trial), file)
        print(f"wrote {len(test_set.query)} + {len(test_set.gallery)} features to {file}")
