"""The files next to a run's checkpoints: config.yaml and log.csv."""

from __future__ import annotations

import csv
from pathlib import Path

import yaml

from simgraph._files import atomic_write
from simgraph.config import Config
from simgraph.results import versions


def write_settings(config: Config, folder: Path) -> None:
    """Write config.yaml: the settings of a run, versions and git revision."""
    content = {"config": config.model_dump(mode="json"), "versions": versions()}
    with atomic_write(folder / "config.yaml") as file:
        file.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def read_log(file: Path) -> list[dict[str, str]]:
    """Rows of log.csv; an empty list for a missing file."""
    if not file.exists():
        return []
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def write_log(file: Path, rows: list[dict[str, str]]) -> None:
    """Replace log.csv by the given rows."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    with (
        atomic_write(file) as temporary,
        temporary.open("w", newline="", encoding="utf-8") as lines,
    ):
        writer = csv.DictWriter(lines, columns, restval="")
        writer.writeheader()
        writer.writerows(rows)


def cut_log(file: Path, epochs: int) -> None:
    """Remove the epochs after the given number, which a resumed run trains again."""
    rows = read_log(file)
    kept = [row for row in rows if int(row["epoch"]) <= epochs]
    if len(kept) < len(rows):
        write_log(file, kept)
