"""Eq. 2–8: SGR, MNNR, SIM, their parameters, and what explains a distance."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
