"""The settings of `simgraph study tune`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from simgraph.config import DatasetConfig, MethodName, Section


class TuneConfig(Section):
    """What is tuned, and on what."""

    features: str | None = None
    """Feature file of training or validation identities, with labels; taken as one trial."""
    checkpoint: str | None = None
    """Checkpoint or folder of a training run: the training images of `dataset` are extracted."""
    dataset: DatasetConfig = DatasetConfig()
    """With a checkpoint: whose training images. With a feature file: only `protocol` is read."""
    test: tuple[str, ...] = ()
    """Feature files of test sets that will be scored. The study refuses features that have a file
    or rows in common with them; their labels are not read."""
    method: MethodName = "sim"
    """The re-ranker to tune."""
    grid: tuple[str, ...] = ()
    """Each PARAMETER=VALUE,VALUE,… from the simplest value on; all combinations are tried. An empty
    list takes a logarithmic grid of k, which sgr, mnnr and sim have."""
    refine: tuple[Literal["alpha", "lam", "num_paths"], ...] = ()
    """Parameters of sim that are varied one after the other once k is chosen."""
    search: Literal["grid", "halving"] = "grid"
    """halving scores all candidates on the queries of a quarter of the identities first."""
    images_per_identity: int | None = Field(None, ge=1)
    """Gallery images per identity in the test set: the gallery is thinned to so many."""
    draws: int = Field(3, ge=1)
    """Draws of the thinned gallery."""
    resamples: int = Field(2000, ge=100)
    """Resamples of the bootstrap over identities."""
    confidence: float = Field(0.95, gt=0, lt=1)
    """Of the intervals."""
    normalize: bool = True
    """Scale every feature row to length 1."""
    seed: int = Field(0, ge=0)
    """Of draws, rounds and the bootstrap."""
    output: str = "runs/tune"
    """Folder for sim.yaml, tuning.json, report.md and report.html, and for the measurements from
    which a later run continues."""
