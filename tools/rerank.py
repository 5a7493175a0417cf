"""Rank a gallery for queries without labels: two feature files in, ranked lists out.

tools/rerank.py --query infrared.npy --gallery rgb.npy --output ranked.npz
"""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from simgraph.config import MethodName, PeersConfig, SIMConfig
from simgraph.features import load_array
from simgraph.pipeline import method_params
from simgraph.rerankers import rerank
from simgraph.rerankers.ranked_lists import check_output, check_top, ranked_lists, write_ranked


@dataclass(frozen=True)
class Arguments:
    """What is ranked, how, and where to."""

    query: Path
    """Features of the queries [Nq, D]: .npy, or .npz or .safetensors with the key query_feat, feat
    or features, or one matrix."""
    gallery: Path
    """Features of the gallery [Ng, D], likewise, with the key gallery_feat."""
    output: Path
    """.npz with `indices` and `distances` [Nq, top], or .csv with a line a query and rank."""
    method: MethodName = "sim"
    """What ranks them."""
    top: int = 100
    """Length of each list; at most the gallery's size."""
    normalize: Literal[True, False] = True
    """Scale every feature row to length 1."""
    memory: str = "2GiB"
    """What baseline, sgr, mnnr and sim may take above the features."""
    sim: SIMConfig = field(default_factory=SIMConfig)
    """Parameters of SGR, MNNR and SIM."""
    params: PeersConfig = field(default_factory=PeersConfig)
    """Parameters of the other methods."""


def main() -> None:
    """Read, rank, write."""
    arguments = tyro.cli(
        Arguments,
        description=__doc__,
        use_underscores=True,
        config=(tyro.conf.FlagConversionOff,),
    )
    check_output(arguments.output)
    check_top(arguments.top)
    query, gallery = (
        load_array(arguments.query, "query_feat"),
        load_array(arguments.gallery, "gallery_feat"),
    )
    params = method_params(
        arguments.method, arguments.sim, arguments.normalize, arguments.params, arguments.memory
    )
    distances, indices = ranked_lists(
        rerank(query, gallery, arguments.method, **params), arguments.top
    )
    write_ranked(distances, indices, arguments.output)
    print(
        f"wrote the {indices.shape[1]} nearest of {len(gallery)} images for each of "
        f"{len(query)} queries to {arguments.output}"
    )


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
