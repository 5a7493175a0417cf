"""Tuning: parameters chosen by the labels of training or validation identities."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from simgraph._arrays import Array, Labels
from simgraph._progress import Track, no_progress
from simgraph.config import Config, DatasetConfig
from simgraph.features import Features
from simgraph.rerankers import parameters
from simgraph.sim.params import SIMParams
from simgraph.studies.bootstrap import Difference
from simgraph.studies.experiment import Experiment, ExperimentResult, run_experiment
from simgraph.studies.inputs import StudyTrial
from simgraph.studies.perturbations import images_per_identity as thinned
from simgraph.studies.perturbations import most_images
from simgraph.studies.tuning_checks import check_numbers, check_settings, with_match
from simgraph.studies.tuning_choice import Choice, choose
from simgraph.studies.tuning_grid import (
    FOLLOW_K,
    Grid,
    candidates,
    refinement,
    sim_grid,
    sim_params,
)  # fmt: skip

Search = Literal["grid", "halving"]
SHARES = (0.25, 0.5, 1.0)
"""Shares of the identities whose queries the rounds of successive halving score."""


@dataclass(frozen=True)
class Candidate:
    """Parameters and how well they did; without parameters it is the baseline.

    Attributes:
        params: of the method; empty for the baseline.
        stage: `grid`, a round of halving, or the parameter that a refinement varies.
        queries: number of queries that were scored.
        mAP: on them, in [0, 1]; NaN if the method refused.
        gain: over the first candidate of the stage: the baseline, or what a refinement began with.
        refusal: the method's error; empty if there was none.
    """

    params: dict[str, Any]
    stage: str
    queries: int
    mAP: float
    gain: Difference | None
    refusal: str = ""


@dataclass(frozen=True)
class Tuning:
    """The result of `tune`.

    Attributes:
        method: that was tuned.
        params: the chosen parameters; empty where the baseline stays.
        sim: the same as SIM's parameters, with the reason; None for a method without k.
        gain: in mAP over the baseline, with its interval; for the last stage that changed it.
        candidates: all that were measured, in order.
        reason: why these parameters, one sentence.
        protocol: of the scores.
        identities: that have scored queries.
        queries: that have a match.
        gallery: images of the gallery, of the first draw.
        images_per_identity: that the gallery was thinned to; None if it was not.
        draws: of the thinned gallery.
        unit: what the bootstrap drew, `identities` or `queries`.
        confidence: of all intervals.
    """

    method: str
    params: dict[str, Any]
    sim: SIMParams | None
    gain: Difference
    candidates: tuple[Candidate, ...]
    reason: str
    protocol: str
    identities: int
    queries: int
    gallery: int
    images_per_identity: int | None
    draws: int
    unit: str
    confidence: float

    @property
    def keeps_baseline(self) -> bool:
        """Whether nothing was better than the baseline beyond chance."""
        return not self.params

    def to_dict(self) -> dict[str, Any]:
        """All values as JSON can hold them; NaN becomes None."""
        values = asdict(self)
        for candidate in values["candidates"]:
            candidate["mAP"] = None if candidate["refusal"] else candidate["mAP"]
        return values


@dataclass(frozen=True)
class _Setup:
    """What all stages of one tuning share."""

    method: str
    trials: tuple[StudyTrial, ...]
    folder: Path
    pids: NDArray[np.int64]
    resamples: int
    confidence: float
    seed: int
    track: Track

    def some_queries(self, share: float) -> _Setup:
        """The same with the queries of a share of the identities."""
        if share >= 1:
            return self
        identities = np.random.default_rng([self.seed, 1]).permutation(np.unique(self.pids))
        drawn = identities[: max(1, round(share * len(identities)))]
        rows = np.flatnonzero(np.isin(self.pids, drawn))
        trials = tuple(_of_queries(trial, rows) for trial in self.trials)
        return _Setup(**vars(self) | {"trials": trials, "pids": self.pids[rows]})


def tune(
    query: Array,
    gallery: Array,
    query_ids: Labels,
    gallery_ids: Labels,
    query_cams: Labels | None = None,
    gallery_cams: Labels | None = None,
    *,
    protocol: str = "plain",
    method: str = "sim",
    grid: Grid | None = None,
    refine: Sequence[str] = (),
    search: Search = "grid",
    images_per_identity: int | None = None,
    draws: int = 3,
    resamples: int = 2000,
    confidence: float = 0.95,
    normalize: bool = True,
    seed: int = 0,
    cells: str | Path | None = None,
    track: Track = no_progress,
) -> Tuning:
    r"""Choose parameters by the labels of identities that are not those of the test set.

    Each candidate $\theta$ re-ranks the gallery, and its mAP is the mean over queries of their AP.
    With the candidates in order of complexity and the best one $\theta^*$, the choice is the first
    $\theta$ that satisfies

    $$\mathrm{mAP}(\theta^*) - \mathrm{mAP}(\theta) \le \mathrm{SE}, \qquad
      \mathrm{low}(\mathrm{mAP}(\theta) - \mathrm{mAP}(\mathrm{baseline})) > 0$$

    The standard error SE and the lower end of the interval come from a paired bootstrap over
    identities. Where the interval of the best candidate is not above 0, the baseline stays.

    Args:
        query: features of the queries, [Nq, D], floating; of training or validation identities.
        gallery: features of the gallery, [Ng, D], floating.
        query_ids: identities of the queries, [Nq] integers.
        gallery_ids: identities of the gallery, [Ng] integers.
        query_cams: cameras of the queries, [Nq] integers, where the protocol needs them.
        gallery_cams: cameras of the gallery, [Ng] integers, where the protocol needs them.
        protocol: one of `simgraph.evaluation.PROTOCOLS`.
        method: a key of `simgraph.rerankers.METHODS`.
        grid: parameter → values from the simplest on; all combinations are tried. Without K, k_q
            and k_g, these follow k. None takes a logarithmic grid of k for `sgr`, `mnnr` and `sim`;
            the other methods need a grid.
        refine: of `alpha`, `lam`, `num_paths`, for `sim`: varied one after the other once k is
            chosen; a value changes only if the gain is beyond chance.
        search: `grid` scores all candidates on all queries; `halving` scores all on the queries of
            a quarter of the identities, the better half on a half, a quarter on all.
        images_per_identity: draw at most so many gallery images per identity, as in the test set.
        draws: how often they are drawn; a query's AP is its mean over the draws.
        resamples: number of the bootstrap, at least 100.
        confidence: of the intervals, in (0, 1).
        normalize: scale every feature row to length 1.
        seed: of draws, rounds and the bootstrap.
        cells: folder in which measurements are stored, and found by the next call; None stores
            none.
        track: shows progress over measurements.

    Returns:
        The chosen parameters with the table they were chosen from.

    Raises:
        ValueError: for bad features, labels or settings, or a query set without any match.
    """
    features = Features(query, gallery, query_ids, gallery_ids, query_cams, gallery_cams)
    check_settings(features, protocol, method, grid, refine, search)
    check_numbers(images_per_identity, draws, resamples, confidence, seed)
    features = with_match(features, protocol)
    trials = _trials(features, protocol, normalize, images_per_identity, draws, seed)
    with tempfile.TemporaryDirectory() as scratch:
        setup = _Setup(
            method, trials, Path(cells or scratch), _numpy(features.query_pids), resamples,
            confidence, seed, track,
        )  # fmt: skip
        return _tuned(setup, grid, refine, search, images_per_identity)


def _tuned(
    setup: _Setup, grid: Grid | None, refine: Sequence[str], search: Search, images: int | None
) -> Tuning:
    """Choose from the grid, then refine; each stage continues with what the last one chose."""
    shapes = [trial.whole for trial in setup.trials]
    if grid is None:
        most = max(map(most_images, shapes))
        grid = sim_grid(min(len(f.gallery) for f in shapes), most)
    # A gallery of one image leaves no k: a product of no values has no candidates.
    tried = [{}, *candidates(setup.method, grid)] if all(grid.values()) else [{}]
    measured: list[Candidate] = []
    if search == "halving":
        tried, measured = _halved(setup, tried)
    stage = _Stage(setup, tried, "grid")
    measured += stage.table
    params, gain, words = stage.params, stage.choice.gains[stage.choice.chosen], stage.words()
    for parameter in refine if params else ():
        refined = _Stage(setup, refinement(parameter, params), parameter)
        measured += refined.table
        if refined.choice.chosen:
            params, words = refined.params, f"{words}; then {refined.words()}"
    family = setup.method in FOLLOW_K
    chosen = params or ({"k": 0, "num_paths": 1, "k_query": 1, "k_gallery": 0} if family else {})
    return Tuning(
        method=setup.method,
        params=params,
        sim=sim_params(chosen, words) if family else None,
        gain=gain,
        candidates=tuple(measured),
        reason=words,
        protocol=setup.trials[0].protocol,
        identities=len(np.unique(setup.pids)),
        queries=len(setup.pids),
        gallery=len(shapes[0].gallery),
        images_per_identity=images,
        draws=len(setup.trials),
        unit=stage.choice.unit,
        confidence=setup.confidence,
    )


class _Stage:
    """Candidates measured on all trials, and the choice among those that were not refused."""

    def __init__(self, setup: _Setup, tried: list[dict[str, Any]], name: str) -> None:
        planned = [(params, trial) for params in tried for trial in setup.trials]
        words = f"{setup.method}, {name}: measurement"
        results = [
            run_experiment(_experiment(setup.method, params, trial), setup.folder, fresh=False)
            for params, trial in setup.track(planned, len(planned), words)
        ]
        draws = len(setup.trials)
        every = [results[i : i + draws] for i in range(0, len(results), draws)]
        refusals = [next((r.refusal for r in some if r.refusal), "") for some in every]
        left = [i for i, refusal in enumerate(refusals) if not refusal]
        if left[:1] != [0]:
            raise ValueError(f"{setup.method}: nothing could be measured: {refusals[0]}")
        precision = np.stack([_average_precision(every[i]) for i in left], axis=1)
        self.choice: Choice = choose(
            precision, setup.pids, setup.resamples, setup.confidence, setup.seed
        )
        gains = dict(zip(left, self.choice.gains, strict=True))
        scores = dict(zip(left, precision.mean(axis=0), strict=True))
        self.table = [
            Candidate(
                params, name, len(setup.pids), float(scores.get(i, np.nan)), gains.get(i),
                refusals[i],
            )
            for i, params in enumerate(tried)
        ]  # fmt: skip
        self.measured = [self.table[i] for i in left]
        self.confidence = setup.confidence

    @property
    def params(self) -> dict[str, Any]:
        """Of the choice."""
        return self.measured[self.choice.chosen].params

    def words(self) -> str:
        """The choice and its gain in one sentence."""
        chosen, best = (self.measured[i] for i in (self.choice.chosen, self.choice.best))
        if self.choice.chosen == 0:
            highest = f" (highest mAP: {label(best.params)}, {_points(best.gain)})"
            return f"the baseline's ranking stays: {self.choice.reason}" + highest * bool(
                best.params and self.choice.best
            )
        interval = f"{self.confidence:.0%} interval over {self.choice.unit}"
        return (
            f"{label(chosen.params)}: mAP {_points(chosen.gain)} points ({interval}), because "
            f"{self.choice.reason}"
        )


def label(params: dict[str, Any]) -> str:
    """Parameters as text: `k=8, num_paths=4`; `baseline` for none."""
    return ", ".join(f"{name}={value}" for name, value in params.items()) or "baseline"


def _points(gain: Difference | None) -> str:
    assert gain is not None, "measured candidates have a gain"
    return f"{100 * gain.mean:+.2f} [{100 * gain.low:+.2f}, {100 * gain.high:+.2f}]"


def _halved(
    setup: _Setup, tried: list[dict[str, Any]]
) -> tuple[list[dict[str, Any]], list[Candidate]]:
    """Successive halving: the baseline and the better half of the others stay in each round."""
    table: list[Candidate] = []
    for share in SHARES[:-1]:
        stage = _Stage(setup.some_queries(share), tried, f"{share:.0%} of the identities")
        table += stage.table
        others = sorted(stage.measured[1:], key=lambda c: -c.mAP)
        kept = [c.params for c in others[: -(-len(others) // 2)]]
        tried = [{}, *(params for params in tried[1:] if params in kept)]
    return tried, table


def _experiment(method: str, params: dict[str, Any], trial: StudyTrial) -> Experiment:
    name = method if params else "baseline"
    normalize = {"normalize": trial.config.normalize}
    own = normalize if "normalize" in parameters(name) else {}
    return Experiment(trial, name, own | params)


def _average_precision(results: list[ExperimentResult]) -> NDArray[np.float64]:
    """AP of each query, its mean over the draws in which it has a match."""
    draws = [r.measurement.average_precision for r in results if r.measurement is not None]
    table = np.array(draws, dtype=np.float64)
    there = ~np.isnan(table)
    total = np.where(there, table, 0).sum(axis=0)
    return np.asarray(total / np.maximum(there.sum(axis=0), 1))


def _trials(
    features: Features, protocol: str, normalize: bool, images: int | None, draws: int, seed: int
) -> tuple[StudyTrial, ...]:
    """The gallery as it is, or several draws of it."""
    config = Config(normalize=normalize, dataset=DatasetConfig(protocol=protocol))  # type: ignore[arg-type]
    if images is None or images >= most_images(features):
        return (StudyTrial("tuning", 1, config, features),)
    thin = [thinned(features, images, (seed, draw)) for draw in range(draws)]
    return tuple(StudyTrial("tuning", n, config, some) for n, some in enumerate(thin, start=1))


def _of_queries(trial: StudyTrial, rows: NDArray[np.int64]) -> StudyTrial:
    features = trial.whole.select(rows, np.arange(len(trial.whole.gallery)))
    return StudyTrial(trial.dataset, trial.number, trial.config, features)


def _numpy(labels: Any) -> NDArray[np.int64]:
    return np.asarray(labels.numpy())
