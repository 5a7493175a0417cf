"""MATLAB files, read in another process: a damaged one can end it, or take its memory, not ours.

SciPy's reader runs no code of a file, but it is not hardened: single flipped bits end in
segmentation faults.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from simgraph.features.arrays import check_file


def read_mat_files(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Read the variables of MATLAB files of version 7 or older.

    Args:
        files: to read, all in one process.

    Returns:
        Per file: name → array, or array of objects for cells. What is neither, such as a
        structure, is the text that says what it is.

    Raises:
        FileNotFoundError: for a missing file.
        ValueError: for a damaged file, one of version 7.3, or complex values.
    """
    for file in files:
        check_file(file)
    command = [sys.executable, "-m", "simgraph.features.mat_child", *map(str, files)]
    with subprocess.Popen(
        command, env=_environment(),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    ) as child:  # fmt: skip
        return [_content(file, child) for file in files]


def _environment() -> dict[str, str]:
    """That of this process; the child finds the same modules, and needs no threads."""
    env = {key: value for key, value in os.environ.items() if key != "PYTHONWARNINGS"}
    paths = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
    return env | {"PYTHONPATH": paths, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}


class _Pipe:
    """A stream that NumPy does not take for a file with a position."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.read = stream.read


def _content(file: Path, child: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert child.stdout is not None
    stream = _Pipe(child.stdout)
    try:
        about = json.loads(child.stdout.readline())
        if "error" not in about:
            return {name: _value(kind, stream) for name, kind in about["variables"].items()}
    except (ValueError, EOFError, RecursionError):  # it ended before its last word
        raise ValueError(f"{file}: {_end(child)}") from None
    raise ValueError(f"{file}: {about['error']}")


def _value(about: Any, stream: _Pipe) -> Any:
    """The value that the child described; see `simgraph.features.mat_child`."""
    if about == "array":
        return np.lib.format.read_array(stream, allow_pickle=False)
    if isinstance(about, str):
        return np.array(about)
    cells = np.empty(about["cells"], dtype=object)
    for place, item in enumerate(about["items"]):
        cells.flat[place] = _value(item, stream)
    return cells


def _end(child: subprocess.Popen[bytes]) -> str:
    try:
        code = child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        code = child.wait()
    name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
    return f"damaged: the process that read it ended with {name}; save it again"
