"""The files of a study: results.csv, results.json, report.md, report.html, and their figures."""

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
from simgraph.studies.experiment import Record
from simgraph.studies.methods import method_of
from simgraph.studies.results import Outcome
from simgraph.studies.tables import chosen_table, methods_table, refusals_table, sets_table

COLUMNS = (
    "study", "dataset", "test_set", "protocol", "normalize", "trial", "repeat", "queries_scored",
    "method", "transductive", "params", "chosen", "parameter", "value", "metric", "figure",
)  # fmt: skip


def write_study(outcome: Outcome, title: str, parts: Sequence[Part], folder: Path) -> None:
    """Write a study's results and report, each file whole or not at all.

    Args:
        outcome: what was measured.
        title: of the report.
        parts: of the report, the study's own; figures are in `folder`/figures.
        folder: to write to.
    """
    with atomic_write(folder / "results.csv") as file, file.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, COLUMNS)
        writer.writeheader()
        writer.writerows(tidy_rows(outcome))
    with atomic_write(folder / "results.json") as file:
        file.write_text(json.dumps(_results(outcome), indent=1) + "\n", encoding="utf-8")
    whole = [*_before(outcome), *parts, *_after(outcome)]
    with atomic_write(folder / "report.md") as file:
        file.write_text(_markdown(title, whole, folder), encoding="utf-8")
    write_page(folder / "report.html", title, [_as_svg(part) for part in whole])


def tidy_rows(outcome: Outcome) -> Iterator[dict[str, Any]]:
    """One row a figure, scores in [0, 1], seconds, and MiB, for any tool that reads tables."""
    for r in outcome.records:
        if r.measurement is None:
            continue
        m, facts = r.measurement, outcome.sets[r.dataset]
        row = {
            "study": outcome.study, "dataset": r.dataset, "test_set": facts.test_set,
            "protocol": facts.protocol, "normalize": facts.normalize, "trial": r.trial,
            "repeat": r.repeat, "queries_scored": m.scored, "method": r.method,
            "transductive": r.transductive, "params": json.dumps(r.params),
            "chosen": json.dumps(m.chosen) if m.chosen else "",
            "parameter": r.parameter, "value": r.value,
        }  # fmt: skip
        figures = {**m.scores, "seconds": m.seconds, "peak_mib": m.peak_mib}
        for metric, figure in figures.items():
            if figure is not None:
                yield {**row, "metric": metric, "figure": figure}


def _results(outcome: Outcome) -> dict[str, Any]:
    return {
        "study": outcome.study,
        "settings": outcome.config.model_dump(mode="json"),
        "sets": {name: asdict(facts) for name, facts in outcome.sets.items()},
        "records": [_record(r) for r in outcome.records],
        "versions": versions(),
    }


def _record(record: Record) -> dict[str, Any]:
    """A record without the precision of each query, which the cell files hold."""
    values = {k: v for k, v in vars(record).items() if k not in ("measurement", "queries")}
    if record.measurement is None:
        return values
    return values | record.measurement.model_dump(exclude={"average_precision"})


def _before(outcome: Outcome) -> list[Part]:
    return [Heading("Test sets"), sets_table(outcome)]


def _after(outcome: Outcome) -> list[Part]:
    parts: list[Part] = [Heading("Methods"), methods_table(outcome)]
    more = {"Chosen for auto": chosen_table(outcome), "Left out": refusals_table(outcome)}
    for heading, table in more.items():
        if table is not None:
            parts += [Heading(heading), table]
    versions_ = ", ".join(f"{name} {version}" for name, version in versions().items())
    return [
        *parts,
        Heading("How to get these figures again"),
        Paragraph(
            f"Save as settings.yaml, then: tools/study.py {outcome.study} --config settings.yaml"
        ),
        Code(yaml.safe_dump(_settings(outcome), sort_keys=False, width=90)),
        Paragraph(f"Computed with {versions_}."),
    ]


def _settings(outcome: Outcome) -> dict[str, Any]:
    """All that the study depends on, without the sections of other studies and methods."""
    settings = outcome.config.model_dump(mode="json")
    used = set(map(method_of, outcome.methods))
    settings["params"] = {m: own for m, own in settings["params"].items() if m in used}
    others = {"sweep", "compare", "robustness"} - {outcome.study}
    return {name: values for name, values in settings.items() if name not in others}


def _as_svg(part: Part) -> Part:
    """Sharp at any size in the page; Markdown's viewers take PNG more widely."""
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
