"""The options of each picture of `simgraph visualize`, without an import of torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

import tyro

from simgraph.config import Config

Change: TypeAlias = Literal["helped", "hurt"]
"""Whether re-ranking raised or lowered a query's average precision, or an image's rank."""

MAX_MIB = 39
"""Default size limit of an explorer page in MiB."""


@dataclass(frozen=True)
class Picture:
    """The options that all pictures share."""

    config: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)
    trial: int = 1
    """Which trial of the test set, from 1."""


@dataclass(frozen=True)
class Strip(Picture):
    """A query and the first images of each method; arrows connect an image with the next row."""

    query: int | None = None
    """Which query, from 0; None selects the one that re-ranking changed most."""
    change: Change = "helped"
    """Select the query that re-ranking helped most, or the one that it hurt most."""
    top: int = 10
    """Images per row."""


@dataclass(frozen=True)
class Graph(Picture):
    """The neighbor graph around a query, with the paths to a gallery image; prints them, too."""

    query: int | None = None
    """Which query, from 0; None selects the one that re-ranking changed most."""
    gallery: int | None = None
    """Which gallery image, from 0; None selects the correct match that moved most."""
    change: Change = "helped"
    """Select the query and the image that re-ranking helped most, or that it hurt most."""
    top: int = 12
    """Images of N_c(q) to show."""


@dataclass(frozen=True)
class Distances(Picture):
    """Histograms of the distances of same-identity and different-identity pairs."""

    bins: int = 60
    """Bins per histogram."""


@dataclass(frozen=True)
class Embedding(Picture):
    """A t-SNE map of the features of some identities, with the gallery edges of the graph."""

    identities: tuple[int, ...] = ()
    """Which identities, at most 8; none takes the first 8 that both sides have."""
    seed: int = 0
    """Random seed of t-SNE."""


@dataclass(frozen=True)
class CMC(Picture):
    """CMC curves of the methods."""


@dataclass(frozen=True)
class Explorer(Picture):
    """An HTML page that ranks and explains every query for any parameters, without a network."""

    max_mib: float = MAX_MIB
    """Largest size in MiB; distances are stored as precisely as that allows."""


PICTURES: dict[str, type[Picture]] = {
    "strip": Strip,
    "graph": Graph,
    "distances": Distances,
    "embedding": Embedding,
    "cmc": CMC,
    "explorer": Explorer,
}
"""Name of a picture on the command line → its options."""
