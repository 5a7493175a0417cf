"""Write the features of a test set's images to a file that tools/test.py reads.

    tools/extract.py --config configs/sysu_mm01.yaml --dataset.root data/sysu \
        --checkpoint runs/sysu --output feats/sysu.npz

RegDB writes a file a trial: name it with {trial}.
"""

import sys

from rich.console import Console
from rich.progress import track

from simgraph.config import from_command_line
from simgraph.features import save_features
from simgraph.trials import load_test_set


def main() -> None:
    """Read each trial's images once, and write their features."""
    from simgraph.training.extraction import checkpoint_source

    config = from_command_line(str(__doc__))
    if config.output is None or config.checkpoint is None:
        raise ValueError("expected --checkpoint and --output FILE (.npz or .safetensors)")
    regdb = config.dataset.name == "regdb"
    if regdb and config.dataset.trials > 1 and "{trial}" not in config.output:
        raise ValueError(f"output: expected {{trial}} in {config.output!r}, a file a RegDB trial")
    source = checkpoint_source(
        config,
        lambda steps, total: track(
            steps, description="images", total=total, console=Console(stderr=True)
        ),
    )
    for trial in range(1, config.dataset.trials + 1 if regdb else 2):
        test_set = load_test_set(config.dataset, trial, images=True)
        file = config.output.replace("{trial}", str(trial))
        save_features(source(test_set, trial), file)
        print(f"wrote {len(test_set.query)} + {len(test_set.gallery)} features to {file}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
