"""Self-contained HTML pages: a page of parts, and the page of a test run."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
