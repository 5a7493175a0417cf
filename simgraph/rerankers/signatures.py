"""Parameters of the methods, read from their source files: importing those would import torch."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from simgraph._bytes import DEFAULT

_NAMED_DEFAULTS = {"DEFAULT": DEFAULT}


@dataclass(frozen=True)
class MethodSignature:
    """The signature of a method, query and gallery left out.

    Attributes:
        summary: first line of its docstring.
        defaults: parameter → default.
        annotations: parameter → annotation as it is written.
    """

    summary: str
    defaults: dict[str, Any]
    annotations: dict[str, str]


@cache
def method_signature(method: str) -> MethodSignature:
    """Read the signature of a method; all its parameters are by keyword and have defaults.

    Args:
        method: one of `simgraph.rerankers.NAMES`.

    Returns:
        Names, defaults and annotations of its parameters.

    Raises:
        ValueError: for a method that is not defined where it should be.
    """
    definition = _definition(method)
    parameters, defaults = definition.args.kwonlyargs, definition.args.kw_defaults
    return MethodSignature(
        (ast.get_docstring(definition) or method).partition("\n")[0],
        {p.arg: _value(default) for p, default in zip(parameters, defaults, strict=True)},
        {p.arg: ast.unparse(p.annotation) for p in parameters if p.annotation is not None},
    )


def method_parameters(method: str) -> list[str]:
    """Names of a method's parameters, query and gallery left out."""
    return list(method_signature(method).defaults)


def _definition(method: str) -> ast.FunctionDef:
    folder = Path(__file__).parent
    own = folder / f"{method}.py"
    file = own if own.is_file() else folder / "authors.py"
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == method:
            return node
    raise ValueError(f"{file}: expected the function {method}, found none")


def _value(default: ast.expr | None) -> Any:
    assert default is not None, "every parameter of a method has a default"
    if isinstance(default, ast.Name):
        return _NAMED_DEFAULTS[default.id]
    return ast.literal_eval(default)
