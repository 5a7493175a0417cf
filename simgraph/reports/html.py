"""Self-contained HTML pages of headings, text, tables and pictures; they load nothing else."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TypeAlias

from simgraph._files import atomic_write

MEDIA_TYPES = {".png": "image/png", ".svg": "image/svg+xml", ".jpg": "image/jpeg"}

_NUMBER_LIKE = re.compile(r"[-+−±–—]?\s*(\d.*)?")

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; margin: 2rem auto;
  max-width: 76rem; padding: 0 1.5rem; }
h1 { font-size: 1.8rem; line-height: 1.2; } h2 { font-size: 1.3rem; margin-top: 2.5rem; }
p { max-width: 48rem; overflow-wrap: anywhere; } nav ul { padding-left: 1.2rem; columns: 18rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #ddd; text-align: left; }
thead th { border-bottom: 2px solid #555; vertical-align: bottom; }
.number { text-align: right; white-space: nowrap; } tbody tr:hover { background: #f4f6f8; }
figure { margin: 1.5rem 0; overflow-x: auto; }
figure img { max-width: max(100%, 42rem); height: auto; }
figcaption { color: #555; font-size: .93rem; max-width: 60rem; padding: .3rem 0; }
pre { background: #f4f6f8; padding: .8rem 1rem; overflow-x: auto; font-size: .87rem; }
@media print {
  body { margin: 0; max-width: none; } figure { overflow: visible; break-inside: avoid; }
  table { font-size: .6rem; } th, td { padding: .15rem .3rem; } .number { white-space: normal; }
  figure img { max-width: 100%; }
}
"""

# A second safeguard: even text that was not escaped could not make the page load or run anything.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


@dataclass(frozen=True)
class Heading:
    """Starts a section, which the contents of the page list."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """One paragraph of text."""

    text: str


@dataclass(frozen=True)
class Code:
    """Preformatted text, such as a command or settings."""

    text: str


@dataclass(frozen=True)
class Table:
    """Rows of cells, headings first, with a caption that says what they show."""

    rows: Sequence[Sequence[str]]
    caption: str


@dataclass(frozen=True)
class Figure:
    """A picture; its file is read when the page is written and embedded in the page."""

    file: Path
    caption: str


Part: TypeAlias = Heading | Paragraph | Code | Table | Figure


def write_page(path: str | Path, title: str, parts: Sequence[Part]) -> None:
    """Write a page that needs no other file and no network.

    Args:
        path: the .html file, written whole or not at all.
        title: of the page.
        parts: in the order to show them. All text is escaped.

    Raises:
        FileNotFoundError: for a missing file of a figure.
        ValueError: for a figure that is not PNG, JPEG or SVG, or for rows of unequal length.
    """
    body = "\n".join(_html(part) for part in parts)
    page = (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n{_contents(parts)}{body}\n</body>\n</html>\n"
    )
    with atomic_write(path) as file:
        file.write_text(page, encoding="utf-8")


def _contents(parts: Sequence[Part]) -> str:
    headings = [part.text for part in parts if isinstance(part, Heading)]
    if len(headings) < 3:
        return ""
    links = "\n".join(f'<li><a href="#{_anchor(h)}">{escape(h)}</a></li>' for h in headings)
    return f"<nav>\n<ul>\n{links}\n</ul>\n</nav>\n"


def _anchor(heading: str) -> str:
    return re.sub(r"\W+", "-", heading.lower()).strip("-")


def _html(part: Part) -> str:
    if isinstance(part, Heading):
        return f'<h2 id="{_anchor(part.text)}">{escape(part.text)}</h2>'
    if isinstance(part, Paragraph):
        return f"<p>{escape(part.text)}</p>"
    if isinstance(part, Code):
        return f"<pre>{escape(part.text)}</pre>"
    return _table(part) if isinstance(part, Table) else _figure(part)


def numeric_columns(rows: Sequence[Sequence[str]]) -> list[bool]:
    """Tell for each column whether it holds numbers, which are aligned to the right.

    Args:
        rows: of equal length, headings first.

    Returns:
        One value per column; all False for a table without rows.
    """
    head, *body = rows
    return [
        bool(body) and all(_NUMBER_LIKE.fullmatch(row[column]) for row in body)
        for column in range(len(head))
    ]


def _table(table: Table) -> str:
    head, *rows = table.rows
    if any(len(row) != len(head) for row in rows):
        raise ValueError(f"{table.caption}: expected rows of {len(head)} cells, like the headings")
    classes = [' class="number"' if numeric else "" for numeric in numeric_columns(table.rows)]
    body = "\n".join(_row(row, "td", classes) for row in rows)
    return (
        f"<figure>\n<figcaption>{escape(table.caption)}</figcaption>\n"
        f"<table>\n<thead>{_row(head, 'th', classes)}</thead>\n<tbody>\n{body}\n</tbody>\n"
        f"</table></figure>"
    )


def _row(cells: Sequence[str], tag: str, classes: Sequence[str]) -> str:
    marked = (
        f"<{tag}{number}>{escape(cell) if number else _breakable(cell)}</{tag}>"
        for cell, number in zip(cells, classes, strict=True)
    )
    return f"<tr>{''.join(marked)}</tr>"


def _breakable(cell: str) -> str:
    """Allow line breaks after commas: a table with long words would not fit the page."""
    return escape(cell).replace(",", ",<wbr>")


def _figure(figure: Figure) -> str:
    kind = MEDIA_TYPES.get(figure.file.suffix.lower())
    if kind is None:
        raise ValueError(f"{figure.file}: expected a figure of {', '.join(MEDIA_TYPES)}")
    data = base64.b64encode(figure.file.read_bytes()).decode()
    caption = escape(figure.caption)
    return (
        f'<figure><img src="data:{kind};base64,{data}" alt="{caption}">\n'
        f"<figcaption>{caption}</figcaption></figure>"
    )
