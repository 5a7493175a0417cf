"""Synthetic pedestrians: drawn people whose images have the layouts of the real sets.

Nothing here is real data, and no figure measured on it is a benchmark's. An identity shows in
body shape, hair, garments, shoes and bag; infrared is rendered from reflectances of cloth that are
an identity's own and independent of colors, so that the two modalities share shape, cut and
woven texture. The line: looks → pose → figure → render → layouts.
"""

from simgraph.synthetic.pedestrians.layouts import draw_regdb, draw_sysu_mm01
from simgraph.synthetic.pedestrians.sheet import contact_sheet

__all__ = ["contact_sheet", "draw_regdb", "draw_sysu_mm01"]
