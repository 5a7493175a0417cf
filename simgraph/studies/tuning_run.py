"""The study `tune`: settings → features → `tune` → sim.yaml, tuning.json and a report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from simgraph._files import atomic_write, writable_folder
from simgraph._progress import Track, no_progress
from simgraph.reports.html import Code, Heading, Paragraph, Part, Table, write_page
from simgraph.rerankers.settings import SIMConfig
from simgraph.results import markdown, versions
from simgraph.studies.settings import parameter_value
from simgraph.studies.tuning import Candidate, Tuning, label, tune
from simgraph.studies.tuning_inputs import TuningInput, tuning_input
from simgraph.studies.tuning_settings import TuneConfig

TITLE = "Tuning: parameters chosen on labeled identities"


def run_tuning(config: TuneConfig, track: Track = no_progress) -> Tuning:
    """Choose parameters on labeled features and write what to use.

    Args:
        config: the settings; `output` is the folder to write to. Measurements that an earlier run
            stored there, with the same features, parameters and code, are read.
        track: shows progress over measurements.

    Returns:
        The choice.

    Raises:
        FileNotFoundError: for missing files.
        ValueError: for bad settings or features, or features of a test set.
    """
    folder = writable_folder(config.output)
    grid = parse_grid(config.grid)
    found = tuning_input(config, track)
    f = found.features
    assert f.query_pids is not None and f.gallery_pids is not None, "checked with the input"
    result = tune(
        f.query, f.gallery, f.query_pids, f.gallery_pids, f.query_cams, f.gallery_cams,
        protocol=found.protocol, method=config.method, grid=grid, refine=config.refine,
        search=config.search, images_per_identity=config.images_per_identity, draws=config.draws,
        resamples=config.resamples, confidence=config.confidence, normalize=config.normalize,
        seed=config.seed, cells=folder / "cells", track=track,
    )  # fmt: skip
    _write(result, config, found, folder)
    return result


def parse_grid(lines: tuple[str, ...]) -> dict[str, list[Any]] | None:
    """The grid that lines of PARAMETER=VALUE,VALUE,… give; None for no lines.

    Raises:
        ValueError: for another form, or a parameter given twice.
    """
    grid: dict[str, list[Any]] = {}
    for line in lines:
        name, _, values = line.partition("=")
        if not name or "" in values.split(",") or name in grid:
            raise ValueError(f"grid: expected PARAMETER=VALUE,VALUE,… once each, got {line!r}")
        grid[name] = list(dict.fromkeys(map(parameter_value, values.split(","))))
    return grid or None


def section(result: Tuning, found: TuningInput) -> dict[str, Any]:
    """The section of a config that has the chosen parameters, with their origin under `sim`.

    Args:
        result: the choice.
        found: what it was made on.

    Returns:
        `sim: …` for SIM's family, else `params: METHOD: …`; for a method that stays behind the
        baseline, `methods: [baseline]`.
    """
    if result.sim is None:
        if result.keeps_baseline:
            return {"methods": ["baseline"]}
        return {"params": {result.method: result.params}}
    known = SIMConfig.model_fields
    values = {n: v for n, v in vars(result.sim).items() if n in known and v is not None}
    return {"sim": values | {"origin": f"{stated(values)}: {origin(result, found)}"}}


def stated(values: dict[str, Any]) -> str:
    """The parameters that an origin speaks of, so that a later change of one is noticed."""
    names = [name for name in SIMConfig.model_fields if name != "origin" and name in values]
    return ", ".join(f"{name}={values[name]}" for name in names)


def origin(result: Tuning, found: TuningInput) -> str:
    """What the parameters were chosen on, in one sentence without a date."""
    thin = (
        f", gallery thinned to {result.images_per_identity} images per identity "
        f"({result.draws} draws)"
        if result.images_per_identity
        else ""
    )
    return (
        f"tuned on {found.name} (SHA-256 {found.digest[:16]}), {result.identities} identities, "
        f"{result.queries} queries, {result.gallery} gallery images{thin}, "
        f"protocol {result.protocol}"
    )


def _write(result: Tuning, config: TuneConfig, found: TuningInput, folder: Path) -> None:
    chosen = yaml.safe_dump(section(result, found), sort_keys=False, width=90)
    name = "params.yaml" if result.sim is None else "sim.yaml"
    head = f"# {TITLE}.\n#   simgraph test --config YOUR_CONFIG --config {name} …\n"
    with atomic_write(folder / name) as file:
        file.write_text(head + chosen, encoding="utf-8")
    values = {
        **result.to_dict(),
        "tuned_on": {"name": found.name, "sha256": found.digest},
        "settings": config.model_dump(mode="json"),
        "versions": versions(),
    }
    with atomic_write(folder / "tuning.json") as file:
        file.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    parts = _report(result, config, found, chosen)
    with atomic_write(folder / "report.md") as file:
        text = "\n\n".join([f"# {TITLE}", *map(_in_markdown, parts)])
        file.write_text(text + "\n", encoding="utf-8")
    write_page(folder / "report.html", TITLE, parts)


def _report(result: Tuning, config: TuneConfig, found: TuningInput, chosen: str) -> list[Part]:
    settings = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, width=90)
    return [
        Heading("Choice"),
        # Not capitalized: k and K are two parameters.
        Paragraph(f"Chosen: {result.reason}."),
        Paragraph(f"These parameters were {origin(result, found)}."),
        Code(chosen),
        Heading("Candidates"),
        candidates_table(result),
        Heading("How to reproduce these values"),
        Paragraph("Save as settings.yaml, then: simgraph study tune --config settings.yaml"),
        Code(settings),
    ]


def candidates_table(result: Tuning) -> Table:
    """All measured candidates with their gains."""
    rows = [
        [c.stage, label(c.params), str(c.queries), _percent(c), _interval(c)]
        for c in result.candidates
    ]
    return Table(
        [["stage", "parameters", "queries", "mAP", "Δ mAP"], *rows],
        f"mAP in percent. Δ mAP: difference to the first candidate of the stage in points, with "
        f"its {result.confidence:.0%} bootstrap interval over {result.unit}.",
    )


def _percent(candidate: Candidate) -> str:
    return "refused" if candidate.refusal else f"{100 * candidate.mAP:.2f}"


def _interval(candidate: Candidate) -> str:
    if candidate.gain is None:
        return candidate.refusal
    mean, low, high = (100 * v for v in vars(candidate.gain).values())
    return f"{mean:+.2f} [{low:+.2f}, {high:+.2f}]"


def _in_markdown(part: Part) -> str:
    if isinstance(part, Heading):
        return f"## {part.text}"
    if isinstance(part, Code):
        return f"```yaml\n{part.text}```"
    if isinstance(part, Table):
        return f"{part.caption}\n\n{markdown([list(row) for row in part.rows])}"
    assert isinstance(part, Paragraph), "the report has no figures"
    return part.text
