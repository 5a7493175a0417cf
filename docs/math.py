"""Equations as MathML, which browsers draw by themselves: no script, no fonts, no network."""

import html
import re

from latex2mathml.converter import convert

_EQUATION = re.compile(
    r'<(?P<tag>div|span) class="arithmatex">\s*'
    r"(?:\\\[|\\\()(?P<latex>.*?)(?:\\\]|\\\))\s*</(?P=tag)>",
    re.DOTALL,
)


def on_page_content(content: str, **_: object) -> str:
    """Replace the equations that the Markdown extension marked; mkdocs calls this a page."""
    return _EQUATION.sub(_mathml, content)


def _mathml(match: re.Match[str]) -> str:
    display = "block" if match["tag"] == "div" else "inline"
    return str(convert(html.unescape(match["latex"]), display=display))
