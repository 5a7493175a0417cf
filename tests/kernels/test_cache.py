"""Compiled once: the next process loads what the first one left on disk."""

import importlib.util
import json
import os
import subprocess
import sys

import numba
import numpy as np
import pytest

from simgraph.kernels.loops._jit import jit

PROGRAM = """
import json, sys, torch
import simgraph as sg
generator = torch.Generator().manual_seed(0)
for count in (3, 20):
    query, gallery = (torch.randn(n, 8, generator=generator) for n in (count, 300))
    d = sg.rerank(query, gallery)
    sg.evaluate(d, torch.arange(count) % 3, torch.arange(300) % 3, protocol="plain")
loops = {
    function
    for name, module in sys.modules.items() if name.startswith("simgraph.kernels.loops.")
    for function in vars(module).values() if hasattr(function, "stats")
}
loaded = sum(sum(loop.stats.cache_hits.values()) for loop in loops)
compiled = sum(sum(loop.stats.cache_misses.values()) for loop in loops)
print(json.dumps([loaded, compiled]))
"""


def counts(folder):
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_the_next_process_compiles_nothing(tmp_path):
    loaded, compiled = counts(tmp_path)
    assert loaded == 0 and compiled >= 7
    loaded, compiled = counts(tmp_path)
    assert loaded >= 7 and compiled == 0


def compiled_loop(folder):
    """A loop of a module of its own, as a new process would make it."""
    source = folder / "loop.py"
    source.write_text("def loop(x):\n    return x.sum() + 1\n")
    os.utime(source, (1, 1))
    spec = importlib.util.spec_from_file_location("loop", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return jit(module.loop)


def cut(path):
    path.write_bytes(path.read_bytes()[:20])


def emptied(path):
    path.write_bytes(b"")


def overwritten(path):
    path.write_bytes(b"\x80\x05no pickle at all" * 9)


@pytest.mark.parametrize("damage", [cut, emptied, overwritten])
@pytest.mark.parametrize("suffix", ["nbi", "nbc"])
@pytest.mark.parametrize("writable", [True, False])
def test_a_damaged_file_is_named_and_replaced(
    tmp_path, monkeypatch, caplog, suffix, damage, writable
):
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    values = np.arange(4.0)
    assert compiled_loop(tmp_path)(values) == 7
    (file,) = (tmp_path / "cache").rglob(f"*.{suffix}")
    damage(file)
    again = compiled_loop(tmp_path)
    if not writable:
        monkeypatch.setattr(again._cache, "flush", refuse)
    assert again(values) == 7
    assert sum(again.stats.cache_misses.values()) == 1
    assert str(file.parent) in caplog.text and "compiled again" in caplog.text
    caplog.clear()
    loaded = compiled_loop(tmp_path)
    assert loaded(values) == 7
    assert bool(loaded.stats.cache_hits) == writable
    assert bool(caplog.text) == (not writable)


def refuse():
    raise PermissionError("read-only")
