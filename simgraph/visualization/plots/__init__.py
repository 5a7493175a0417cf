"""Pictures for papers: one file per picture, whose function `draw_<file>` returns a figure.

`draw_ranked_lists` is in `ranked_lists.py`, `draw_neighbor_graph` in `neighbor_graph.py`, and so
on; `style.py` has the common look and `save_figure`, which writes a figure to a file.
"""

import lazy_loader

try:
    import matplotlib  # noqa: F401
except ImportError as error:
    raise ImportError("pictures need matplotlib: pip install 'simgraph[viz]'") from error

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
