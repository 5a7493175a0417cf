"""Read the files that a study wrote."""

import csv
from pathlib import Path


def rows_of(settings):
    with (Path(settings.output) / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def report_of(settings):
    return (Path(settings.output) / "report.md").read_text(encoding="utf-8")
