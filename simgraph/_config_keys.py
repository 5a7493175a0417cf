"""Keys of settings: their old names, the nearest to an unknown one, and errors that name them."""

from __future__ import annotations

import difflib
import re
import sys
from collections.abc import Collection, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from simgraph._deprecation import warn_renamed
from simgraph._params import did_you_mean

RENAMED_KEYS = {
    "train.identities": "train.num_ids",
    "train.visible": "train.visible_per_id",
    "train.infrared": "train.infrared_per_id",
    "train.exchange_grey": "train.exchange_gray",
}
"""Old key → new key. Old keys are accepted for one release, with a warning."""

RETIRED_KEYS = ("sim.variant",)
"""Keys that no setting has any more, but that `parse_config` still accepts for one release; the
command line passes them on."""

_EXPECTED = {
    "too_short": "at least {min_length} item",
    "tuple_type": "a list",
    "model_type": "keys and values",
}


class Section(BaseModel):
    """Base of all sections: no unknown keys, no silent conversions, no changes after creation."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _take_old_keys(cls, values: Any) -> Any:
        return renamed_keys(values, cls) if isinstance(values, dict) else values


def renamed_keys(values: dict[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    """The values of a section with old keys under their new names.

    Args:
        values: key → value, as given.
        section: whose keys there are. Only a key that it does not have is renamed, and only to
            one that it has.

    Returns:
        The values by their new keys; a warning is given for each old one.

    Raises:
        ValueError: for a key that is given under both names.
    """
    given, fields = dict(values), section.model_fields
    for old, new in RENAMED_KEYS.items():
        before, after = old.rpartition(".")[2], new.rpartition(".")[2]
        if before in given and before not in fields and after in fields:
            if after in given:
                raise ValueError(f"got both {new!r} and its old name {old!r}; give {new!r} only")
            warn_renamed(f"config key {old!r}", repr(new), level=level_of_caller())
            given[after] = given.pop(before)
    return given


def renamed_options(arguments: Sequence[str], keys: Collection[str]) -> list[str]:
    """A command line with the old names of options (`--train.identities 8`) replaced."""
    return [_renamed_option(word, keys) for word in arguments]


def _renamed_option(word: str, keys: Collection[str]) -> str:
    option, equals, value = word.partition("=")
    old = option.removeprefix("--").replace("-", "_")
    new = RENAMED_KEYS.get(old)
    if not word.startswith("--") or new is None or new not in keys or old in keys:
        return word
    warn_renamed(f"option --{old}", f"--{new}", level=level_of_caller())
    return f"--{new}{equals}{value}"


def with_retired(values: dict[str, Any], retired: dict[str, str]) -> dict[str, Any]:
    """Settings as nested mappings, with options that are in `RETIRED_KEYS` put in their place."""
    for key, value in retired.items():
        *path, last = key.split(".")
        section = values
        for part in path:
            section = section[part]
        section[last] = value
    return values


def level_of_caller() -> int:
    """Frames between `warn_renamed` and the code that called simgraph: the warning names that."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    return level


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in ("simgraph", "pydantic")


def all_keys(kind: type[BaseModel]) -> list[str]:
    """Every key of some settings, `section.key`; those of `params` come last."""
    sections = sections_of(kind)
    top = [key for key in kind.model_fields if key not in sections]
    last = sorted(sections, key="params".__eq__)
    return top + [f"{name}.{key}" for name in last for key in all_keys(sections[name])]


def sections_of(kind: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """The sections of some settings by name."""
    fields = {name: field.annotation for name, field in kind.model_fields.items()}
    return {
        name: annotation
        for name, annotation in fields.items()
        if isinstance(annotation, type) and issubclass(annotation, BaseModel)
    }


def explain(error: ValidationError, kind: type[BaseModel]) -> list[str]:
    """A line for each bad key: the key, what was expected, what came, and the nearest name."""
    problems = error.errors()
    places = {
        problem["loc"][:length] for problem in problems for length in range(len(problem["loc"]))
    }
    # A list of which an item is bad is reported as too short too: the item's line is enough.
    return [_line(problem, kind) for problem in problems if problem["loc"] not in places]


def _line(problem: Any, kind: type[BaseModel]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}{_nearest_key(key, kind)}"
    text = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    # Checks that are used elsewhere too (of a memory budget, say) write the whole line.
    text = text.removeprefix(f"{key}: ")
    if re.search(r"\bgot\b", text):
        return f"{key}: {text}"
    expected = _EXPECTED.get(problem["type"], text).format(**problem.get("ctx", {}))
    return f"{key}: expected {expected}, got {problem['input']!r}{_hint(problem)}"


def _hint(problem: Any) -> str:
    if problem["type"] == "float_type" and isinstance(problem["input"], str):
        return " (YAML reads 1e-3 as text: write 1.0e-3)"
    if problem["type"] == "literal_error":
        return did_you_mean(problem["input"], re.findall(r"'([^']*)'", problem["ctx"]["expected"]))
    return ""


def _nearest_key(key: str, kind: type[BaseModel]) -> str:
    keys = all_keys(kind)
    # A misplaced key is as common as a misspelled one: look for its last part everywhere.
    # Of several such keys the first counts: those of the other methods come last.
    last = {k.rsplit(".", 1)[-1]: k for k in reversed(keys)}
    near = difflib.get_close_matches(key, keys, n=1) or [
        last[match] for match in difflib.get_close_matches(key.rsplit(".", 1)[-1], last, n=1)
    ]
    if near:
        return f"; did you mean {near[0]!r}?"
    # The many keys of the other methods would hide the rest.
    listed = dict.fromkeys("params.METHOD.…" if k.startswith("params.") else k for k in keys)
    return f"; valid keys: {', '.join(listed)}"
