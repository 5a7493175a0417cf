"""Draw a ranking: strips, neighbour graphs, distances, an embedding, CMC curves, an explorer.

    tools/visualize.py strip --features feats.npz --output strip.png
    tools/visualize.py graph --config configs/folder_small.yaml --dataset.root data/mine \
        --checkpoint runs/mine --query 3 --output graph.pdf
    tools/visualize.py explorer --features feats.npz --output explorer.html

--config FILE holds the settings; any key given here overrides it. --output is a .png, .svg or
.pdf, the explorer's an .html. Without --query the one that re-ranking helped most is shown.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import track
from torch import Tensor

import simgraph as sg
from simgraph.config import Config, load_config
from simgraph.pipeline import check_fit, method_params, score, sim_params
from simgraph.rerankers import rerank
from simgraph.trials import Source
from simgraph.visualization.explorer.page import MAX_MIB, check_page, write_explorer
from simgraph.visualization.query_selection import Change, striking_image, striking_query
from simgraph.visualization.trial_view import Scene, load_scene

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Pictures need the extra [viz], the explorer does not: each is imported where it is drawn.


@dataclass(frozen=True)
class Common:
    """What all pictures are of."""

    config: Annotated[Config, tyro.conf.arg(name="")] = field(default_factory=Config)
    trial: int = 1
    """Which trial of the test set, from 1."""


@dataclass(frozen=True)
class Strip(Common):
    """A query and the first images of each method; arrows follow an image from row to row."""

    query: int | None = None
    """Which query, from 0; None for one that stands out."""
    change: Change = "helped"
    """Whether the query that stands out is the one re-ranking helped, or hurt, most."""
    top: int = 10
    """Images a row."""


@dataclass(frozen=True)
class Graph(Common):
    """The neighbour graph around a query, with the paths to a gallery image; told in words too."""

    query: int | None = None
    """Which query, from 0; None for one that stands out."""
    gallery: int | None = None
    """Which gallery image, from 0; None for the right one that moved most."""
    change: Change = "helped"
    """Whether what stands out is what re-ranking helped, or hurt, most."""
    top: int = 12
    """Images of N_c(q) that are shown."""


@dataclass(frozen=True)
class Distances(Common):
    """Histograms of the distances of pairs of the same and of different identities."""

    bins: int = 60
    """Of each histogram."""


@dataclass(frozen=True)
class Embedding(Common):
    """Features of some identities by t-SNE, with the gallery's graph."""

    identities: tuple[int, ...] = ()
    """Which, at most 8; none takes the first 8 that both sides have."""
    seed: int = 0
    """Of t-SNE."""


@dataclass(frozen=True)
class CMC(Common):
    """CMC curves of the methods."""


@dataclass(frozen=True)
class Explorer(Common):
    """A page that ranks and explains every query for any parameters, without a network."""

    max_mib: float = MAX_MIB
    """Its largest size, in MiB; distances are stored as finely as that allows."""


Distance = dict[str, Tensor]
"""Of each method, [Nq, Ng]."""


def strip(scene: Scene, options: Strip, distances: Distance) -> Figure:
    """Choose the query, and draw."""
    from simgraph.visualization import plots

    query = chosen_query(scene, options, distances)
    rows = {method: d[query] for method, d in distances.items()}
    return plots.ranked_strips(scene, query, rows, options.top)


def graph(scene: Scene, options: Graph, distances: Distance) -> Figure:
    """Choose the query and the image, explain, and draw."""
    from simgraph.visualization import plots

    f = scene.features
    config, p = options.config, sim_params(f, options.config)
    query, gallery = chosen_query(scene, options, distances), options.gallery
    if gallery is None:
        rows = (d[query] for d in ends(distances))
        gallery = striking_image(scene, query, *rows, options.change)
    network = sg.similarity_graph(f.query, f.gallery, p.k, p.lam, normalize=config.normalize)
    why = sg.explain(
        network, query, gallery, p.num_paths, p.k_query, p.k_gallery, p.alpha, p.expand
    )
    print(why)
    return plots.neighbor_graph(scene, network, why, options.top)


def spread(scene: Scene, options: Distances, distances: Distance) -> Figure:
    """Draw."""
    from simgraph.visualization import plots

    return plots.distance_distributions(scene, distances, options.bins)


def embedding(scene: Scene, options: Embedding, _: Distance) -> Figure:
    """Draw."""
    from simgraph.visualization import plots

    config = options.config
    identities = options.identities or None
    k = sim_params(scene.features, config).k
    return plots.embedding_map(scene, k, identities, config.normalize, options.seed)


def cmc(scene: Scene, options: CMC, distances: Distance) -> Figure:
    """Score, and draw."""
    from simgraph.visualization import plots

    scores = {m: score(d, scene.features, scene.protocol) for m, d in distances.items()}
    return plots.cmc_curves({method: metrics.cmc for method, metrics in scores.items()})


DRAW: dict[type, Callable[..., Figure]] = {
    Strip: strip, Graph: graph, Distances: spread, Embedding: embedding, CMC: cmc,
}  # fmt: skip


def chosen_query(scene: Scene, options: Strip | Graph, distances: Distance) -> int:
    """The one asked for, or the one where the last method differs most from the first."""
    if options.query is None:
        return striking_query(scene, *ends(distances), options.change)
    scene.require_query(options.query)
    return options.query


def ends(distances: Distance) -> tuple[Tensor, Tensor]:
    """The first method's and the last's."""
    first, *_, last = distances.values() if len(distances) > 1 else 2 * [*distances.values()]
    return first, last


def rank(scene: Scene, config: Config) -> Distance:
    """Each method's distances."""
    f = scene.features
    p = sim_params(f, config)
    check_fit(f, config, p)
    known = config.normalize, config.params, config.memory
    params = {m: method_params(m, p, *known) for m in config.methods}
    return {m: rerank(f.query, f.gallery, m, **params[m]) for m in config.methods}


def arguments() -> Common:
    """The picture asked for, with the settings of --config FILE and their overrides."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config")
    known, rest = first.parse_known_args()
    config = load_config(known.config) if known.config else Config()
    commands = {what.__name__.lower(): what(config) for what in (*DRAW, Explorer)}
    options: Common = tyro.cli(
        tyro.extras.subcommand_type_from_defaults(commands, prefix_names=False),
        args=rest,
        description=__doc__,
        use_underscores=True,
        config=(tyro.conf.FlagConversionOff,),
    )
    return options


def checkpoint_features(config: Config, messages: Console) -> Source:
    """Features of a trained network; needs the extra [train]."""
    from simgraph.training.extraction import checkpoint_source

    return checkpoint_source(
        config,
        lambda steps, total: track(steps, description="images", total=total, console=messages),
    )


def main() -> None:
    """Check, load, rank, draw, write."""
    messages = Console(stderr=True)
    logging.basicConfig(
        level="INFO",
        format="%(message)s",
        handlers=[RichHandler(console=messages, show_path=False)],
    )
    logging.getLogger("fontTools").setLevel("WARNING")  # tells every glyph it writes to a PDF
    options = arguments()
    config = options.config
    if isinstance(options, Explorer):
        check = check_page
    else:
        from simgraph.visualization import plots

        check = plots.check_picture
    if config.output is None:
        raise ValueError("expected --output FILE: a .png, .svg or .pdf, an explorer's .html")
    check(config.output)
    source = None if config.checkpoint is None else checkpoint_features(config, messages)
    scene = load_scene(config, options.trial, source)
    if isinstance(options, Explorer):
        check_fit(scene.features, config)
        write_explorer(scene, config.output, config.sim, config.normalize, options.max_mib)
    else:
        draw = DRAW[type(options)]
        plots.save_figure(draw(scene, options, rank(scene, config)), config.output)
    print(f"wrote {config.output}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"error: {error}")
