from .run import STUDIES, run_study
from .settings import STUDY_NAMES, StudyConfig

__all__ = [
    "STUDIES",
    "STUDY_NAMES",
    "StudyConfig",
    "run_study",
]
