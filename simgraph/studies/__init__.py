"""Studies: the paper's tables and figures, and fair comparisons, out of one command each.

They draw figures, which needs the extra [viz].
"""

from simgraph.studies.run import STUDIES, run_study
from simgraph.studies.settings import StudyConfig

__all__ = ["STUDIES", "StudyConfig", "run_study"]
