"""Damage by structure of nested values, as JSON and YAML hold them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

from numpy.random import Generator

Path = tuple[Any, ...]

ODD = (
    None, True, False, 0, 1, -1, -5, 2, 10**8, 10**9, 2**31 - 1, 2**63, -(2**63), 10**30, 10**400,
    0.5, 1.5, -0.5, 1e300, float("nan"), float("inf"), "", "x", "0", "1", "nan", "\ud800", "λ",
    "\0", "../x", "a" * 10_000, [], [1], [None], {}, {"x": 1}, [[[]]], ["x"], [-1, -1],
)  # fmt: skip


def paths(tree: Any, start: Path = ()) -> Iterator[Path]:
    """Every place below the root."""
    if isinstance(tree, dict | list):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
        for key, value in items:
            yield (*start, key)
            yield from paths(value, (*start, key))


def parent_of(tree: Any, path: Path) -> Any:
    """The mapping or list that holds the place."""
    for key in path[:-1]:
        tree = tree[key]
    return tree


def _drop(tree: Any, path: Path, rng: Generator) -> str:
    del parent_of(tree, path)[path[-1]]
    return "dropped"


def _odd(tree: Any, path: Path, rng: Generator) -> str:
    value = ODD[rng.integers(len(ODD))]
    parent_of(tree, path)[path[-1]] = copy.deepcopy(value)
    return f"is {value!r:.40}"


def _as_text(tree: Any, path: Path, rng: Generator) -> str:
    value = parent_of(tree, path)[path[-1]]
    parent_of(tree, path)[path[-1]] = value + "x" if isinstance(value, str) else str(value)
    return "is text"


def _in_a_list(tree: Any, path: Path, rng: Generator) -> str:
    parent_of(tree, path)[path[-1]] = [parent_of(tree, path)[path[-1]]]
    return "in a list"


def _renamed(tree: Any, path: Path, rng: Generator) -> str:
    parent = parent_of(tree, path)
    if isinstance(parent, dict):
        parent[f"{path[-1]}_"] = parent.pop(path[-1])
        return "renamed"
    parent.append(copy.deepcopy(parent[path[-1]]))
    return "appended again"


def _sibling(tree: Any, path: Path, rng: Generator) -> str:
    parent = parent_of(tree, path)
    other = list(parent)[rng.integers(len(parent))] if isinstance(parent, dict) else 0
    parent[path[-1]] = copy.deepcopy(parent[other])
    return f"is that of {other!r:.40}"


def _nested(tree: Any, path: Path, rng: Generator) -> str:
    # Deep enough for any parser's stack to feel it, still possible to copy here.
    deep: Any = 1
    for _ in range(300):
        deep = [deep] if rng.integers(2) else {"a": deep}
    parent_of(tree, path)[path[-1]] = deep
    return "nested 300 deep"


CHANGES: tuple[Callable[[Any, Path, Generator], str], ...] = (
    _drop, _odd, _odd, _odd, _odd, _as_text, _in_a_list, _renamed, _sibling, _nested,
)  # fmt: skip


def damaged_tree(tree: Any, rng: Generator) -> tuple[Any, str]:
    """A changed copy of nested dicts and lists, and what was done where."""
    found = list(paths(tree))
    # Shallow places as often as deep ones: each list of a thousand leaves counts as its depth.
    depth = 1 + int(rng.integers(max(map(len, found))))
    chosen = [path for path in found if len(path) == depth]
    path = chosen[rng.integers(len(chosen))]
    changed = copy.deepcopy(tree)
    what = CHANGES[rng.integers(len(CHANGES))](changed, path, rng)
    return changed, f"{'.'.join(map(str, path))} {what}"


def damaged_json(text: str, rng: Generator) -> tuple[bytes, str]:
    """Changed JSON: a tree that was changed, or text that no tree gives."""
    name = str(rng.choice(["tree"] * 6 + list(_TEXTS)))
    if name in _TEXTS:
        return _TEXTS[name](text), name
    tree, what = damaged_tree(json.loads(text), rng)
    return json.dumps(tree).encode(), what


_TEXTS: dict[str, Callable[[str], bytes]] = {
    "nested 100,000 deep": lambda text: b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "open 100,000 deep": lambda text: b"[" * 100_000,
    "not UTF-8": lambda text: text.encode().replace(b'"', b'"\xff', 1),
    "UTF-16": lambda text: text.encode("utf-16"),
    "with a byte order mark": lambda text: b"\xef\xbb\xbf" + text.encode(),
    "a list": lambda text: f"[{text}]".encode(),
    "a number": lambda text: b"1",
    "null": lambda text: b"null",
    "a number of 10,000 digits": lambda text: b'{"a": ' + b"9" * 10_000 + b"}",
    "text after the end": lambda text: text.encode() + b"}",
}
