"""Results of a test run: scores over trials, their table and caption, and their files."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, pstdev
from typing import Any, TypedDict

import numpy as np
import torch
import torch_geometric

from simgraph._files import atomic_write
from simgraph._version import __version__
from simgraph.config import SIM_FAMILY, Config, SIMConfig
from simgraph.datasets.synthetic_marker import is_synthetic
from simgraph.evaluation import Metrics
from simgraph.reports.html import numeric_columns
from simgraph.rerankers import METHODS
from simgraph.sim.params import AUTO_PARAMETERS, SIMParams

RANKS = (1, 5, 10, 20)
COLUMNS = (*(f"rank{r}" for r in RANKS), "mAP", "mINP")

_HAND = "given by hand"

Row = dict[str, float]
"""A score in [0, 1] for each of COLUMNS."""


class Results(TypedDict):
    """The content of results.json."""

    methods: dict[str, Row]
    """Means over trials."""
    std: dict[str, Row]
    """Population standard deviations over trials."""
    per_trial: dict[str, list[Row]]
    cmc: dict[str, list[float]]
    """Means over trials at ranks 1, 2, ..., 20."""
    trials: int
    queries: int
    scored: int
    """Queries with a match in the first trial."""
    gallery: int
    protocol: str
    transductive: list[str]
    """Methods whose distances for one query depend on the other queries."""
    synthetic: bool
    """Whether a note in its folder marks the test set as synthetic."""
    sim_origin: str
    """How the parameters under `sim` came about; empty if no method reads them."""
    chosen: list[dict[str, Any]]
    """What `auto` chose in each trial, and why; empty if no parameter was `auto`."""
    config: dict[str, Any]
    versions: dict[str, str]


def summarize(
    scores: dict[str, list[Metrics]],
    sizes: list[tuple[int, int]],
    protocol: str,
    config: Config,
    chosen: Sequence[SIMParams] = (),
) -> Results:
    """Compute means and deviations over trials.

    Args:
        scores: method → the scores of each trial.
        sizes: numbers of queries and gallery images of each trial.
        protocol: of the scores.
        config: the settings of the run.
        chosen: what `auto` chose in each trial.

    Returns:
        The results, ready for `write_results`.
    """
    per_trial = {method: [_row(metrics) for metrics in trials] for method, trials in scores.items()}
    return {
        "methods": {method: _over(rows, fmean) for method, rows in per_trial.items()},
        "std": {method: _over(rows, pstdev) for method, rows in per_trial.items()},
        "per_trial": per_trial,
        "cmc": {method: _mean_cmc(trials) for method, trials in scores.items()},
        "trials": len(sizes),
        "queries": sizes[0][0],
        "scored": next(iter(scores.values()))[0].num_valid,
        "gallery": sizes[0][1],
        "protocol": protocol,
        "synthetic": is_synthetic(config.dataset.root),
        "transductive": [
            method
            for method in scores
            if METHODS[method].transductive
            or (method in SIM_FAMILY and config.sim.params().is_transductive)
        ],
        "sim_origin": sim_origin(config) if set(scores).intersection(SIM_FAMILY) else "",
        "chosen": [
            {name: getattr(p, name) for name in (*AUTO_PARAMETERS, "reason")} for p in chosen
        ],
        "config": config.model_dump(mode="json"),
        "versions": versions(),
    }


def sim_origin(config: Config) -> str:
    """How the parameters under `sim` came about: by default, by hand, by auto, or by tuning.

    An origin that `simgraph study tune` wrote begins with the parameters it speaks of, so that a
    later change of one of them is noticed.
    """
    sim = config.sim
    values = sim.model_dump(exclude={"origin"}, exclude_none=True)
    words = ", ".join(f"{name}={value}" for name, value in values.items())
    stated, colon, rest = sim.origin.partition(": ")
    if stated == words:
        return rest
    if colon and stated.startswith("k="):
        return f"given by hand; {stated} were {rest}"
    if sim.origin:
        return sim.origin
    if sim.images_per_identity is not None:
        return f"auto, for {sim.images_per_identity:g} images per identity"
    if sim.params().has_auto:
        return "auto, without labels"
    return (
        "published defaults"
        if values == SIMConfig().model_dump(exclude={"origin"}, exclude_none=True)
        else _HAND
    )


def _row(metrics: Metrics) -> Row:
    ranks = {f"rank{r}": float(metrics.cmc[r - 1]) for r in RANKS}
    return {**ranks, "mAP": metrics.mAP, "mINP": metrics.mINP}


def _mean_cmc(trials: list[Metrics]) -> list[float]:
    return [fmean(float(metrics.cmc[r]) for metrics in trials) for r in range(max(RANKS))]


def _over(rows: list[Row], statistic: Any) -> Row:
    return {column: statistic([row[column] for row in rows]) for column in COLUMNS}


def versions() -> dict[str, str]:
    """Versions of the software that computes the scores."""
    return {
        "simgraph": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "torch_geometric": torch_geometric.__version__,
        "numpy": np.__version__,
        "revision": _revision(),
    }


def _revision() -> str:
    """The commit of a checkout, with + if files were changed; unknown for an installation."""
    git = ("git", "-C", str(Path(__file__).parent))
    try:
        commit = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run(
            [*git, "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return commit.stdout.strip() + "+" * bool(changed.stdout.strip())


def table(results: Results) -> list[list[str]]:
    """Rows of methods × rank-1/5/10/20, mAP, mINP in percent, mean ± std; headings first."""
    rows = [["method", *(column.replace("rank", "rank-") for column in COLUMNS)]]
    for method, mean in results["methods"].items():
        std = results["std"][method]
        spread = [f" ± {100 * std[c]:.2f}" if results["trials"] > 1 else "" for c in COLUMNS]
        cells = [f"{100 * mean[c]:.2f}{s}" for c, s in zip(COLUMNS, spread, strict=True)]
        rows.append([method, *cells])
    return rows


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table as Markdown, with numbers aligned to the right."""
    rule = ["---:" if numeric else "---" for numeric in numeric_columns(rows)]
    return "\n".join(f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]])


def caption(results: Results) -> str:
    """How to read the table: test set, sizes, trials, protocol, normalization, parameters."""
    data = results["config"]["dataset"]
    shots = f" {data['shots']}-shot" if data["name"] == "sysu_mm01" else ""
    mode = f" {data['mode']}" if data["mode"] else ""
    made_up = "SYNTHETIC, made up, in the form of " if results["synthetic"] else ""
    facts = [
        f"{made_up}{data['name']}{mode}{shots}: "
        f"{results['queries']} queries ({results['scored']} scored)",
        f"{results['gallery']} gallery images",
        f"{results['trials']} trial{'s' * (results['trials'] > 1)}",
        f"protocol {results['protocol']}",
        f"features {'' if results['config']['normalize'] else 'not '}L2-normalized",
        *_parameters(results),
    ]
    looking = ", ".join(results["transductive"]) or "none"
    return f"{', '.join(facts)}; transductive (look at other queries): {looking}"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _parameters(results: Results) -> list[str]:
    """The parameters of the methods in the table; SGR, MNNR and SIM share one set."""
    settings, methods = results["config"], results["methods"]
    sim = settings["sim"] if set(methods).intersection(SIM_FAMILY) else {}
    others = [
        (method, settings["params"][method]) for method in methods if method in settings["params"]
    ]
    shown = {key: value for key, value in sim.items() if key != "origin" and value is not None}
    how = results.get("sim_origin")  # results of earlier versions do not say
    return [
        *(f"{key}={_text(value)}{_range(results, key)}" for key, value in shown.items()),
        *([f"parameters of SIM: {how}"] if sim and how else []),
    ] + [
        f"{method} ({', '.join(f'{key}={value}' for key, value in values.items())})"
        for method, values in others
    ]


def _range(results: Results, key: str) -> str:
    """The choices of `auto` over trials: ` (chosen: 8)` or ` (chosen: 7 to 9)`; else empty."""
    values = sorted({choice[key] for choice in results["chosen"] if key in AUTO_PARAMETERS})
    return f" (chosen: {' to '.join(map(str, dict.fromkeys(values[:1] + values[-1:])))})" * bool(
        values
    )


def write_results(results: Results, folder: str | Path) -> None:
    """Write `results.json` and `table.md`, each whole or not at all.

    Args:
        results: of `simgraph.pipeline.run_test`.
        folder: created if it is missing.
    """
    with atomic_write(Path(folder) / "results.json") as file:
        file.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    with atomic_write(Path(folder) / "table.md") as file:
        text = f"{caption(results)}\n\n{markdown(table(results))}\n"
        file.write_text(text, encoding="utf-8")
