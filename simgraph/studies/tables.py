"""Tables of the reports, each with a caption that says how to read its values."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean, pstdev

from simgraph.reports.html import Table
from simgraph.rerankers import METHODS
from simgraph.studies.experiment import ExperimentResult
from simgraph.studies.results import StudyResults, mean_std
from simgraph.studies.settings import method_of

LABELS = {"rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10", "rank20": "rank-20"}
NONE = "—"
_UNITS = "baseline: distances without re-ranking; scores in percent."


def scores_table(results: StudyResults, dataset: str) -> Table:
    """Methods × metrics in percent on one test set, the baseline first."""
    metrics = results.config.metrics
    rows = []
    for method in results.methods:
        experiments = results.of(dataset, method)
        rows.append([method, transductive(experiments), *score_cells(experiments, metrics)])
    return Table(
        [["method", "transductive", *map(label, metrics)], *rows], caption(results, dataset)
    )


def varied_head(varied: str, metrics: Sequence[str]) -> list[str]:
    """Headings: method, transductive, the varied parameter, metrics, gain over the baseline."""
    return ["method", "transductive", varied, *map(label, metrics), "Δ mAP"]


def varied_rows(results: StudyResults, dataset: str, parameter: str) -> list[list[str]]:
    """One row per method and parameter value, under the headings of `varied_head`."""
    rows = []
    for method in results.methods:
        experiments = results.of(dataset, method, parameter)
        for value in dict.fromkeys(e.parameter_value for e in experiments):
            some = [e for e in experiments if e.parameter_value == value]
            cells = score_cells(some, results.config.metrics)
            gain = NONE if method == "baseline" else _gain(some, results)
            rows.append([method, transductive(some), str(value), *cells, gain])
    return rows


def _gain(experiments: Sequence[ExperimentResult], results: StudyResults) -> str:
    """Gain in mAP over the baseline of the same trial and draw; a dash if there is none."""
    first = experiments[0]
    varied = [
        e
        for e in results.of(first.dataset, "baseline", first.parameter)
        if e.parameter_value == first.parameter_value
    ]
    baseline = {
        (e.trial, e.repeat): e.measurement.scores["mAP"]
        # A sweep does not vary the baseline: it is measured once per trial.
        for e in varied or results.of(first.dataset, "baseline")
        if e.measurement is not None
    }
    gains = [
        100 * (e.measurement.scores["mAP"] - baseline[e.trial, e.repeat])
        for e in experiments
        if e.measurement is not None and (e.trial, e.repeat) in baseline
    ]
    if not gains:
        return NONE
    return f"{fmean(gains):+.2f}" + f" ± {pstdev(gains):.2f}" * (len(gains) > 1)


def score_cells(experiments: Sequence[ExperimentResult], metrics: Sequence[str]) -> list[str]:
    """Mean ± deviation of each metric in percent; a dash where nothing could be measured."""
    return [percent(mean_std(experiments, metric), len(experiments) > 1) for metric in metrics]


def percent(score: tuple[float, float] | None, spread: bool) -> str:
    """Mean ± deviation in percent."""
    if score is None:
        return NONE
    mean, std = score
    return f"{100 * mean:.2f} ± {100 * std:.2f}" if spread else f"{100 * mean:.2f}"


def caption(results: StudyResults, dataset: str) -> str:
    """The test set of a table, and how to read its scores."""
    return f"{dataset}: {results.test_sets[dataset]}. {_UNITS}"


def datasets_note(results: StudyResults) -> str:
    """The same for a table over several test sets."""
    each = "; ".join(f"{name}: {summary}" for name, summary in results.test_sets.items())
    return f"{each}. {_UNITS}"


def label(metric: str) -> str:
    """A metric as papers write it."""
    return LABELS.get(metric, metric)


def transductive(experiments: Sequence[ExperimentResult]) -> str:
    """Whether the ranking of a query depended on the other queries."""
    return _yes_or_no(any(e.transductive for e in experiments))


def _yes_or_no(value: bool) -> str:
    return "yes" if value else "no"


def datasets_table(results: StudyResults) -> Table:
    """The test sets with their sizes."""
    rows = [
        [
            name, s.test_set, s.protocol, str(s.trials), str(s.queries), str(s.gallery),
            str(s.identities), s.images, _yes_or_no(s.normalize),
        ]
        for name, s in results.test_sets.items()
    ]  # fmt: skip
    head = [
        "dataset", "test set", "protocol", "trials", "queries", "gallery", "identities",
        "images per identity", "L2-normalized",
    ]  # fmt: skip
    return Table([head, *rows], "Sizes are those of the first trial, unperturbed.")


def methods_table(results: StudyResults) -> Table:
    """The methods with their parameters and sources."""
    rows = []
    for method in results.methods:
        known, marked = METHODS[method_of(method)], _yes_or_no(method in results.transductive)
        rows.append(
            [method, marked, known.needs, known.cost, _params(results, method), known.source]
        )
    return Table(
        [["method", "transductive", "needs", "cost", "parameters", "source"], *rows],
        "A transductive method also uses the other queries: its scores are valid only if all "
        "queries are ranked together. With a parameter at auto every method is transductive. "
        "Parameters that are not listed have the method's defaults.",
    )


def _params(results: StudyResults, method: str) -> str:
    """The parameters of a method's experiments; varied ones without their values."""
    settings = [e.params for e in results.experiments if e.method == method]
    names = settings[0]
    same = {n: v for n, v in names.items() if all(s.get(n) == v for s in settings)}
    varied = [f"{n}: several" for n in names if n not in same]
    return ", ".join([*(f"{name}={value}" for name, value in same.items()), *varied])


def chosen_table(results: StudyResults) -> Table | None:
    """The numbers that `auto` chose; None if no parameter was `auto`."""
    chosen: dict[tuple[str, str, str], list[dict[str, int]]] = {}
    for e in results.experiments:
        if e.measurement is not None and e.measurement.chosen:
            key = (e.dataset, e.method, _where(e))
            chosen.setdefault(key, []).append(e.measurement.chosen)
    if not chosen:
        return None
    rows = [
        [*key, ", ".join(f"{name}={_span([c[name] for c in found])}" for name in found[0])]
        for key, found in chosen.items()
    ]
    return Table(
        [["dataset", "method", "where", "chosen"], *rows],
        "Numbers that auto chose, without labels; over several trials or draws the least and the "
        "most. k=0 keeps the ranking of the baseline.",
    )


def _where(experiment: ExperimentResult) -> str:
    if not experiment.parameter:
        return "as set"
    return f"{experiment.parameter} = {experiment.parameter_value}"


def _span(numbers: list[int]) -> str:
    return "–".join(map(str, dict.fromkeys((min(numbers), max(numbers)))))


def refusals_table(results: StudyResults) -> Table | None:
    """Experiments that a method refused, with its error; equal errors share a row. None if none."""
    refused: dict[tuple[str, str, str], list[str]] = {}
    for e in results.experiments:
        if e.measurement is None:
            refused.setdefault((e.dataset, e.method, e.refusal), []).append(_where(e))
    if not refused:
        return None
    rows = [
        [dataset, method, ", ".join(dict.fromkeys(where)), why]
        for (dataset, method, why), where in refused.items()
    ]
    return Table(
        [["dataset", "method", "where", "why"], *rows],
        "The method refused these parameters on these features.",
    )
