"""Damaged study folders: stored experiments, and whatever else lies where they are stored."""

from __future__ import annotations

import csv
import os
from functools import cache
from pathlib import Path
from typing import Any

from numpy.random import Generator

from simgraph.config import SIMConfig
from simgraph.features import Features, save_features
from simgraph.studies import StudyConfig, run_study
from tests.faults.damaged_bytes import damaged_bytes, write_no_file
from tests.faults.damaged_trees import damaged_json
from tests.faults.feature_files import arrays
from tests.faults.judge import Damage, Kind, same

_SIM = SIMConfig(k=4, num_paths=3, k_query=4, k_gallery=4)


def settings(folder: Path) -> StudyConfig:
    """Of a study of two methods on a small test set."""
    features = (os.fsdecode(folder / "features.npz"),)
    methods = ("baseline", "sim")
    return StudyConfig(features=features, sim=_SIM, methods=methods, output=str(folder / "out"))


def write_features(folder: Path) -> None:
    """The test set of the study."""
    values = arrays()
    sides = (values[key] for key in ("query_feat", "gallery_feat", "query_pid", "gallery_pid"))
    save_features(Features(*sides), folder / "features.npz")


def prepare(folder: Path) -> None:
    """Run the study once."""
    write_features(folder)
    run(folder)


def run(folder: Path) -> list[dict[str, str]]:
    """Run or continue the study; the rows of its table, without times."""
    run_study("ablation", settings(folder))
    return rows(folder)


def rows(folder: Path) -> list[dict[str, str]]:
    """The rows of the study's table, without times."""
    with (folder / "out" / "results.csv").open(newline="") as lines:
        return [row for row in csv.DictReader(lines) if row["metric"] != "seconds"]


@cache
def _good(folder: Path) -> Any:
    return rows(folder)


def damage(good: Path, folder: Path, rng: Generator) -> Damage:
    """A copy of the study's folder in which one file is damaged."""
    (folder / "out" / "cells").mkdir(parents=True)
    (folder / "features.npz").write_bytes((good / "features.npz").read_bytes())
    files = sorted((good / "out" / "cells").iterdir())
    for file in files:
        (folder / "out" / "cells" / file.name).write_bytes(file.read_bytes())
    cell = files[rng.integers(len(files))]
    path = folder / "out" / "cells" / cell.name
    how = str(rng.choice(["bytes", "tree", "no file", "folder"], p=[0.3, 0.5, 0.15, 0.05]))
    if how == "no file":
        what = write_no_file(path, rng)
    elif how == "folder":
        what = _no_folder(folder / "out", rng)
    else:
        change = damaged_bytes if how == "bytes" else _tree
        content, what = change(cell.read_bytes(), rng)
        path.write_bytes(content)
    names = (path.name, "cells", "features", "results", "out")
    accepts = lambda found: same(found, _good(good))  # noqa: E731
    # A damaged cell may be replaced by a good one: only the inputs have to stay.
    keep = () if path.is_file() else (path,)
    return Damage(what, folder / "features.npz", lambda: run(folder), accepts, names, keep)


def _tree(content: bytes, rng: Generator) -> tuple[bytes, str]:
    return damaged_json(content.decode(), rng)


def _no_folder(out: Path, rng: Generator) -> str:
    import shutil

    name = str(rng.choice(["cells", "results.csv", "report.html", "figures", "features"]))
    if name == "cells":
        shutil.rmtree(out / "cells")
        (out / name).write_bytes(b"a file")
        return "cells is a file"
    if name in ("figures", "features"):
        (out / name).write_bytes(b"a file")
        return f"{name} is a file"
    (out / name).mkdir()
    return f"{name} is a folder"


KIND = Kind("study", prepare, damage)
