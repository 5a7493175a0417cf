"""Rank a gallery for queries without labels: two feature files in, ranked lists out.

simgraph rerank --query infrared.npy --gallery rgb.npy --output ranked.npz
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import tyro

from simgraph._bytes import DEFAULT
from simgraph._config_keys import short_errors
from simgraph.config import MethodName, ParamsConfig, SIMConfig


@dataclass(frozen=True)
class Arguments:
    """What is ranked, how, and where the lists are written."""

    query: Path
    """Features of the queries [Nq, D]: .npy, or .npz or .safetensors with the key query_feat, feat
    or features, or with one matrix."""
    gallery: Path
    """Features of the gallery [Ng, D], likewise, with the key gallery_feat."""
    output: Path
    """.npz with `indices` and `distances` [Nq, top], or .csv with a line per query and rank."""
    method: MethodName = "sim"
    """Re-ranking method."""
    top: int = 100
    """Length of each list; at most the gallery's size."""
    normalize: Literal[True, False] = True
    """Scale every feature row to length 1."""
    memory: str = DEFAULT
    """Memory that baseline, sgr, mnnr and sim may take in addition to the features."""
    sim: SIMConfig = field(default_factory=SIMConfig)
    """Parameters of SGR, MNNR and SIM."""
    params: ParamsConfig = field(default_factory=ParamsConfig)
    """Parameters of the other methods."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Read, rank, write."""
    with short_errors():
        asked = tyro.cli(
            Arguments,
            args=arguments,
            prog="simgraph rerank",
            description=__doc__,
            use_underscores=True,
            config=(tyro.conf.FlagConversionOff,),
        )
    _rank(asked)


def _rank(asked: Arguments) -> None:
    from simgraph._files import refuse_input_as_output
    from simgraph.features import load_array
    from simgraph.pipeline import method_params
    from simgraph.rerankers import rerank
    from simgraph.rerankers.ranked_lists import check_output, check_top, ranked_lists, write_ranked

    check_output(asked.output)
    refuse_input_as_output(asked.output, (asked.query, asked.gallery))
    check_top(asked.top)
    query = load_array(asked.query, "query_feat")
    gallery = load_array(asked.gallery, "gallery_feat")
    params = method_params(asked.method, asked.sim, asked.normalize, asked.params, asked.memory)
    distances, indices = ranked_lists(rerank(query, gallery, asked.method, **params), asked.top)
    write_ranked(distances, indices, asked.output)
    print(
        f"wrote the {indices.shape[1]} nearest of {len(gallery)} images for each of "
        f"{len(query)} queries to {asked.output}"
    )
