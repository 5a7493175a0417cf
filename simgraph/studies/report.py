"""Write the files of a study: results.csv, results.json, report.md, report.html."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from simgraph._files import atomic_write
from simgraph.reports.html import Code, Figure, Heading, Paragraph, Part, Table, write_page
from simgraph.results import markdown, versions
from simgraph.studies.experiment import ExperimentResult
from simgraph.studies.results import StudyResults
from simgraph.studies.settings import method_of
from simgraph.studies.tables import chosen_table, datasets_table, methods_table, refusals_table

COLUMNS = (
    "study", "dataset", "test_set", "protocol", "normalize", "trial", "repeat", "queries_scored",
    "method", "transductive", "params", "chosen", "parameter", "parameter_value", "metric", "value",
)  # fmt: skip


def write_study(results: StudyResults, title: str, parts: Sequence[Part], folder: Path) -> None:
    """Write the results and the report of a study, each file whole or not at all.

    Args:
        results: of all experiments.
        title: of the report.
        parts: of the report that are specific to the study; figures are in `folder`/figures.
        folder: to write to.
    """
    with (
        atomic_write(folder / "results.csv") as file,
        file.open("w", newline="", encoding="utf-8") as stream,
    ):
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(tidy_rows(results))
    with atomic_write(folder / "results.json") as file:
        file.write_text(json.dumps(_json(results), indent=1) + "\n", encoding="utf-8")
    every_part = [*_before(results), *parts, *_after(results)]
    with atomic_write(folder / "report.md") as file:
        file.write_text(_markdown(title, every_part, folder), encoding="utf-8")
    write_page(folder / "report.html", title, [_as_svg(part) for part in every_part])


def tidy_rows(results: StudyResults) -> Iterator[dict[str, Any]]:
    """One row per value: scores in [0, 1], seconds and MiB, for any tool that reads tables."""
    for e in results.experiments:
        if e.measurement is None:
            continue
        m, summary = e.measurement, results.test_sets[e.dataset]
        row = {
            "study": results.study, "dataset": e.dataset, "test_set": summary.test_set,
            "protocol": summary.protocol, "normalize": summary.normalize, "trial": e.trial,
            "repeat": e.repeat, "queries_scored": m.scored, "method": e.method,
            "transductive": e.transductive, "params": json.dumps(e.params),
            "chosen": json.dumps(m.chosen) if m.chosen else "",
            "parameter": e.parameter, "parameter_value": e.parameter_value,
        }  # fmt: skip
        values = {**m.scores, "seconds": m.seconds, "peak_mib": m.peak_mib}
        for metric, value in values.items():
            if value is not None:
                yield {**row, "metric": metric, "value": value}


def _json(results: StudyResults) -> dict[str, Any]:
    return {
        "study": results.study,
        "settings": results.config.model_dump(mode="json"),
        "sets": {name: asdict(summary) for name, summary in results.test_sets.items()},
        "records": [_record(e) for e in results.experiments],
        "versions": versions(),
    }


def _record(e: ExperimentResult) -> dict[str, Any]:
    """An experiment without the AP of each query, which the file of the experiment holds."""
    left_out = ("measurement", "query_fingerprint")
    values = {name: value for name, value in vars(e).items() if name not in left_out}
    if e.measurement is None:
        return values
    return values | e.measurement.model_dump(exclude={"average_precision"})


def _before(results: StudyResults) -> list[Part]:
    return [Heading("Test sets"), datasets_table(results)]


def _after(results: StudyResults) -> list[Part]:
    parts: list[Part] = [Heading("Methods"), methods_table(results)]
    optional = {"Chosen for auto": chosen_table(results), "Left out": refusals_table(results)}
    for heading, table in optional.items():
        if table is not None:
            parts += [Heading(heading), table]
    versions_ = ", ".join(f"{name} {version}" for name, version in versions().items())
    return [
        *parts,
        Heading("How to reproduce these values"),
        Paragraph(
            f"Save as settings.yaml, then: simgraph study {results.study} --config settings.yaml"
        ),
        Code(yaml.safe_dump(_settings(results), sort_keys=False, width=90)),
        Paragraph(f"Computed with {versions_}."),
    ]


def _settings(results: StudyResults) -> dict[str, Any]:
    """The settings that the study depends on, without those of other studies and methods."""
    settings = results.config.model_dump(mode="json")
    used = set(map(method_of, results.methods))
    settings["params"] = {m: own for m, own in settings["params"].items() if m in used}
    others = {"sweep", "compare", "robustness"} - {results.study}
    return {name: values for name, values in settings.items() if name not in others}


def _as_svg(part: Part) -> Part:
    """The SVG of a figure, sharp at any size; Markdown has the PNG, which more viewers show."""
    return Figure(part.file.with_suffix(".svg"), part.caption) if isinstance(part, Figure) else part


def _markdown(title: str, parts: Sequence[Part], folder: Path) -> str:
    return "\n\n".join([f"# {title}", *(_in_markdown(part, folder) for part in parts)]) + "\n"


def _in_markdown(part: Part, folder: Path) -> str:
    if isinstance(part, Heading):
        return f"## {part.text}"
    if isinstance(part, Paragraph):
        return part.text
    if isinstance(part, Code):
        return f"```yaml\n{part.text}```"
    if isinstance(part, Figure):
        return f"![{part.caption}]({part.file.relative_to(folder).as_posix()})"
    return f"{part.caption}\n\n{markdown(_escaped(part))}"


def _escaped(table: Table) -> list[list[str]]:
    return [[cell.replace("|", r"\|") for cell in row] for row in table.rows]
