"""Draw one trial: ranked lists, neighbor graph, histograms, t-SNE map, CMC curves, explorer.

    simgraph visualize strip --features feats.npz --output strip.png
    simgraph visualize graph --features feats.npz --query 3 --output graph.pdf
    simgraph visualize cmc --config folder_small --checkpoint runs/mine --output cmc.svg
    simgraph visualize explorer --features feats.npz --output explorer.html

--config takes a file or the name of a shipped config; any key given here overrides it. --output is
a .png, .svg or .pdf, for the explorer an .html. Without --query, the query that re-ranking helped
most is shown.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import tyro

from simgraph._config_keys import (
    RETIRED_KEYS,
    all_keys,
    renamed_options,
    short_errors,
    with_retired,
)
from simgraph.cli.inputs import checkpoint_files, config_files, feature_files, keep_inputs
from simgraph.config import Config, load_config, parse_config
from simgraph.visualization.options import PICTURES, Explorer, Picture

if TYPE_CHECKING:
    from simgraph.trials import Source

# --help must be quick: torch, matplotlib and the network are imported only where they are used.


def main(arguments: Sequence[str] | None = None) -> None:
    """Check the output, load the trial, draw it, write it.

    Args:
        arguments: the picture and its settings; None takes those of the program.
    """
    options = _parse(arguments)
    if options.config.output is None:
        raise ValueError("expected --output FILE: a .png, .svg or .pdf, for the explorer an .html")
    config = options.config
    inputs = [*feature_files(config.features), *checkpoint_files(config.checkpoint)]
    keep_inputs([options.config.output], [*config_files(arguments), *inputs])
    if isinstance(options, Explorer):
        _write_page(options, options.config.output)
    else:
        _write_picture(options, options.config.output)
    print(f"wrote {options.config.output}")


def _parse(arguments: Sequence[str] | None) -> Picture:
    """The picture asked for, with the settings of --config FILE and their overrides."""
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for option in ("config", *RETIRED_KEYS):
        first.add_argument(f"--{option}", default=argparse.SUPPRESS)
    known, rest = first.parse_known_args(arguments)
    retired = vars(known)
    file = retired.pop("config", None)
    config = load_config(file) if file else Config()
    defaults = {name: picture(config) for name, picture in PICTURES.items()}
    pictures = tyro.extras.subcommand_type_from_defaults(
        defaults,
        {name: str(picture.__doc__) for name, picture in PICTURES.items()},
        prefix_names=False,
    )
    with short_errors():
        options: Picture = tyro.cli(
            pictures,
            args=renamed_options(rest, all_keys(Config)),
            prog="simgraph visualize",
            description=__doc__,
            use_underscores=True,
            config=(tyro.conf.FlagConversionOff,),
        )
    if not retired:
        return options
    settings = with_retired(options.config.model_dump(), retired)
    return replace(options, config=parse_config(settings, "command line"))


def _write_page(options: Explorer, output: str) -> None:
    from simgraph.pipeline import check_fit
    from simgraph.visualization.explorer.page import check_page, write_explorer
    from simgraph.visualization.trial_view import load_trial_view

    config = options.config
    check_page(output)
    view = load_trial_view(config, options.trial, _checkpoint_features(config))
    check_fit(view.features, config)
    write_explorer(view, output, config.sim, config.normalize, options.max_mib)


def _write_picture(options: Picture, output: str) -> None:
    from simgraph.visualization.draw import draw
    from simgraph.visualization.plots import check_picture, save_figure
    from simgraph.visualization.trial_view import load_trial_view

    check_picture(output)
    logging.getLogger("fontTools").setLevel("WARNING")  # it logs every glyph of a PDF
    view = load_trial_view(options.config, options.trial, _checkpoint_features(options.config))
    drawing = draw(view, options)
    # The file comes first: a reader of the text that ends early must not lose the picture.
    save_figure(drawing.figure, output)
    if drawing.text:
        print(drawing.text)


def _checkpoint_features(config: Config) -> Source | None:
    """Features of a trained network, which needs the extra [train]; None without one."""
    if config.checkpoint is None:
        return None
    from simgraph._progress import show_progress
    from simgraph.training.extraction import checkpoint_source

    return checkpoint_source(config, show_progress)
