"""One damaged input: what was done to it, how it is read, and what its outcome is called."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.faults.outcomes import ERROR, LOST, REFUSED, RIGHT, WRONG

# The types that simgraph promises. Their subclasses count only if the message names the file.
PROMISED = (ValueError, OSError)
UNPROMISED = (UnicodeError, RecursionError)


@dataclass
class Damage:
    """A damaged input.

    Attributes:
        what: was done to it, in words.
        path: the file or folder that an error has to name.
        read: reads it and returns the answer.
        accepts: whether an answer is right; None: no answer is, the input must be refused.
        names: words one of which a refusal must hold; the file's name if empty.
        keep: good files beside it that must not change.
        must_read: whether refusing it is a fault, because it is lawful.
    """

    what: str
    path: Path
    read: Callable[[], Any]
    accepts: Callable[[Any], bool] | None
    names: tuple[str, ...] = ()
    keep: tuple[Path, ...] = field(default=())
    must_read: bool = False


@dataclass(frozen=True)
class Kind:
    """A kind of input.

    Attributes:
        name: of it.
        prepare: writes its good files into a folder.
        damage: good folder, empty folder to write to, generator → a damaged input.
    """

    name: str
    prepare: Callable[[Path], None]
    damage: Callable[[Path, Path, np.random.Generator], Damage]


def judge(damage: Damage) -> tuple[str, str]:
    """The outcome of an input, and a detail for its report."""
    kept = {path: _state(path) for path in (damage.path, *damage.keep) if path.exists()}
    outcome = _outcome(damage)
    for path, state in kept.items():
        if not path.exists() or _state(path) != state:
            return LOST, f"{path.name} was changed"
    return outcome


def _state(path: Path) -> object:
    """The content of a file; of anything else, such as a FIFO, what and which it is."""
    return path.read_bytes() if path.is_file() else (path.stat().st_mode, path.stat().st_ino)


def _outcome(damage: Damage) -> tuple[str, str]:
    try:
        answer = damage.read()
    except KeyboardInterrupt:
        raise
    except SystemExit as stop:  # of a command, which prints the error
        return _refusal(damage, str(stop.code), str(stop.code).startswith("error: "))
    except BaseException as error:
        promised = isinstance(error, PROMISED) and not isinstance(error, UNPROMISED)
        return _refusal(damage, str(error), promised, traceback.format_exc())
    if damage.accepts is None:
        return WRONG, "an answer, expected a refusal"
    return (RIGHT, "") if damage.accepts(answer) else (WRONG, f"another answer: {answer!r:.2000}")


def _refusal(damage: Damage, message: str, promised: bool, trace: str = "") -> tuple[str, str]:
    named = any(name in message for name in damage.names or (damage.path.name,))
    if damage.must_read:
        return WRONG, f"refused, though it is lawful: {message}"
    if promised and named and "Traceback" not in message:
        return REFUSED, message
    return ERROR, trace or message


def same(one: Any, other: Any) -> bool:
    """Whether two answers are equal to the last bit, through all their parts."""
    if isinstance(one, torch.Tensor | np.ndarray) or isinstance(other, torch.Tensor | np.ndarray):
        return _same_arrays(_array(one), _array(other))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other) or (one != one and other != other)


def _array(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy()
    return value


def _same_arrays(one: Any, other: Any) -> bool:
    if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
        return False
    floats = one.dtype.kind in "fc" and other.dtype.kind in "fc"
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=floats)
