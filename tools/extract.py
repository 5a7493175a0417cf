"""Write the features of a test set's images to a file that tools/test.py reads.

    tools/extract.py --config configs/sysu_mm01.yaml --dataset.root data/sysu \
        --checkpoint runs/sysu --output feats/sysu.npz

A dataset with a network per trial (RegDB) has a file per trial: put {trial} into its name.
"""

import sys

from simgraph._progress import show_progress
from simgraph.config import from_command_line


def main() -> None:
    """Compute the features of each split's images once, and write them."""
    from simgraph.training.extraction import extract_to_files

    config = from_command_line(str(__doc__))
    for file, test_set in extract_to_files(config, show_progress):
        print(f"wrote {len(test_set.query)} + {len(test_set.gallery)} features to {file}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
