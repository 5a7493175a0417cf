from . import explorer, plots
from .explorer import write_explorer
from .query_selection import most_changed_image, most_changed_query
from .trial_view import Images, TrialView, load_trial_view, trial_view_of_features

__all__ = [
    "Images",
    "TrialView",
    "explorer",
    "load_trial_view",
    "most_changed_image",
    "most_changed_query",
    "plots",
    "trial_view_of_features",
    "write_explorer",
]
