"""Commands under locales, terminals and streams that people have."""

from __future__ import annotations

import itertools
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from simgraph.features import Features, save_features
from tests.faults.feature_files import arrays
from tests.faults.outcomes import CRASH, ERROR, HANG, LOST, RIGHT
from tests.training.tiny_dataset import SETTINGS, write_folder

_ASCII = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
TERMINALS: dict[str, dict[str, str]] = {
    "plain": {},
    "ASCII": _ASCII,
    "LC_ALL=C": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "POSIX, Latin-1": {"LC_ALL": "POSIX", "PYTHONIOENCODING": "latin-1"},
    "COLUMNS=1": {"COLUMNS": "1"},
    "COLUMNS=0": {"COLUMNS": "0"},
    "COLUMNS=20": {"COLUMNS": "20"},
    "COLUMNS=200": {"COLUMNS": "200"},
    "COLUMNS=x": {"COLUMNS": "x"},
    "NO_COLOR": {"NO_COLOR": "1"},
    "TERM=dumb": {"TERM": "dumb"},
    "FORCE_COLOR, ASCII": {"FORCE_COLOR": "1", **_ASCII},
    # Below a file: a folder of that name could be made, by root anywhere.
    "no HOME": {"HOME": "features.npz/home"},
    "stdout closed": {},
    "stderr closed": {},
    "stdin closed": {},
    "| head -1": {},
    "| true": {},
    "> /dev/full": {},
}
"""Name → environment; the last ones change the streams."""

_CPU_SECONDS = 60
HELPS: tuple[tuple[str, ...], ...] = (
    (), ("test",), ("rerank",), ("train",), ("extract",), ("study",), ("study", "ablation"),
    ("visualize",), ("synthesize",), ("synthesize", "features"), ("synthesize", "images"),
    *(("visualize", picture) for picture in ("strip", "graph", "explorer")),
)  # fmt: skip

_SIM = ("--sim.k", "4", "--sim.num_paths", "3", "--sim.k_query", "4", "--sim.k_gallery", "4")
FOLDERS = {"a folder": b"plain", "a folder that is not UTF-8": b"caf\xe9", "λ": "λ é".encode()}


@dataclass(frozen=True)
class Case:
    """A command in a terminal, and the file that it must have written."""

    words: tuple[str, ...]
    terminal: str
    folder: str = "a folder"
    writes: str = ""

    def __str__(self) -> str:
        return f"simgraph {' '.join(self.words)}, {self.terminal}, {self.folder}"


def _runs() -> Iterator[tuple[tuple[str, ...], str]]:
    """Command lines in a folder with features.npz and data/, and what they write."""
    features = ("--features", "features.npz", *_SIM)
    yield ("test", *features, "--output", "scores"), "scores/results.json"
    files = ("--query", "features.npz", "--gallery", "features.npz", "--output", "ranked.csv")
    yield ("rerank", *files, *_SIM), "ranked.csv"
    yield ("visualize", "graph", *features, "--output", "graph.png"), "graph.png"
    yield ("visualize", "explorer", *features, "--output", "page.html"), "page.html"
    study = ("study", "ablation", *features, "--methods", "baseline", "sim", "--output", "study")
    yield study, "study/results.csv"
    yield ("train", *SETTINGS, "--dataset.root", "data", "--check"), ""


def cases() -> list[Case]:
    """Every help and every run in every terminal, and every run in every folder."""
    helps = itertools.product(HELPS, TERMINALS)
    runs = itertools.product(_runs(), TERMINALS)
    folders = itertools.product(_runs(), list(FOLDERS)[1:])
    return [
        *(Case((*words, "--help"), terminal) for words, terminal in helps),
        *(Case(words, terminal, writes=file) for (words, file), terminal in runs),
        *(Case(words, "plain", folder, file) for (words, file), folder in folders),
    ]


def prepare(folder: Path) -> None:
    """Write what the runs read."""
    sides = (arrays()[key] for key in ("query_feat", "gallery_feat", "query_pid", "gallery_pid"))
    save_features(Features(*sides), folder / "features.npz")
    write_folder(folder / "data")


def run_case(case: Case, good: Path, folder: Path, limit: float) -> tuple[str, str]:
    """The outcome of a case, and a detail."""
    place = Path(os.fsdecode(os.fsencode(folder) + b"/" + FOLDERS[case.folder]))
    place.mkdir()
    (place / "data").symlink_to(good / "data")
    (place / "features.npz").write_bytes((good / "features.npz").read_bytes())
    try:
        code, errors = _run(case, place, limit)
    except subprocess.TimeoutExpired:
        return HANG, f"no end in {limit:g} s"
    return _outcome(case, place, code, errors)


def _outcome(case: Case, place: Path, code: int, errors: str) -> tuple[str, str]:
    if code in (-signal.SIGXCPU, -signal.SIGKILL):
        return HANG, f"no end in {_CPU_SECONDS} s of the processor"
    if code < 0 and code != -signal.SIGPIPE:
        return CRASH, f"{signal.Signals(-code).name}: {errors}"
    if "Traceback" in errors or "Exception ignored" in errors:
        return ERROR, errors
    if case.writes and not (place / case.writes).is_file():
        return LOST, f"{case.writes} was not written: {errors}"
    # A reader that is gone, or a full device, may end the command as it ends others.
    gone = case.terminal.startswith(("|", ">"))
    return (RIGHT, "") if code == 0 or gone else (ERROR, f"ended with {code}: {errors}")


_STREAMS = {"stdin closed": 0, "stdout closed": 1, "stderr closed": 2}


def _run(case: Case, place: Path, limit: float) -> tuple[int, str]:
    root = str(Path(__file__).parents[2])
    unset = ("COLUMNS", "LC_ALL", "TERM", "NO_COLOR", "FORCE_COLOR")
    env = {key: value for key, value in os.environ.items() if key not in unset}
    env |= {"PYTHONPATH": root, "OMP_NUM_THREADS": "1", **TERMINALS[case.terminal]}
    closed = _STREAMS.get(case.terminal)

    def prepare_child() -> None:
        # Of the processor's time: a busy machine is no hang.
        resource.setrlimit(resource.RLIMIT_CPU, (_CPU_SECONDS, _CPU_SECONDS))
        if closed is not None:
            os.close(closed)

    with (place / "errors").open("wb") as errors, Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [sys.executable, "-m", "simgraph", *case.words],
            cwd=place, env=env, stderr=errors, stdin=subprocess.DEVNULL,
            stdout=full if case.terminal == "> /dev/full" else subprocess.PIPE,
            preexec_fn=prepare_child,
        )  # fmt: skip
        try:
            code = _read(process, case.terminal, limit)
        finally:
            process.kill()
            process.wait()
    return code, (place / "errors").read_text(encoding="utf-8", errors="replace")


def _read(process: subprocess.Popen[bytes], terminal: str, limit: float) -> int:
    if process.stdout is not None and terminal in ("| head -1", "| true"):
        if terminal == "| head -1":
            process.stdout.readline()
        process.stdout.close()
        return process.wait(limit)
    process.communicate(timeout=limit)
    return process.returncode
