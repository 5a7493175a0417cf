"""Synthetic pedestrians: drawn images of people, in the layouts of the real datasets.

Nothing here is real data, and scores on it are not benchmark results. Identities differ in body
shape, hair, garments, shoes and bag. Infrared is rendered from the reflectances of an identity's
cloths, which are independent of their colors. The two modalities therefore share shape, cut and
woven texture. Data flow: looks → pose → figure → render → layouts.
"""

from simgraph.synthetic.pedestrians.layouts import draw_regdb, draw_sysu_mm01
from simgraph.synthetic.pedestrians.sheet import contact_sheet

__all__ = ["contact_sheet", "draw_regdb", "draw_sysu_mm01"]
