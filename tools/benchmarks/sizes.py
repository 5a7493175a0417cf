"""Synthetic test sets of the sizes of known benchmarks, with a gap between the modalities."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Noise of a gallery image around its identity, noise of a query, and the shift of all queries.
# Together they make direct distances poor and gallery distances good, as between infrared and RGB.
_SPREAD, _QUERY_SPREAD, _GAP = 0.8, 1.5, 0.5


@dataclass(frozen=True)
class Size:
    """Numbers of a test set: queries, gallery images, feature dimensions, images per identity."""

    name: str
    num_queries: int
    num_gallery: int
    dim: int = 2048
    per_identity: int = 20


SIZES = {
    size.name: size
    for size in (
        Size("sysu_single", 3803, 301, per_identity=3),
        Size("sysu_multi", 3803, 3010, per_identity=30),
        Size("regdb", 2060, 2060, per_identity=10),
        Size("market", 3368, 15913),
        Size("msmt17", 11659, 82161, per_identity=27),
        Size("million", 1000, 1_000_000, dim=256),
    )
}
"""By name: SYSU-MM01 all-search (Wu et al., ICCV 2017), RegDB (Nguyen et al., Sensors 2017),
Market-1501 (Zheng et al., ICCV 2015), MSMT17 (Wei et al., CVPR 2018), and a large one."""


def draw(size: Size, seed: int = 0, block: int = 2**16) -> tuple[Tensor, Tensor]:
    """Draw synthetic features of a size.

    Args:
        size: how many.
        seed: of the draw.
        block: rows drawn at a time.

    Returns:
        query [Nq, D] and gallery [Ng, D], float32, rows of length 1.
    """
    generator = torch.Generator().manual_seed(seed)
    num_identities = -(-size.num_gallery // size.per_identity)
    centers = torch.randn(num_identities, size.dim, generator=generator)
    gap = _GAP * torch.randn(size.dim, generator=generator)

    def rows(identity: Tensor, spread: float, shift: Tensor | float) -> Tensor:
        out = torch.empty(len(identity), size.dim)
        for part, who in zip(torch.split(out, block), torch.split(identity, block), strict=True):
            torch.randn(part.shape, generator=generator, out=part)
            part.mul_(spread).add_(centers[who]).add_(shift)
            torch.nn.functional.normalize(part, dim=1, out=part)
        return out

    gallery = rows(torch.arange(size.num_gallery) % num_identities, _SPREAD, 0.0)
    identity = torch.randint(num_identities, (size.num_queries,), generator=generator)
    return rows(identity, _QUERY_SPREAD, gap), gallery
