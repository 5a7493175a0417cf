"""The appearance of an identity: body, hair, garments, shoes and bag."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

__all__ = ["Fabric", "Garment", "Looks", "draw_looks"]

Color = tuple[float, float, float]

# Common hues of clothes; uniformly random hues look unnatural.
_HUES = (0.0, 0.03, 0.08, 0.13, 0.3, 0.38, 0.5, 0.58, 0.62, 0.66, 0.78, 0.92)
_SKINS: tuple[Color, ...] = (
    (0.93, 0.76, 0.66), (0.87, 0.69, 0.56), (0.78, 0.58, 0.44), (0.60, 0.42, 0.31),
    (0.42, 0.29, 0.21),
)  # fmt: skip
_HAIRS: tuple[Color, ...] = (
    (0.08, 0.07, 0.07), (0.20, 0.13, 0.09), (0.36, 0.23, 0.14), (0.55, 0.38, 0.20),
    (0.75, 0.60, 0.36), (0.58, 0.57, 0.56),
)  # fmt: skip
_PATTERNS = {"plain": 0.30, "stripes": 0.20, "checks": 0.12, "logo": 0.18, "two-tone": 0.20}
_GIRTH, _PERIOD = (0.82, 1.28), (0.045, 0.10)
# Of clear identities.
_PATTERNS_CLEAR = {"plain": 0.16, "stripes": 0.30, "checks": 0.24, "logo": 0.10, "two-tone": 0.20}
_GIRTH_CLEAR, _PERIOD_CLEAR = (0.72, 1.40), (0.05, 0.16)


@dataclass(frozen=True)
class Fabric:
    """A dyed cloth: its `color` in visible light and `infrared` reflectance, all in [0, 1]."""

    color: Color
    infrared: float


@dataclass(frozen=True)
class Garment:
    """A cut, its cloth and the cloth of its pattern.

    A pattern that is printed on one cloth has `second.infrared == fabric.infrared`: infrared does
    not show it.
    """

    cut: str
    pattern: str
    fabric: Fabric
    second: Fabric
    period: float


@dataclass(frozen=True)
class Looks:
    """Everything about an identity that is the same in all cameras; lengths relative to height 1.

    Args:
        height: body height relative to the average, about 0.85 to 1.1.
        girth: thickness of trunk and limbs relative to the average, about 0.8 to 1.3.
        shoulders: half the distance between the shoulder joints.
        hips: half the distance between the hip joints.
        leg: height of the hip joints.
        hair: "bald", "short", "bob", "long" or "tail".
        upper: "tshirt", "shirt", "jacket" or "coat".
        lower: "trousers", "shorts" or "skirt".
        inner: cloth below an open jacket or coat.
        bag: "none", "backpack", "shoulder" or "hand".
    """

    height: float
    girth: float
    shoulders: float
    hips: float
    leg: float
    skin: Fabric
    hair: str
    hair_fabric: Fabric
    upper: Garment
    lower: Garment
    inner: Fabric
    shoes: Fabric
    bag: str
    bag_fabric: Fabric


def draw_looks(seed: int, pid: int, clear: bool = False) -> Looks:
    """Draw the looks of an identity.

    Infrared reflectances come from a separate stream of random numbers: the color of a garment
    contains no information about its brightness in infrared.

    Args:
        seed: of the whole set.
        pid: identity; its looks do not depend on other identities.
        clear: identities that are easier to tell apart, by what both modalities show: body shapes
            vary more, most garments have a large pattern, and infrared shows every pattern.

    Returns:
        the looks, equal for equal arguments.
    """
    rng = np.random.default_rng([seed, pid, 1])
    heat = np.random.default_rng([seed, pid, 2])
    stature = float(np.clip(rng.normal(), -2, 2))
    upper = _garment(
        rng, heat, ("tshirt", "shirt", "jacket", "coat"), (0.3, 0.3, 0.22, 0.18), clear
    )
    lower = _garment(rng, heat, ("trousers", "shorts", "skirt"), (0.6, 0.2, 0.2), clear)
    return Looks(
        height=0.97 + 0.045 * stature,
        girth=float(rng.uniform(*(_GIRTH_CLEAR if clear else _GIRTH))),
        shoulders=float(rng.uniform(0.078, 0.108)),
        hips=float(rng.uniform(0.045, 0.062)),
        leg=float(rng.uniform(0.47, 0.54)),
        skin=Fabric(_SKINS[rng.integers(len(_SKINS))], float(heat.uniform(0.82, 0.95))),
        hair=str(
            rng.choice(["bald", "short", "bob", "long", "tail"], p=(0.1, 0.3, 0.2, 0.25, 0.15))
        ),
        hair_fabric=Fabric(_HAIRS[rng.integers(len(_HAIRS))], float(heat.uniform(0.25, 0.6))),
        upper=upper,
        lower=lower,
        inner=_fabric(rng, heat),
        shoes=_fabric(rng, heat),
        bag=str(rng.choice(["none", "backpack", "shoulder", "hand"], p=(0.34, 0.24, 0.22, 0.2))),
        bag_fabric=_fabric(rng, heat),
    )


def _garment(
    rng: np.random.Generator,
    heat: np.random.Generator,
    cuts: tuple[str, ...],
    shares: tuple[float, ...],
    clear: bool,
) -> Garment:
    fabric, second = _fabric(rng, heat), _contrasting(rng, heat)
    if rng.random() < 0.35 and not clear:  # the pattern is printed on one cloth
        second = Fabric(second.color, fabric.infrared)
    if clear:
        fabric, second = _apart(fabric, second)
    cut = str(rng.choice(cuts, p=shares))
    patterns = _PATTERNS_CLEAR if clear else _PATTERNS
    pattern = str(rng.choice(list(patterns), p=list(patterns.values())))
    if pattern == "logo" and cut not in ("tshirt", "shirt"):
        pattern = "plain"  # open jackets and trousers have no place for a logo
    return Garment(
        cut=cut,
        pattern=pattern,
        fabric=fabric,
        second=second,
        period=float(rng.uniform(*(_PERIOD_CLEAR if clear else _PERIOD))),
    )


def _fabric(rng: np.random.Generator, heat: np.random.Generator) -> Fabric:
    """Draw a cloth; a third of them are gray, as on a street."""
    hue = _HUES[rng.integers(len(_HUES))] + rng.normal(scale=0.01)
    gray = rng.random() < 0.35
    saturation = rng.uniform(0.0, 0.08) if gray else rng.uniform(0.28, 0.75)
    color = colorsys.hsv_to_rgb(hue % 1.0, saturation, rng.uniform(0.12, 0.92))
    return Fabric(color, float(heat.uniform(0.12, 0.92)))


def _apart(fabric: Fabric, second: Fabric) -> tuple[Fabric, Fabric]:
    """Make a dark and a light cloth of two, in each modality on its own."""
    dark = 0.45 * fabric.infrared
    dyed = tuple(0.45 * c for c in fabric.color)
    flip_color = sum(second.color) < 1.5  # a dark pattern needs a light ground
    flip_infrared = second.infrared < 0.5
    color = tuple(1 - 0.4 * (1 - c) for c in fabric.color) if flip_color else dyed
    return Fabric(
        (color[0], color[1], color[2]), 0.6 + 0.35 * fabric.infrared if flip_infrared else dark
    ), second


def _contrasting(rng: np.random.Generator, heat: np.random.Generator) -> Fabric:
    """Draw the cloth of a pattern, light or dark, so that it is visible on most others."""
    hue = _HUES[rng.integers(len(_HUES))]
    value = 0.92 if rng.random() < 0.6 else 0.12
    color = colorsys.hsv_to_rgb(hue, rng.uniform(0.0, 0.5), value)
    return Fabric(color, 0.95 if heat.random() < 0.5 else 0.1)
