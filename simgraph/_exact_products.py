"""Matrix products in full precision, whatever the process allows its other products."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

_lock = threading.Lock()
_inside = 0
_before: list[str | None] = []


@contextmanager
def exact_products(device: str) -> Iterator[None]:
    """Compute products of float32 with operands of float32: no autocast, no TF32, no bfloat16.

    `torch.set_float32_matmul_precision` and `allow_tf32` round the operands of a product to 11 bits
    or fewer, which reorders near neighbors. What they had set comes back when the last thread
    leaves; until then products of other threads are exact too.

    Args:
        device: type of the device that autocast is shut out of.
    """
    global _inside, _before
    with _lock:
        if _inside == 0:
            _before = _precision()
            _set_precision("highest", "ieee", "ieee")
        _inside += 1
    try:
        with torch.autocast(device, enabled=False):
            yield
    finally:
        with _lock:
            _inside -= 1
            if _inside == 0:
                _set_precision(*_before)


def _precision() -> list[str | None]:
    """As set for all products, for those on CPUs, and for those on GPUs; None where unknown.

    Since torch 2.9 each kind of device has its own setting, and reading that of all raises where
    they contradict each other. It is kept where it can be read, for those who read it meanwhile.
    """
    try:
        common = torch.get_float32_matmul_precision()
    except RuntimeError:
        common = None
    return [common, *(getattr(matmul, "fp32_precision", None) for matmul in _backends())]


def _set_precision(common: str | None, *own: str | None) -> None:
    if common is not None:
        torch.set_float32_matmul_precision(common)
    for matmul, value in zip(_backends(), own, strict=True):
        if value is not None and hasattr(matmul, "fp32_precision"):
            matmul.fp32_precision = value


def _backends() -> list[Any]:
    return [getattr(torch.backends.mkldnn, "matmul", None), torch.backends.cuda.matmul]
