"""Arrays as callers bring them: numpy or torch, checked, never changed, answered in kind."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

logger = logging.getLogger(__name__)

Array: TypeAlias = Tensor | NDArray[Any]
Labels: TypeAlias = Tensor | NDArray[Any] | Sequence[int]
ArrayT = TypeVar("ArrayT", Tensor, NDArray[np.floating])
_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
_NUMBER_TOGETHER = (
    "for example with np.unique(np.concatenate([query, gallery]).astype(str), "
    "return_inverse=True)[1], whose first len(query) numbers are those of the queries"
)
_ADVICE = {
    "O": "; an object array holds references: build one with np.array(rows, dtype=np.float32)",
    "c": "; take the real part, or join it with the imaginary part as more columns",
}

Ints: TypeAlias = NDArray[np.integer[Any]]
Floats: TypeAlias = NDArray[np.floating[Any]]


def to_tensor(value: object, name: str) -> Tensor:
    """The array as a tensor, without a copy if possible; raise for any other kind of values."""
    if isinstance(value, Tensor):
        return _dense_and_real(value, name)
    if not isinstance(value, np.ndarray):
        advice = "; call its .toarray() first" if hasattr(value, "toarray") else ""
        kind = type(value).__name__
        raise ValueError(f"{name}: expected a torch tensor or a numpy array, got {kind}{advice}")
    if isinstance(value, np.ma.MaskedArray):
        if np.ma.is_masked(value):
            raise ValueError(
                f"{name}: expected a value in each place, got a masked array with "
                f"{int(np.ma.getmaskarray(value).sum())} masked; remove these rows, or call .filled"
            )
        value = value.data
    if value.dtype.kind not in "fiub":
        advice = _ADVICE.get(value.dtype.kind, "")
        raise ValueError(
            f"{name}: expected an array of real numbers, got dtype {value.dtype}{advice}"
        )
    # torch supports neither foreign byte order nor floats wider than 64 bits.
    wide = value.dtype.kind == "f" and value.dtype.itemsize > 8
    plain = np.dtype(np.float64) if wide else value.dtype.newbyteorder("=")
    array = np.ascontiguousarray(value.astype(plain, copy=False))
    if array.dtype.char in "qQ":  # long long is a type of its own, which torch does not know
        array = array.view(array.dtype.kind + "8")
    if array.flags.writeable:
        return torch.from_numpy(array)
    # Read-only arrays such as memory maps are fine: nothing writes into its inputs.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The given NumPy array is not writable")
        return torch.from_numpy(array)


def _dense_and_real(x: Tensor, name: str) -> Tensor:
    """The tensor; raise for a layout or type of values that nothing here computes with."""
    if x.is_nested:
        raise ValueError(f"{name}: expected a dense tensor, got a nested one; pad it first")
    if x.layout != torch.strided:
        raise ValueError(
            f"{name}: expected a dense tensor, got layout {x.layout}; call its .to_dense() first"
        )
    if x.is_quantized or x.is_meta:
        kind = "quantized" if x.is_quantized else "meta"
        raise ValueError(f"{name}: expected a tensor with plain values, got a {kind} tensor")
    if x.is_complex():
        raise ValueError(
            f"{name}: expected real floating-point or integer values, got {x.dtype}{_ADVICE['c']}"
        )
    if x.is_floating_point() and x.dtype not in _FLOATS:
        raise ValueError(
            f"{name}: expected float16, bfloat16, float32 or float64, got {x.dtype}; "
            "call its .float() first"
        )
    return x


def label_vector(values: Labels, length: int | None, name: str) -> Tensor:
    """Identities, cameras or indices as int64 [length]; None allows any length."""
    labels = to_tensor(values if isinstance(values, Tensor) else _listed(values, name), name)
    count = "any number of" if length is None else length
    expected = f"expected {count} integers in one dimension"
    if labels.dim() != 1 or length not in (None, len(labels)):
        raise ValueError(f"{name}: {expected}, got shape {list(labels.shape)}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(f"{name}: {expected}, got {labels.dtype}; convert it to int64 first")
    # The bytes of an unsigned value above 2^63 - 1 are those of a negative number.
    if labels.dtype == torch.uint64 and bool((labels.view(torch.int64) < 0).any()):
        row = int((labels.view(torch.int64) < 0).nonzero()[0])
        raise ValueError(
            f"{name}: expected integers below 2^63, got {labels[row].item()} in row {row}; number "
            f"the labels of both sides together, {_NUMBER_TOGETHER}"
        )
    return labels.long()


def _listed(values: Labels, name: str) -> NDArray[Any]:
    try:
        listed = values if isinstance(values, np.ndarray) else np.asarray(values)
    except ValueError:
        raise ValueError(f"{name}: expected one integer per entry, got a ragged list") from None
    except OverflowError:
        listed = np.array(values, dtype=object)
    if listed.dtype.kind in "USO" and listed.size:
        example = listed.flat[0]
        raise ValueError(
            f"{name}: expected integers, got {type(example).__name__} such as {example!r} (dtype "
            f"{listed.dtype}); number the labels of both sides together, {_NUMBER_TOGETHER}"
        )
    return listed


def like_inputs(result: Tensor, *inputs: ArrayT) -> ArrayT:
    """The result in the type of the inputs: numpy if every input is numpy, else torch."""
    plain = all(isinstance(value, np.ndarray) for value in inputs)
    answer: Any = result.detach().numpy() if plain else result
    return cast(ArrayT, answer)


def matrix(value: object, name: str) -> Tensor:
    """Check for a non-empty, finite, floating matrix; half precision becomes float32."""
    x = to_tensor(value, name)
    if x.dim() != 2:
        raise ValueError(f"{name}: expected 2 dimensions [rows, columns], got {tuple(x.shape)}")
    if x.shape[0] == 0 or x.shape[1] == 0:
        raise ValueError(f"{name}: expected at least one row and column, got {tuple(x.shape)}")
    if not x.is_floating_point():
        raise ValueError(
            f"{name}: expected floating-point values, got {x.dtype}; convert them to float32 first"
        )
    if x.dtype in (torch.float16, torch.bfloat16):
        x = x.float()
    finite_range(x, name)
    return x


def finite_range(x: Tensor, name: str) -> tuple[float, float]:
    """Smallest and largest value; raise for NaN or Inf, naming the first bad row."""
    # One pass without a mask of x's size, because aminmax propagates NaN.
    low, high = torch.aminmax(x.detach())
    if torch.isfinite(low) and torch.isfinite(high):
        return float(low), float(high)
    bad = (~torch.isfinite(x.detach())).any(dim=1).nonzero().squeeze(1)
    what = "NaN" if torch.isnan(x[bad[0]]).any() else "Inf"
    raise ValueError(
        f"{name}: expected finite values, row {int(bad[0])} has {what} "
        f"({bad.numel()} of {x.shape[0]} rows are bad)"
    )


def common_dtype(a: Tensor, name_a: str, b: Tensor, name_b: str) -> tuple[Tensor, Tensor]:
    """Both tensors in their common dtype; raise unless they are on one device."""
    if a.device != b.device:
        raise ValueError(
            f"{name_a} and {name_b}: expected one device, got {a.device} and {b.device}"
        )
    dtype = torch.promote_types(a.dtype, b.dtype)
    return a.to(dtype), b.to(dtype)


def feature_pair(query: object, gallery: object, normalize: bool) -> tuple[Tensor, Tensor]:
    """Check query [Nq, D] and gallery [Ng, D] features; normalize their rows if asked."""
    q, g = common_dtype(matrix(query, "query"), "query", matrix(gallery, "gallery"), "gallery")
    require_same_width(q, g)
    return checked_rows(q, "query", normalize), checked_rows(g, "gallery", normalize)


def require_same_width(q: Tensor, g: Tensor) -> None:
    """Raise unless queries and gallery have the same number of dimensions."""
    if q.shape[1] != g.shape[1]:
        raise ValueError(
            f"query and gallery: expected the same number of feature dimensions, "
            f"got query {tuple(q.shape)} and gallery {tuple(g.shape)}"
        )


def checked_rows(x: Tensor, name: str, normalize: bool) -> Tensor:
    """Check that the squares of features fit their dtype; normalize the rows if asked."""
    if not isinstance(normalize, bool):
        raise ValueError(f"normalize: expected True or False, got {normalize!r}")
    _require_squares(x, name)
    return _unit_rows(x, name) if normalize else x


def without_diagonal(value: object, name: str) -> Tensor:
    """The distance matrix, with its diagonal set to 0 if it is Inf, NaN or negative."""
    d = to_tensor(value, name)
    if d.dim() != 2 or d.shape[0] != d.shape[1] or not d.is_floating_point():
        return d
    diagonal = d.detach().diagonal()
    if bool((torch.isfinite(diagonal) & (diagonal >= 0)).all()):
        return d
    return d.masked_fill(torch.eye(len(d), dtype=torch.bool, device=d.device), 0)


def _require_squares(x: Tensor, name: str) -> None:
    """Raise where the squared length of a row could overflow."""
    largest = max(map(abs, finite_range(x, name)))
    if largest > (torch.finfo(x.dtype).max / (4 * x.shape[1])) ** 0.5:
        raise ValueError(
            f"{name}: expected values whose squares fit {x.dtype}, got up to {largest:.3g}; "
            "scale the features down"
        )


def _unit_rows(x: Tensor, name: str) -> Tensor:
    """Normalize rows to length 1; rows of zeros stay, with a warning."""
    largest = x.detach().abs().amax(1, keepdim=True)
    zeros = int((largest == 0).sum())
    if zeros:
        logger.warning("%s: %d rows are all zeros and cannot be normalized", name, zeros)
    # The squares of tiny values underflow, so scale the largest value of such rows to 1 first.
    tiny = (largest > 0) & (largest < 1e-8)
    if tiny.any():
        x = torch.where(tiny, x / largest.clamp(min=torch.finfo(x.dtype).tiny), x)
    return torch.nn.functional.normalize(x, dim=1)


def distance_pair(d_qg: object, d_gg: object) -> tuple[Tensor, Tensor]:
    """Check D_qg [Nq, Ng] and D_gg [Ng, Ng]."""
    a, b = matrix(d_qg, "d_qg"), matrix(without_diagonal(d_gg, "d_gg"), "d_gg")
    a, b = common_dtype(a, "d_qg", b, "d_gg")
    if b.shape[0] != b.shape[1]:
        raise ValueError(f"d_gg: expected a square matrix [Ng, Ng], got {tuple(b.shape)}")
    if a.shape[1] != b.shape[0]:
        raise ValueError(
            f"d_qg and d_gg: expected [Nq, Ng] and [Ng, Ng], "
            f"got {tuple(a.shape)} and {tuple(b.shape)}"
        )
    require_distances(a, "d_qg")
    require_distances(b, "d_gg")
    return a, b


def require_distances(d: Tensor, name: str) -> None:
    """Raise for values that are not finite, or negative."""
    low, _ = finite_range(d, name)
    if low < 0:
        raise ValueError(
            f"{name}: expected distances >= 0, got {low:.4g}; "
            "similarities must be turned into distances first"
        )


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A read-only view, as of a memory map; numba compiles loops again for the other kind."""
    view: NDArray[Any] = array.view()
    view.flags.writeable = False
    return view
