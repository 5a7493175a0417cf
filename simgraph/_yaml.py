"""YAML of settings, read strictly: each key once, and no more values than settings can have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# Far above any settings. Aliases can make a short file hold more values than memory.
_MOST_VALUES = 100_000


def read_yaml(file: Path) -> Any:
    """Read the one document of a YAML file.

    Args:
        file: to read, in UTF-8.

    Returns:
        Its values; None for an empty file.

    Raises:
        ValueError: for what is not YAML in UTF-8, a key that stands twice, an alias of itself, or
            values that are nested too deep or too many.
    """
    try:
        loader = yaml.SafeLoader(file.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        if node is None:
            return None
        _count(node, {}, set())
        return loader.construct_document(node)
    except RecursionError:
        raise ValueError(f"{file}: expected sections of keys, got values nested too deep") from None
    except (yaml.YAMLError, ValueError) as error:  # also of numbers and dates that are none
        raise ValueError(f"{file}: not valid YAML: {error}") from None


def _count(node: yaml.Node, known: dict[int, int], above: set[int]) -> int:
    """The number of values of a node with all its aliases written out; raise for too many."""
    if isinstance(node, yaml.ScalarNode):
        return 1
    if id(node) in above:
        raise ValueError(f"line {_line(node)}: expected values, got an alias of what it is in")
    if id(node) not in known:
        if isinstance(node, yaml.MappingNode):
            _require_each_once(node)
        known[id(node)] = 1 + sum(_count(n, known, above | {id(node)}) for n in _children(node))
    if known[id(node)] > _MOST_VALUES:
        raise ValueError(f"line {_line(node)}: expected at most {_MOST_VALUES} values in all")
    return known[id(node)]


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [child for pair in node.value for child in pair]
    return list(node.value)


def _require_each_once(node: yaml.MappingNode) -> None:
    """Raise for a key that stands twice: YAML's reader would take the last one in silence."""
    lines: dict[tuple[str, str], int] = {}
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode):
            continue
        name = (key.tag, key.value)
        if name in lines:
            raise ValueError(f"{key.value!r} stands twice, in lines {lines[name]} and {_line(key)}")
        lines[name] = _line(key)


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1
