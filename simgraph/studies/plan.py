"""Parameters for each method: a study's settings, checked, and what a sweep makes of them."""

from __future__ import annotations

from typing import Any

from simgraph.pipeline import method_params
from simgraph.rerankers import parameters
from simgraph.studies.experiment import Cell
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.methods import Value, method_of, parameter_value, parse_method
from simgraph.studies.settings import StudyConfig


def chosen_methods(config: StudyConfig, own: tuple[str, ...]) -> tuple[str, ...]:
    """The methods asked for or the study's own, the raw distances always before them."""
    methods = config.methods or own
    return ("baseline", *(method for method in methods if method != "baseline"))


def settings_of(method: str, trial: StudyTrial) -> dict[str, Any]:
    """The parameters a method gets on a trial, where the study does not vary them."""
    config = trial.config
    name, own = parse_method(method)
    return method_params(name, config.sim, config.normalize, config.params) | own


def one_cell_each(trial: StudyTrial, config: StudyConfig, methods: tuple[str, ...]) -> list[Cell]:
    """Each method as it is set, nothing varied."""
    return [Cell(trial, method, settings_of(method, trial)) for method in methods]


def variation(text: str, methods: tuple[str, ...]) -> tuple[str, dict[str, list[str]], list[Value]]:
    """What a line of `sweep.vary` varies: its label, each method's parameters, and the values.

    Args:
        text: PARAMETER=VALUE,…, with METHOD. before it for one method only, or several
            parameters joined by +.
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
