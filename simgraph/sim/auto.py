"""k="auto": k, K, k_q and k_g from the gallery and the query–gallery distances, without labels."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from torch import Tensor

from simgraph._arrays import ArrayT, feature_pair
from simgraph._params import require_int
from simgraph.sim.neighborhood_agreement import NeighborhoodAgreement, neighborhood_agreement
from simgraph.sim.params import AUTO_PARAMETERS, SIMParams, check_images_per_identity

logger = logging.getLogger(__name__)

MIN_QUERIES, MIN_GALLERY = 10, 30
"""With fewer there is too little evidence."""
ERRORS = 3
"""Standard errors by which the contrast inside the gallery must exceed that of the queries."""
SHARE = 0.8
"""k as a share of an image's n − 1 neighbors of its identity, where n is given."""


def choose(query: ArrayT, gallery: ArrayT, normalize: bool = True) -> SIMParams:
    r"""Choose k, K, k_q and k_g for a gallery and the queries that come to it.

    $$k = \operatorname{argmax}_k \, [\kappa_g(k)]_+ [\kappa_q(k)]_+
      \quad\text{if}\quad z_g - z_q \ge 3 \, \epsilon, \quad\text{else}\quad 0$$

    κ_g(k) is the share of images that the k-neighborhoods of two near gallery images have in
    common, corrected for chance, and κ_q(k) the same for a query and its first hit. z_g and z_q
    measure how far the first neighbors of gallery images and of queries stand out from all other
    images, in standard deviations, and ε is the standard error of their difference.

    SIM corrects the queries' distances by those inside the gallery. Where z_g does not clearly
    exceed z_q these are no better: k is 0, and the baseline's ranking stays. K, k_q and k_g follow
    k. The result is deterministic and does not depend on the order of rows.

    Args:
        query: [Nq, D], floating, numpy or torch; all queries together, or a sample of them.
        gallery: [Ng, D], the same.
        normalize: scale every feature row to length 1 first.

    Returns:
        Parameters with the four numbers and the reason; λ, α and expansion are the defaults. Where
        the baseline's ranking stays, a warning is logged too.

    Raises:
        ValueError: for bad features.

    Source: docs/concepts/auto.md.
    """
    return SIMParams(**_choose(*feature_pair(query, gallery, normalize), normalize))


def resolve_auto(params: SIMParams, query: Tensor, gallery: Tensor, normalize: bool) -> SIMParams:
    """Put numbers in place of `"auto"`.

    Where k is a number, K, k_q and k_g at `"auto"` follow it. Where k is `"auto"`, it is chosen,
    by the images per identity if they are given. Then those at `"auto"` follow it, and so do those
    at their published defaults. Other numbers are the caller's own: they stay, or come down to
    what the chosen k allows.

    Args:
        params: numbers, or `"auto"`.
        query: checked features [Nq, D].
        gallery: [Ng, D], the same.
        normalize: whether rows have been scaled to length 1.

    Returns:
        The parameters with numbers, and with a reason where anything was `"auto"`.
    """
    return _resolve(params, len(gallery), lambda: _choose(query, gallery, normalize))


def resolve_auto_of_distances(params: SIMParams, num_gallery: int) -> SIMParams:
    """The same where only distances are known: k at `"auto"` needs the images per identity.

    Args:
        params: numbers, or `"auto"`.
        num_gallery: gallery images, Ng.

    Returns:
        The parameters with numbers.

    Raises:
        ValueError: for k at `"auto"` without images per identity.
    """

    def refuse() -> dict[str, Any]:
        raise ValueError(
            "k = 'auto' is chosen by features, and distances were given: give a number, or "
            "images_per_identity too"
        )

    return _resolve(params, num_gallery, refuse)


def _resolve(
    params: SIMParams, num_gallery: int, choose_k: Callable[[], dict[str, Any]]
) -> SIMParams:
    if not params.has_auto:
        return params
    images, params = params.images_per_identity, replace(params, images_per_identity=None)
    given = {name: getattr(params, name) for name in AUTO_PARAMETERS}
    own = {name: value for name, value in given.items() if value != "auto"}
    for name, value in own.items():
        require_int(name, value, 0)
    if params.k != "auto":
        return replace(params, **from_k(params.k, "k was given, the others follow it") | own)
    chosen = choose_k() if images is None else from_k(*_by_images(images, num_gallery))
    most = {"num_paths": chosen["k"] + 1, "k_query": num_gallery, "k_gallery": chosen["k"]}
    kept = {name: min(n, most[name]) for name, n in own.items() if n != getattr(SIMParams, name)}
    return replace(params, **chosen | kept)


def for_images_per_identity(images: float) -> SIMParams:
    r"""Parameters for galleries with about so many images per identity.

    $$k = \operatorname{round}(0.8 \, (n - 1))$$

    An image has n − 1 others of its identity. A little fewer neighbors cost little, and too many
    cost much. With one image per identity k is 0, which keeps the baseline's ranking.

    Args:
        images: n, about how many gallery images each identity has, at least 1.

    Returns:
        Parameters with k, and K, k_q and k_g that follow it.

    Raises:
        ValueError: for a number below 1.

    Source: docs/concepts/auto.md.
    """
    check_images_per_identity(images, "auto")
    return SIMParams(**from_k(*_by_images(images)))


def _by_images(images: float, num_gallery: int | None = None) -> tuple[int, str]:
    fit = round(SHARE * (images - 1))
    k = fit if num_gallery is None else min(fit, num_gallery - 1)
    return k, f"identities have about {images:g} gallery images, as given"


def _choose(query: Tensor, gallery: Tensor, normalize: bool) -> dict[str, Any]:
    k, reason = _decide(query, gallery, normalize)
    if k == 0:
        logger.warning("k='auto': the baseline's ranking stays, because %s", reason)
    else:
        logger.info("k='auto': k = %d, because %s", k, reason)
    return from_k(k, reason)


def from_k(k: int, reason: str = "") -> dict[str, Any]:
    """The numbers that follow k, by name: k_q and k_g are k, K is half of the k + 1 paths.

    Args:
        k: gallery neighbors, 0 for the baseline's ranking.
        reason: why it is this k.

    Returns:
        Keyword arguments of `SIMParams`.
    """
    numbers = (k, max(1, round((k + 1) / 2)), max(1, k), k)
    return dict(zip(AUTO_PARAMETERS, numbers, strict=True)) | {"reason": reason}


def _decide(query: Tensor, gallery: Tensor, normalize: bool) -> tuple[int, str]:
    if len(query) < MIN_QUERIES:
        return 0, f"{len(query)} queries are too few, {MIN_QUERIES} are needed"
    if len(gallery) < MIN_GALLERY:
        return 0, f"{len(gallery)} gallery images are too few, {MIN_GALLERY} are needed"
    found = neighborhood_agreement(query, gallery, normalize)
    if found is None:
        return 0, "all distances of a query or of a gallery image are equal"
    return _by_agreement(found)


def _by_agreement(found: NeighborhoodAgreement) -> tuple[int, str]:
    inside, across = found.gallery_contrast, found.query_contrast
    margin = ERRORS * float(np.hypot(inside.error, across.error))
    if inside.mean - across.mean < margin:
        return 0, (
            "the nearest neighbors of gallery images do not clearly stand out more than those of "
            f"queries ({inside.mean:.2f} against {across.mean:.2f} standard deviations, ± "
            f"{margin:.2f})"
        )
    agreement = np.maximum(found.gallery, 0) * np.maximum(found.query, 0)
    best = int(agreement.argmax())
    if agreement[best] == 0:
        return 0, "no neighborhoods agree more than by chance"
    return int(found.sizes[best]), (
        f"neighborhoods of this size agree most, by {found.gallery[best]:.2f} above chance in the "
        f"gallery and by {found.query[best]:.2f} with those of queries"
    )
