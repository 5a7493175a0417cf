"""The explorer: one HTML file that ranks and explains every query of a trial, without network."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from simgraph._files import atomic_write, writable_folder
from simgraph._version import __version__
from simgraph.config import SIMConfig
from simgraph.visualization.explorer.data import PageData, page_data
from simgraph.visualization.explorer.encoding import as_json, as_text
from simgraph.visualization.options import MAX_MIB
from simgraph.visualization.trial_view import TrialView

_ASSETS = files("simgraph.visualization.explorer") / "assets"
# Joined in this order into one script.
_SCRIPTS = (
    "dom", "data", "sim", "state", "controls", "queries", "ranked_lists", "explanation", "graph",
    "main",
)  # fmt: skip
_SLACK = 4096  # characters for the keys that are filled in last


def write_explorer(
    view: TrialView,
    path: str | Path,
    sim: SIMConfig | None = None,
    normalize: bool = True,
    max_mib: float = MAX_MIB,
) -> None:
    """Write a page that explores a ranking; it opens from disk and makes no network requests.

    The page holds D_qg, the nearest neighbors of each gallery image, labels and thumbnails. It
    computes Eq. 4–8 for the query it shows, for any parameters.

    Args:
        view: features, labels and images of one trial.
        path: the file, `.html`.
        sim: the parameters that the page starts with; None takes the defaults.
        normalize: scale every feature row to length 1.
        max_mib: largest size in MiB. Distances are stored as precisely as that allows; the bottom
            of the page says how precisely.

    Raises:
        ValueError: for another suffix, parameters that do not fit the gallery, or sets for which
            max_mib is too small.
    """
    target = check_page(path)
    shell = _shell()
    fixed = sum(map(len, shell.values())) + len(_asset("explorer.html"))
    room = int(max_mib * 2**20) - fixed - _SLACK
    data = page_data(view, sim or SIMConfig(), normalize, room)
    with atomic_write(target) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.writelines(_pieces({**shell, **_data_texts(data)}))


def check_page(path: str | Path) -> Path:
    """Raise ValueError unless a page can be written to the path; call it before computing."""
    file = Path(path)
    if file.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{file}: expected a name ending in .html")
    if file.is_dir():
        raise ValueError(f"{file}: expected a file to write, there is a folder of that name")
    return writable_folder(file.parent) / file.name


def _shell() -> dict[str, str]:
    """What every page has: style, scripts, and the policy that allows only these to run."""
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
        "about": as_json(data.about),
        "thumbnails": as_json(data.thumbnails),
        "neighbors": data.neighbors,
        "distances": data.distances,
    }


def _pieces(texts: dict[str, str]) -> Iterator[str]:
    """The page with each {{name}} replaced once; {{…}} inside an inserted text is kept."""
    parts = re.split(r"\{\{(\w+)\}\}", _asset("explorer.html"))
    for literal, name in zip(parts[::2], [*parts[1::2], None], strict=True):
        yield literal
        if name is not None:
            yield texts[name]


def _asset(name: str) -> str:
    return (_ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """The hash by which a content security policy allows a source."""
    digest = hashlib.sha256(text.encode("utf-8")).digest()
    return f"'sha256-{as_text(digest)}'"
