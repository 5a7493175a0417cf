"""How much parameters matter: curves of λ, K and α as in the paper's Fig. 4, or of any other."""

from __future__ import annotations

from pathlib import Path

from simgraph.reports.html import Figure, Heading, Paragraph, Part, Table
from simgraph.studies import figures
from simgraph.studies.curves import Panel, curves
from simgraph.studies.experiment import Cell
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.methods import Value
from simgraph.studies.plan import chosen_methods, settings_of, variation
from simgraph.studies.results import Outcome, mean_std
from simgraph.studies.settings import StudyConfig
from simgraph.studies.tables import NONE, caption, label, score_cells, transductive
from simgraph.studies.varied import percent_curves, varied_head, varied_rows

TITLE = "Sweep: how much the parameters matter"
METHODS = ("baseline", "sim")
SYMBOLS = {"lam": "λ", "num_paths": "K", "alpha": "α", "k_query": "k_q", "k_gallery": "k_g"}


def check(config: StudyConfig) -> None:
    """Raise for no variation, or one of what no method of the study has."""
    if not config.sweep.vary:
        raise ValueError("sweep.vary: expected PARAMETER=VALUE,VALUE,… at least once, got none")
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
    """For each test set a figure, a row of panels a metric, a column a parameter, and tables."""
    parts: list[Part] = [
        Paragraph(
            "One parameter is varied at a time, the others stay as they are set. The best value "
            "was not chosen on other data: it is optimistic as an estimate of what a method gives."
        )
    ]
    for dataset in outcome.sets:
        parts += [Heading(dataset), *_figure(outcome, dataset, folder)]
        parts += [_table(outcome, dataset, parameter) for parameter in _parameters(outcome)]
    return parts


def symbol(parameter: str) -> str:
    """A parameter as the paper writes it, with the method before it where one is named."""
    method, dot, names = parameter.rpartition(".")
    return method + dot + " = ".join(SYMBOLS.get(name, name) for name in names.split("+"))


def _parameters(outcome: Outcome) -> list[str]:
    return list(dict.fromkeys(r.parameter for r in outcome.records if r.parameter))


def _figure(outcome: Outcome, dataset: str, folder: Path) -> list[Part]:
    """Over the parameters of which some value could be measured, if there are any."""
    measured = [r for r in outcome.records if r.dataset == dataset and r.measurement is not None]
    parameters = list(dict.fromkeys(r.parameter for r in measured if r.parameter))
    if not parameters:
        return []
    rows = [
        [_panel(outcome, dataset, parameter, metric) for parameter in parameters]
        for metric in outcome.config.metrics
    ]
    file = figures.write_figure(
        curves(rows, dataset, outcome.transductive),
        folder / f"sweep_{dataset.replace('/', '_')}",
    )
    words = (
        f"Metrics over {', '.join(map(symbol, parameters))} on {outcome.sets[dataset]}. Other "
        "parameters as set; upright: the value as set; level: raw distances; bands: deviation over "
        f"trials; {figures.NOTE}"
    )
    return [Figure(file, words)]


def _panel(outcome: Outcome, dataset: str, parameter: str, metric: str) -> Panel:
    raw = mean_std(outcome.of(dataset, "baseline"), metric)
    return Panel(
        symbol(parameter),
        f"{label(metric)} (%)",
        percent_curves(outcome, dataset, parameter, metric),
        {} if raw is None else {"baseline": (100 * raw[0], 100 * raw[1])},
        _as_set(outcome, dataset, parameter),
    )


def _as_set(outcome: Outcome, dataset: str, parameter: str) -> set[Value]:
    """Values of a parameter where the study does not vary it, over the methods that vary it."""
    names = parameter.rpartition(".")[2].split("+")
    methods = [m for m in outcome.methods if outcome.of(dataset, m, parameter)]
    settings = [r.params for method in methods for r in outcome.of(dataset, method)]
    return {p[names[0]] for p in settings if len({p[name] for name in names}) == 1}


def _table(outcome: Outcome, dataset: str, parameter: str) -> Table:
    records, metrics = outcome.of(dataset, "baseline"), outcome.config.metrics
    raw = ["baseline", transductive(records), "any", *score_cells(records, metrics), NONE]
    rows = [varied_head(symbol(parameter), metrics), raw, *varied_rows(outcome, dataset, parameter)]
    return Table(rows, f"{caption(outcome, dataset)} Δ mAP: to the raw distances.")
