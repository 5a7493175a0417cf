from .run import STUDIES, run_study
from .settings import STUDY_NAMES, StudyConfig
from .tuning import Candidate, Tuning, tune

__all__ = [
    "STUDIES",
    "STUDY_NAMES",
    "Candidate",
    "StudyConfig",
    "Tuning",
    "run_study",
    "tune",
]
