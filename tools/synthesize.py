"""Write a synthetic test set: no real data, figures that say nothing about any benchmark.

tools/synthesize.py features runs/features
tools/synthesize.py images runs/images
tools/synthesize.py images runs/images --layout regdb
"""

import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console
from rich.progress import track

from simgraph.synthetic import features as synthetic
from simgraph.synthetic import pedestrians

Root = Annotated[Path, tyro.conf.Positional]


def features(root: Root, seed: int = 0, dim: int = 128) -> None:
    """Features and protocol files on the skeleton of SYSU-MM01.

    Args:
        root: folder to write: exp/ and features.npz.
        seed: the same seed draws the same set.
        dim: feature dimensions.
    """
    file = synthetic.write_sysu_mm01(root, seed=seed, dim=dim)
    print(f"wrote synthetic features to {file} and their protocol files to {root / 'exp'}")


def images(root: Root, seed: int = 0, layout: Literal["sysu_mm01", "regdb"] = "sysu_mm01") -> None:
    """Drawn pedestrians, for training and testing.

    Args:
        root: folder to write.
        seed: the same seed draws the same set.
        layout: whose folders and protocol files.
    """
    draw = pedestrians.draw_sysu_mm01 if layout == "sysu_mm01" else pedestrians.draw_regdb
    console = Console(stderr=True)
    draw(root, seed=seed, track=lambda steps: track(steps, "drawing", console=console))
    print(f"drew synthetic pedestrians in the layout of {layout} to {root}")


if __name__ == "__main__":
    try:
        tyro.extras.subcommand_cli_from_dict(
            {"features": features, "images": images}, description=__doc__
        )
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
