"""Compiled once: the next process loads what the first one left on disk."""

import json
import os
import subprocess
import sys

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
