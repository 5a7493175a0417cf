"""Tables that every study's report has, each with what its figures are to be read with."""

from __future__ import annotations

from collections.abc import Sequence

from simgraph.reports.html import Table
from simgraph.rerankers import METHODS
from simgraph.studies.experiment import Record
from simgraph.studies.methods import method_of
from simgraph.studies.results import Outcome, mean_std

LABELS = {"rank1": "rank-1", "rank5": "rank-5", "rank10": "rank-10", "rank20": "rank-20"}
NONE = "—"


def scores_table(outcome: Outcome, dataset: str) -> Table:
    """Methods × metrics in percent on one test set, the raw distances first."""
    metrics = outcome.config.metrics
    rows = []
    for method in outcome.methods:
        records = outcome.of(dataset, method)
        rows.append([method, transductive(records), *score_cells(records, metrics)])
    return Table(
        [["method", "transductive", *map(label, metrics)], *rows], caption(outcome, dataset)
    )


def score_cells(records: list[Record], metrics: Sequence[str]) -> list[str]:
    """Mean ± deviation of each metric in percent; a dash where nothing could be measured."""
    return [percent(mean_std(records, metric), len(records) > 1) for metric in metrics]


def percent(figure: tuple[float, float] | None, spread: bool) -> str:
    """Mean ± deviation in percent."""
    if figure is None:
        return NONE
    mean, std = figure
    return f"{100 * mean:.2f} ± {100 * std:.2f}" if spread else f"{100 * mean:.2f}"


def caption(outcome: Outcome, dataset: str) -> str:
    """What the figures of a dataset's table are of."""
    return f"{dataset}: {outcome.sets[dataset]}. baseline is the raw distances; figures in percent."


def label(metric: str) -> str:
    """A metric as the field writes it."""
    return LABELS.get(metric, metric)


def transductive(records: list[Record]) -> str:
    """Whether the answers to queries depended on the other queries."""
    return "yes" if any(r.transductive for r in records) else "no"


def sets_table(outcome: Outcome) -> Table:
    """The test sets."""
    rows = [
        [
            name, f.test_set, f.protocol, str(f.trials), str(f.queries), str(f.gallery),
            str(f.identities), f.images, "yes" if f.normalize else "no",
        ]
        for name, f in outcome.sets.items()
    ]  # fmt: skip
    head = [
        "dataset", "test set", "protocol", "trials", "queries", "gallery", "identities",
        "images an identity", "L2-normalised",
    ]  # fmt: skip
    return Table([head, *rows], "Test sets; sizes of the first trial's whole set")


def methods_table(outcome: Outcome) -> Table:
    """The methods, their parameters and their sources."""
    rows = []
    for method in outcome.methods:
        said, looks = METHODS[method_of(method)], method in outcome.transductive
        rows.append(
            [
                method,
                "yes" if looks else "no",
                said.needs,
                said.cost,
                _params(outcome, method),
                said.source,
            ]
        )
    return Table(
        [["method", "transductive", "needs", "cost", "parameters", "source"], *rows],
        "Methods. A transductive method looks at the other queries too: its figures presume that "
        "all are asked together; so does every method where a parameter is auto. Parameters not "
        "named are the method's defaults.",
    )


def _params(outcome: Outcome, method: str) -> str:
    """Parameters where nothing is varied, else of the first record; those that differ are said."""
    settings = [r.params for r in outcome.records if r.method == method]
    names = settings[0]
    same = {n: v for n, v in names.items() if all(s.get(n) == v for s in settings)}
    varied = [f"{n}: several" for n in names if n not in same]
    return ", ".join([*(f"{name}={value}" for name, value in same.items()), *varied])


def chosen_table(outcome: Outcome) -> Table | None:
    """Numbers that stood in for `auto`; None where none did."""
    chosen: dict[tuple[str, str, str], list[dict[str, int]]] = {}
    for r in outcome.records:
        if r.measurement is not None and r.measurement.chosen:
            where = f"{r.parameter} = {r.value}" if r.parameter else "as set"
            chosen.setdefault((r.dataset, r.method, where), []).append(r.measurement.chosen)
    if not chosen:
        return None
    rows = [
        [*key, ", ".join(f"{name}={_span([c[name] for c in found])}" for name in found[0])]
        for key, found in chosen.items()
    ]
    return Table(
        [["dataset", "method", "where", "chosen"], *rows],
        "What auto chose, without labels; over several trials or draws the least and the most. "
        "k=0 is the ranking of the raw distances",
    )


def _span(numbers: list[int]) -> str:
    return "–".join(map(str, dict.fromkeys((min(numbers), max(numbers)))))


def refusals_table(outcome: Outcome) -> Table | None:
    """What could not be measured and why, alike ones once; None where all could."""
    refused: dict[tuple[str, str, str], list[str]] = {}
    for r in outcome.records:
        if r.measurement is None:
            where = f"{r.parameter} = {r.value}" if r.parameter else "as set"
            refused.setdefault((r.dataset, r.method, r.refusal), []).append(where)
    if not refused:
        return None
    rows = [
        [dataset, method, ", ".join(dict.fromkeys(where)), why]
        for (dataset, method, why), where in refused.items()
    ]
    return Table(
        [["dataset", "method", "where", "why"], *rows],
        "Left out: the method refused these parameters on these features",
    )


def sets_note(outcome: Outcome) -> str:
    """What the figures of a table over several datasets are of."""
    each = "; ".join(f"{name}: {set_facts}" for name, set_facts in outcome.sets.items())
    return f"{each}. baseline is the raw distances; figures in percent."
