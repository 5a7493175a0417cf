"""The process that reads `.mat` files for `simgraph.features.mat_files`, by SciPy.

Values go to standard output without pickles: a line of JSON, which says what they are, then the
arrays, each as an `.npy` file.

    {"feature": {"cells": [1, 2], "items": ["array", "a structure"]}}
"""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from scipy.io import loadmat
from scipy.io.matlab import matfile_version
from scipy.sparse import issparse

# Memory above that of the file: compressed files grow, and SciPy holds some values twice.
_ROOM = 2 * 2**30
_GROWTH = 16


class _Refused(Exception):
    """A file that is whole, but not read."""


def main() -> None:
    """Read the files that the arguments name, write their values, or an error, and end."""
    files = [Path(name) for name in sys.argv[1:]]
    _limit_memory(sum(file.stat().st_size for file in files))
    for file in files:
        try:
            content = _read(file)
            arrays: list[NDArray[Any]] = []
            about = {name: _described(value, arrays) for name, value in content.items()}
        except _Refused as error:
            _write(sys.stdout.buffer, {"error": str(error)}, [])
        except Exception as error:  # damaged bytes can make a parser raise any type of error
            why = str(error) or type(error).__name__
            text = f"damaged or not of this format ({why}); save it again"
            _write(sys.stdout.buffer, {"error": text}, [])
        else:
            _write(sys.stdout.buffer, {"variables": about}, arrays)


def _limit_memory(size: int) -> None:
    try:
        import resource
    except ImportError:  # not a POSIX system
        return
    limit = _ROOM + _GROWTH * size
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard == resource.RLIM_INFINITY or limit < hard:
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _read(file: Path) -> dict[str, Any]:
    version, _ = matfile_version(file)
    if version == 2:
        raise _Refused(
            "MATLAB v7.3 (HDF5) files are not read; save it in MATLAB with save(..., '-v7')"
        )
    with warnings.catch_warnings():
        # SciPy would drop the imaginary parts with a warning only.
        warnings.simplefilter("error", np.exceptions.ComplexWarning)
        try:
            # mat_dtype: MATLAB stores whole-numbered doubles as bytes; this reads doubles.
            content = loadmat(file, mat_dtype=True)
        except np.exceptions.ComplexWarning:
            raise _Refused(
                "expected real numbers, got complex values; save their real part"
            ) from None
    return {name: value for name, value in content.items() if not name.startswith("__")}


def _described(value: Any, arrays: list[NDArray[Any]]) -> Any:
    """What a value is, as JSON holds it; its arrays are appended."""
    if issparse(value):
        return "a sparse matrix"
    array = np.asarray(value)
    if array.dtype == object:
        items = [_described(item, arrays) for item in array.flat]
        return {"cells": list(array.shape), "items": items}
    if array.dtype.kind == "V":
        return "a structure"
    arrays.append(array)
    return "array"


def _write(stream: IO[bytes], about: Any, arrays: list[NDArray[Any]]) -> None:
    stream.write(json.dumps(about).encode() + b"\n")
    for array in arrays:
        np.lib.format.write_array(_Pipe(stream), array, allow_pickle=False)
    stream.flush()


class _Pipe:
    """A stream that NumPy does not take for a file with a position."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.write = stream.write


if __name__ == "__main__":
    main()
