"""Write a synthetic test set: no real data, values that say nothing about any benchmark.

simgraph synthesize features runs/features
simgraph synthesize images runs/images
simgraph synthesize images runs/images --layout regdb
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from simgraph._progress import show_progress

Root = Annotated[Path, tyro.conf.Positional]


def features(root: Root, seed: int = 0, dim: int = 128) -> None:
    """Features and protocol files on the skeleton of SYSU-MM01.

    Args:
        root: folder to write: exp/ and features.npz.
        seed: the same seed draws the same set.
        dim: feature dimensions.
    """
    from simgraph.synthetic.features import write_sysu_mm01

    file = write_sysu_mm01(root, seed=seed, dim=dim)
    print(f"wrote synthetic features to {file} and their protocol files to {root / 'exp'}")


def images(root: Root, seed: int = 0, layout: Literal["sysu_mm01", "regdb"] = "sysu_mm01") -> None:
    """Drawn pedestrians, for training and testing.

    Args:
        root: folder to write.
        seed: the same seed draws the same set.
        layout: whose folders and protocol files.
    """
    from simgraph.synthetic import pedestrians

    draw = pedestrians.draw_sysu_mm01 if layout == "sysu_mm01" else pedestrians.draw_regdb
    draw(root, seed=seed, track=show_progress)
    print(f"drew synthetic pedestrians in the layout of {layout} to {root}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write features, or draw images."""
    tyro.extras.subcommand_cli_from_dict(
        {"features": features, "images": images},
        args=arguments,
        prog="simgraph synthesize",
        description=__doc__,
    )
