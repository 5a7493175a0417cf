"""Peak memory of one way to rank, above its inputs, in a process of its own.

python -m simgraph.benchmark.peak SIZE WAY DEVICE, where SIZE is a Size as JSON; prints bytes.
"""

from __future__ import annotations

import dataclasses
import json
import resource
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from simgraph.benchmark import plain
from simgraph.benchmark.sizes import Size, draw
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
    """Bytes that a way needs at its peak above features and loaded libraries.

    Args:
        size: the test set.
        way: a key of WAYS.
        device: `"cpu"`, whose resident memory is read (Linux), or `"cuda"`.

    Returns:
        Bytes.
    """
    program = [sys.executable, "-m", "simgraph.benchmark.peak"]
    arguments = [json.dumps(dataclasses.asdict(size)), way, device]
    done = subprocess.run([*program, *arguments], capture_output=True, text=True, check=True)
    return int(done.stdout)


def _measure(size: Size, way: str, device: str) -> int:
    query, gallery = (x.to(device) for x in draw(size, block=1024))
    rank = WAYS[way]
    rank(query[:50], gallery[:50])  # libraries load and compile what they will
    before = peak_of_process(device)
    answer = rank(query, gallery)
    peak = peak_of_process(device) - before
    del answer
    return peak


def peak_of_process(device: str) -> int:
    """Most bytes held so far: resident memory, or the card's."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    sys.stdout.write(str(_measure(Size(**json.loads(sys.argv[1])), *sys.argv[2:])))
