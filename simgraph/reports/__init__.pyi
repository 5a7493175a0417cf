from .html import write_page
from .score_page import write_report

__all__ = [
    "write_page",
    "write_report",
]
