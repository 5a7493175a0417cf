"""How much parameters matter: curves of λ, K and α as in the paper's Fig. 4, or of any other."""

from __future__ import annotations

from pathlib import Path

from simgraph.html_report import Figure, Heading, Paragraph, Part, Table
from simgraph.studies import figures
from simgraph.studies.cells import Cell
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.outcome import Outcome, mean_std
from simgraph.studies.plan import chosen_methods, settings_of, variation
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import caption, label, score_cells, transductive
from simgraph.studies.varied import percent_curves, varied_rows

TITLE = "Sweep: how much the parameters matter"
METHODS = ("baseline", "sim")
SYMBOLS = {"lam": "λ", "num_paths": "K", "alpha": "α", "k_query": "k_q", "k_gallery": "k_g"}


def check(config: StudyConfig) -> None:
    """Raise for a variation of what no method of the study has."""
    for text in config.sweep.vary:
        variation(text, chosen_methods(config, METHODS))


def plan(trial: StudyTrial, config: StudyConfig) -> list[Cell]:
    """The raw distances once; each value of each parameter, the others as they are set."""
    methods = chosen_methods(config, METHODS)
    cells = [Cell(trial, m, settings_of(m, trial)) for m in methods]
    for text in config.sweep.vary:
        parameter, having, values = variation(text, methods)
        for method, names in having.items():
            own = settings_of(method, trial)
            cells += [
                Cell(trial, method, own | dict.fromkeys(names, value), parameter, value)
                for value in values
            ]
    return cells


def report(outcome: Outcome, folder: Path) -> list[Part]:
    """For each test set and parameter a figure with a panel a metric, and its table."""
    parts: list[Part] = [
        Paragraph(
            "One parameter is varied at a time, the others stay as they are set. The best value "
            "was not chosen on other data: it is optimistic as an estimate of what a method gives."
        )
    ]
    parameters = dict.fromkeys(r.parameter for r in outcome.records if r.parameter)
    for dataset in outcome.sets:
        for number, parameter in enumerate(parameters):
            name = symbol(parameter)
            parts.append(Heading(f"{dataset}: {name}"))
            stem = folder / f"sweep_{dataset.replace('/', '_')}_{number + 1}_{parameter}"
            drawn = figures.curves(_panels(outcome, dataset, parameter), f"{dataset}: {name}")
            file = figures.write_figure(drawn, stem)
            parts.append(
                Figure(
                    file,
                    f"Metrics over {name} on {dataset}, in percent; other parameters as set; "
                    f"dashed: raw distances; bands: deviation over trials; {figures.NOTE}",
                )
            )
            parts.append(_table(outcome, dataset, parameter))
    return parts


def symbol(parameter: str) -> str:
    """A parameter as the paper writes it, with the method before it where one is named."""
    method, dot, names = parameter.rpartition(".")
    return method + dot + " = ".join(SYMBOLS.get(name, name) for name in names.split("+"))


def _panels(
    outcome: Outcome, dataset: str, parameter: str
) -> list[tuple[str, str, dict[str, figures.Curve]]]:
    panels = []
    for metric in outcome.config.metrics:
        lines = percent_curves(outcome, dataset, parameter, metric)
        raw = mean_std(outcome.of(dataset, "baseline"), metric)
        values = dict.fromkeys(value for line in lines.values() for value in line)
        if raw is not None and values:
            level = dict.fromkeys(values, (100 * raw[0], 100 * raw[1]))
            lines = {"baseline": level, **lines}
        panels.append((symbol(parameter), f"{label(metric)} (%)", lines))
    return panels


def _table(outcome: Outcome, dataset: str, parameter: str) -> Table:
    metrics = outcome.config.metrics
    raw = score_cells(outcome.of(dataset, "baseline"), metrics)
    head = ["method", "transductive", symbol(parameter), *map(label, metrics)]
    rows = [
        ["baseline", transductive("baseline"), "any", *raw],
        *varied_rows(outcome, dataset, parameter),
    ]
    return Table([head, *rows], caption(outcome, dataset))
