"""Eq. 1: the test set as a sparse similarity graph in torch-geometric form."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
