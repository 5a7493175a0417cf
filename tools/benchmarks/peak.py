"""Peak memory of one way to rank, above its inputs, in a separate process."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from benchmarks import plain
from benchmarks.sizes import Size, draw
from simgraph import _memory
from simgraph.rerankers import rerank
from simgraph.search import SIMIndex

WAYS: dict[str, Callable[[Tensor, Tensor], Any]] = {
    "floor": lambda query, gallery: plain.products_and_topk(query, gallery, 20),
    "whole, from features": lambda query, gallery: rerank(query, gallery, normalize=False),
    "SIMIndex, fit and search": lambda query, gallery: (
        SIMIndex(normalize=False).fit(gallery).search(query, 20)
    ),
}


def peak_above_inputs(size: Size, way: str, device: str) -> int:
    """Peak bytes of one way above features and loaded libraries.

    Args:
        size: the test set.
        way: a key of WAYS.
        device: `"cpu"`, whose resident memory is read (Linux), or `"cuda"`.

    Returns:
        Bytes.
    """
    program = [sys.executable, "-c", "from benchmarks.peak import main; main()"]
    arguments = [json.dumps(dataclasses.asdict(size)), way, device]
    # The same paths: this folder is on that of the caller only.
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [*program, *arguments], env=environment, capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def _measure(size: Size, way: str, device: str) -> int:
    query, gallery = (x.to(device) for x in draw(size, block=1024))
    rank = WAYS[way]
    rank(query[:50], gallery[:50])  # libraries load and compile here
    before = _reset_peak(device)
    answer = rank(query, gallery)
    peak = peak_of_process(device) - before
    del answer
    return peak


def _reset_peak(device: str) -> int:
    """Reset the peak, and return the bytes that are held now."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    held = _memory.reset_peak()
    if held is None:
        raise ValueError("peak memory: expected Linux's /proc/self/clear_refs, cannot write it")
    return held


def peak_of_process(device: str) -> int:
    """Most bytes held so far: resident memory, or GPU memory."""
    return torch.cuda.max_memory_allocated() if device == "cuda" else _memory.peak()


def main() -> None:
    """Run in the separate process: measure what the arguments say, and print the bytes."""
    size, way, device = sys.argv[1:]
    sys.stdout.write(str(_measure(Size(**json.loads(size)), way, device)))
