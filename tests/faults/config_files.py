"""Damaged settings: YAML files of commands and of studies, and words of a command line."""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml
from numpy.random import Generator

from simgraph.config import Config, from_command_line, load_config
from simgraph.studies.settings import StudyConfig
from tests.faults.damaged_bytes import damaged_bytes, write_no_file
from tests.faults.damaged_trees import ODD, damaged_tree
from tests.faults.judge import Damage, Kind

KINDS: dict[str, Any] = {"config.yaml": Config, "study.yaml": StudyConfig}


def prepare(folder: Path) -> None:
    """Write a good file for commands and one for studies."""
    run = Config(features="a.npz").model_dump(mode="json")
    study = StudyConfig(features=("a.npz",)).model_dump(mode="json")
    for name, values in (("config.yaml", run), ("study.yaml", study)):
        (folder / name).write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")


def damage(good: Path, folder: Path, rng: Generator) -> Damage:
    """A damaged copy of one of the good files."""
    name = str(rng.choice(list(KINDS)))
    path, whole = folder / name, (good / name).read_bytes()
    how = str(rng.choice(["bytes", "tree", "text", "no file"], p=[0.2, 0.55, 0.2, 0.05]))
    if how == "no file":
        what = write_no_file(path, rng)
    else:
        content, what = _CHANGES[how](whole, rng)
        path.write_bytes(content)

    def read() -> Any:
        return load_config(path, KINDS[name])

    return Damage(what, path, read, lambda found: _is_said(path, found))


def _tree(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    tree, what = damaged_tree(yaml.safe_load(whole), rng)
    text = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True)
    return text.encode("utf-8", "surrogatepass"), what


_TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "nested 10,000 deep": lambda whole: b"sim: " + b"[" * 10_000 + b"]" * 10_000,
    "mappings nested 10,000 deep": lambda whole: b"{sim: " * 10_000,
    "nested 3000 deep by dashes": lambda whole: b"sim:\n  " + b"- " * 3000 + b"1\n",
    "a key twice": lambda whole: b"normalize: false\n" + whole,
    "a section twice": lambda whole: whole + b"sim:\n  k: 3\n",
    "anchors that multiply": lambda whole: (
        b"a: &a [x, x, x, x, x, x, x, x, x]\n"
        + b"".join(
            b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 107)
        )
        + whole
    ),
    "an anchor in itself": lambda whole: b"sim: &a {k: *a}\n",
    "a Python object": lambda whole: b"features: !!python/object/apply:os.system ['true']\n",
    "an unknown tag": lambda whole: b"features: !x y\n",
    "tabs": lambda whole: whole.replace(b"  ", b"\t"),
    "UTF-16": lambda whole: whole.decode().encode("utf-16"),
    "with a byte order mark": lambda whole: b"\xef\xbb\xbf" + whole,
    "Latin-1": lambda whole: whole + b"# caf\xe9\n",
    "two documents": lambda whole: whole + b"---\n" + whole,
    "a list": lambda whole: b"- 1\n- 2\n",
    "a word": lambda whole: b"hello\n",
    "a number of 10,000 digits": lambda whole: b"sim: {k: " + b"9" * 10_000 + b"}\n",
    "control characters": lambda whole: whole + b"\x01\x02: \x07\n",
    "keys of other types": lambda whole: whole + b"1: 2\n[a, b]: 3\nnull: 4\n? {a: b}\n: 5\n",
    "a date": lambda whole: b"sim: {k: 2001-01-01}\n",
    "dates that are none": lambda whole: b"sim: {k: 2001-99-99}\n",
    "merge keys": lambda whole: b"sim: {<<: {k: 7}}\n",
    "merge keys of no mapping": lambda whole: b"sim: {<<: 7}\n",
}


def _text(whole: bytes, rng: Generator) -> tuple[bytes, str]:
    name = str(rng.choice(list(_TEXTS)))
    return _TEXTS[name](whole), name


_CHANGES: dict[str, Callable[[bytes, Generator], tuple[bytes, str]]] = {
    "bytes": damaged_bytes, "tree": _tree, "text": _text,
}  # fmt: skip


class _Strict(yaml.SafeLoader):
    """YAML in which no key stands twice."""


def _once(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    merged = "tag:yaml.org,2002:merge"
    keys = [loader.construct_object(k, deep=True) for k, _ in node.value if k.tag != merged]
    if len(set(map(repr, keys))) < len(keys):
        raise ValueError("a key twice")
    loader.flatten_mapping(node)
    return {
        loader.construct_object(key, deep=True): loader.construct_object(value, deep=True)
        for key, value in node.value
    }


_Strict.add_constructor("tag:yaml.org,2002:map", _once)


def _is_said(path: Path, found: Any) -> bool:
    """Whether every setting is the file's, or else the default, and the file says no more."""
    try:
        said = yaml.load(path.read_text(encoding="utf-8"), _Strict)  # noqa: S506 - a SafeLoader
    except Exception:
        return False
    return _agrees(said or {}, found)


def _agrees(said: Any, found: Any) -> bool:
    own, default = dict(_flat(found.model_dump())), dict(_flat(type(found)().model_dump()))
    given = dict(_flat({key: value for key, value in said.items() if value is not None}))
    return given.keys() <= own.keys() and all(
        _alike(given.get(key, default.get(key)), value) for key, value in own.items()
    )


def _flat(tree: Any, start: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{start}{key}.")
        else:
            yield f"{start}{key}", value


def _alike(given: Any, own: Any) -> bool:
    """Equal, but for the form: lists are tuples, 1e-3 is text to YAML, and true is no number."""
    if isinstance(given, list | tuple) and isinstance(own, list | tuple):
        return len(given) == len(own) and all(map(_alike, given, own))
    if isinstance(own, bool) or isinstance(given, bool):
        return given is own or str(given).lower() in (str(own).lower(), str(int(own)))
    if isinstance(own, int | float) and isinstance(given, str):
        with contextlib.suppress(ValueError):
            return float(given) == own
    if isinstance(own, float) and isinstance(given, int | float):
        return float(given) == own or (math.isnan(own) and math.isnan(given))
    return bool(given == own)


# --- The command line ------------------------------------------------------------------------

_WORDS = {
    "--sim.k": "5", "--sim.lam": "0.1", "--sim.num_paths": "3", "--sim.alpha": "0.2",
    "--sim.expand": "True", "--dataset.name": "sysu_mm01", "--dataset.shots": "1",
    "--dataset.trials": "3", "--normalize": "False", "--memory": "1GiB", "--features": "a.npz",
    "--train.lr": "0.001", "--train.epochs": "5", "--model.arch": "resnet18", "--output": "out",
}  # fmt: skip


def damage_words(good: Path, folder: Path, rng: Generator) -> Damage:
    """A command line with one odd word."""
    words = dict(_WORDS)
    option = str(rng.choice(list(words)))
    odd = str(ODD[rng.integers(len(ODD))]) if rng.random() < 0.9 else "b\udcff"
    how = str(rng.choice(["value", "value", "value", "no value", "unknown", "twice", "joined"]))
    line = _LINES[how](words, option, odd)
    expected = {**words, option: odd} if how in ("value", "twice", "joined") else None

    def read() -> Any:
        said = io.StringIO()
        try:
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
                return from_command_line("", line)
        except SystemExit as stop:
            text = " ".join(said.getvalue().split()) or str(stop.code)
            if "Traceback" in text:
                raise AssertionError(text) from None
            raise ValueError(text) from None

    def accepts(found: Any) -> bool:
        own = dict(_flat(found.model_dump()))
        given = {key[2:]: value for key, value in (expected or {}).items()}
        return bool(given) and all(_alike(value, own[key]) or str(own[key]) == value
                                   for key, value in given.items())  # fmt: skip

    return Damage(
        f"{option} {how}: {odd!r:.40}",
        folder,
        read,
        accepts,
        (option[2:], option.rpartition(".")[2].lstrip("-"), odd[:20]),
    )


_LINES: dict[str, Callable[[dict[str, str], str, str], list[str]]] = {
    "value": lambda words, option, odd: _listed({**words, option: odd}),
    "no value": lambda words, option, odd: [*_listed(words), option],
    "unknown": lambda words, option, odd: [*_listed(words), f"{option}x", odd],
    "twice": lambda words, option, odd: [*_listed(words), option, odd],
    "joined": lambda words, option, odd: [*_listed(words), f"{option}={odd}"],
}


def _listed(words: dict[str, str]) -> list[str]:
    return [word for pair in words.items() for word in pair]


KIND = Kind("config", prepare, damage)
WORDS = Kind("command line", lambda folder: None, damage_words)
