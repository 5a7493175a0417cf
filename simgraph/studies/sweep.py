"""How much parameters matter: curves of λ, K and α as in the paper's Fig. 4, or of any other."""

from __future__ import annotations

from pathlib import Path

from simgraph.reports.html import Figure, Heading, Paragraph, Part, Table
from simgraph.rerankers import parameters
from simgraph.studies import figures
from simgraph.studies.curves import Panel, curves, percent_curves
from simgraph.studies.experiment import Experiment
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.methods import chosen_methods, one_experiment_each, settings_of
from simgraph.studies.results import StudyResults, mean_std
from simgraph.studies.settings import ParameterValue, StudyConfig, method_of, parameter_value
from simgraph.studies.tables import (
    NONE,
    caption,
    label,
    score_cells,
    transductive,
    varied_head,
    varied_rows,
)  # fmt: skip

TITLE = "Sweep: how much the parameters matter"
METHODS = ("baseline", "sim")
SYMBOLS = {"lam": "λ", "num_paths": "K", "alpha": "α", "k_query": "k_q", "k_gallery": "k_g"}


def check(config: StudyConfig) -> None:
    """Raise ValueError if nothing is varied, or a parameter that no method of the study has."""
    if not config.sweep.vary:
        raise ValueError("sweep.vary: expected PARAMETER=VALUE,VALUE,… at least once, got none")
    for text in config.sweep.vary:
        variation(text, chosen_methods(config, METHODS))


def plan(trial: StudyTrial, config: StudyConfig) -> list[Experiment]:
    """Each method once as it is set; then each value of each varied parameter, others as set."""
    experiments = one_experiment_each(trial, config, METHODS)
    for text in config.sweep.vary:
        parameter, having, values = variation(text, chosen_methods(config, METHODS))
        for method, names in having.items():
            own = settings_of(method, trial)
            experiments += [
                Experiment(trial, method, own | dict.fromkeys(names, value), parameter, value)
                for value in values
            ]
    return experiments


def variation(
    text: str, methods: tuple[str, ...]
) -> tuple[str, dict[str, list[str]], list[ParameterValue]]:
    """Parse a line of `sweep.vary`: its label, the parameters of each method, and the values.

    Args:
        text: PARAMETER=VALUE,…; METHOD.PARAMETER=… is for one method only, and + joins several
            parameters.
        methods: those of the study.

    Returns:
        The label; method → parameters, for the methods that have them; values, each once.

    Raises:
        ValueError: for another form, or a parameter that none of the methods has.
    """
    label, _, values = text.partition("=")
    method, _, names = label.rpartition(".")
    if not names or "" in values.split(","):
        raise ValueError(f"sweep.vary: expected PARAMETER=VALUE,VALUE,…, got {text!r}")
    wanted = names.split("+")
    having = {
        m: wanted
        for m in methods
        if method in ("", method_of(m)) and set(wanted) <= set(parameters(method_of(m)))
    }
    if not having:
        raise ValueError(
            f"sweep.vary: expected parameters of {', '.join(methods)}, got {text!r}; they have "
            + "; ".join(f"{m}: {', '.join(parameters(m))}" for m in map(method_of, methods))
        )
    return label, having, list(dict.fromkeys(map(parameter_value, values.split(","))))


def report(results: StudyResults, folder: Path) -> list[Part]:
    """For each test set a figure (one row per metric, one column per parameter) and tables."""
    parts: list[Part] = [
        Paragraph(
            "One parameter is varied at a time, the others stay as they are set. The best value "
            "was not chosen on other data, so it overestimates what a method achieves."
        )
    ]
    for dataset in results.test_sets:
        parts += [Heading(dataset), *_figure(results, dataset, folder)]
        parts += [_table(results, dataset, parameter) for parameter in _parameters(results)]
    return parts


def symbol(parameter: str) -> str:
    """A parameter as the paper writes it; a method named before it stays."""
    method, dot, names = parameter.rpartition(".")
    return method + dot + " = ".join(SYMBOLS.get(name, name) for name in names.split("+"))


def _parameters(results: StudyResults) -> list[str]:
    return list(dict.fromkeys(e.parameter for e in results.experiments if e.parameter))


def _figure(results: StudyResults, dataset: str, folder: Path) -> list[Part]:
    """The parameters with at least one measured value; no figure if there are none."""
    measured = [e for e in results.experiments if e.dataset == dataset and e.measurement]
    parameters = list(dict.fromkeys(e.parameter for e in measured if e.parameter))
    if not parameters:
        return []
    rows = [
        [_panel(results, dataset, parameter, metric) for parameter in parameters]
        for metric in results.config.metrics
    ]
    file = figures.write_figure(
        curves(rows, dataset, results.transductive),
        folder / f"sweep_{dataset.replace('/', '_')}",
    )
    words = (
        f"Metrics over {', '.join(map(symbol, parameters))} on {results.test_sets[dataset]}. Other "
        "parameters as set; vertical line: the value as set; horizontal line: baseline; bands: "
        f"standard deviation over trials; {figures.NOTE}"
    )
    return [Figure(file, words)]


def _panel(results: StudyResults, dataset: str, parameter: str, metric: str) -> Panel:
    baseline = mean_std(results.of(dataset, "baseline"), metric)
    return Panel(
        symbol(parameter),
        f"{label(metric)} (%)",
        percent_curves(results, dataset, parameter, metric),
        {} if baseline is None else {"baseline": (100 * baseline[0], 100 * baseline[1])},
        _as_set(results, dataset, parameter),
    )


def _as_set(results: StudyResults, dataset: str, parameter: str) -> set[ParameterValue]:
    """The values of a parameter in the settings of the methods that vary it."""
    names = parameter.rpartition(".")[2].split("+")
    methods = [m for m in results.methods if results.of(dataset, m, parameter)]
    settings = [e.params for method in methods for e in results.of(dataset, method)]
    return {p[names[0]] for p in settings if len({p[name] for name in names}) == 1}


def _table(results: StudyResults, dataset: str, parameter: str) -> Table:
    experiments, metrics = results.of(dataset, "baseline"), results.config.metrics
    cells = score_cells(experiments, metrics)
    baseline = ["baseline", transductive(experiments), "any", *cells, NONE]
    rows = [
        varied_head(symbol(parameter), metrics),
        baseline,
        *varied_rows(results, dataset, parameter),
    ]
    return Table(rows, f"{caption(results, dataset)} Δ mAP: difference to the baseline.")
