"""Write a synthetic test set of features on the skeleton of SYSU-MM01: no images, no real data.

    tools/synthesize.py runs/demo/data

Its figures say that the code runs, nothing about any benchmark.
"""

import sys
from pathlib import Path
from typing import Annotated

import tyro

from simgraph.datasets import synthetic


def main(root: Annotated[Path, tyro.conf.Positional], seed: int = 0, dim: int = 128) -> None:
    """Draw the features and write them with their protocol files.

    Args:
        root: folder to write: exp/ and features.npz.
        seed: the same seed draws the same set.
        dim: feature dimensions.
    """
    file = synthetic.write_sysu_mm01(root, seed=seed, dim=dim)
    print(f"wrote synthetic features to {file} and their protocol files to {root / 'exp'}")


if __name__ == "__main__":
    try:
        tyro.cli(main, description=__doc__)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
