"""The explorer: one HTML file that ranks and explains every query of a scene, without network."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from simgraph._files import atomic_write, writable_folder
from simgraph._version import __version__
from simgraph.config import SIMConfig
from simgraph.visualization.explorer.data import PageData, page_data
from simgraph.visualization.trial_view import Scene

MAX_MIB = 39
"""Largest page by default, in MiB."""

_ASSETS = files("simgraph.visualization.explorer") / "assets"
_SCRIPTS = (
    "dom", "data", "engine", "state", "controls", "queries", "lists", "explanation", "graph",
    "main",
)  # fmt: skip


def write_explorer(
    scene: Scene,
    path: str | Path,
    sim: SIMConfig | None = None,
    normalize: bool = True,
    max_mib: float = MAX_MIB,
) -> None:
    """Write a page to explore a ranking with; it opens from disk and asks no network for anything.

    The page holds D_qg, each gallery image's nearest, labels and thumbnails, and computes
    Eq. 4–8 of the query it shows itself, for any parameters.

    Args:
        scene: features, labels and images of one trial.
        path: the file, `.html`.
        sim: the parameters it begins with; None takes the defaults.
        normalize: scale every feature row to length 1.
        max_mib: its largest size; distances are stored as finely as that allows, see the page's
            foot.

    Raises:
        ValueError: for another suffix, parameters that do not fit the gallery, or sets for which
            max_mib is too small.
    """
    target = check_page(path)
    shell = _shell()
    fixed = sum(map(len, shell.values())) + len(_asset("explorer.html"))
    data = page_data(scene, sim or SIMConfig(), normalize, int(max_mib * 2**20) - fixed - 4096)
    with atomic_write(target) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(_pieces({**shell, **_data_texts(data)}))


def check_page(path: str | Path) -> Path:
    """Raise unless the path is one that a page can be written to; ask before the work begins."""
    file = Path(path)
    if file.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{file}: expected a name ending in .html")
    if file.is_dir():
        raise ValueError(f"{file}: expected a file to write, there is a folder of that name")
    return writable_folder(file.parent) / file.name


def _shell() -> dict[str, str]:
    """What every page has: style, scripts, and the policy that lets these and no others run."""
    style, d3 = _asset("explorer.css"), _asset("vendor/d3/d3.min.js")
    parts = "\n".join(_asset(f"{name}.js") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{parts}}})();\n'
    policy = (
        f"default-src 'none'; script-src {_hash(d3)} {_hash(script)}; style-src {_hash(style)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    return {"style": style, "d3": d3, "script": script, "policy": policy, "version": __version__}


def _data_texts(data: PageData) -> dict[str, str]:
    return {
        "about": _json(data.about),
        "thumbnails": _json(data.thumbnails),
        "neighbors": data.neighbors,
        "distances": data.distances,
    }


def _json(value: Any) -> str:
    """JSON in ASCII without `<`: nothing in it can end the element it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")


def _pieces(texts: dict[str, str]) -> Iterator[str]:
    """The page, its {{names}} replaced once: what stands in a text stays as it is."""
    parts = re.split(r"\{\{(\w+)\}\}", _asset("explorer.html"))
    for literal, name in zip(parts[::2], [*parts[1::2], None], strict=True):
        yield literal
        if name is not None:
            yield texts[name]


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A source as a content security policy names it."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
