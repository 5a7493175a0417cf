"""Studies: the paper's tables and figures, and fair comparisons, out of one command each."""

import simgraph.visualization.plots  # noqa: F401 - says which extra is missing
from simgraph.studies.run import STUDIES, run_study
from simgraph.studies.settings import StudyConfig

__all__ = ["STUDIES", "StudyConfig", "run_study"]
