"""Settings of the methods: the sections `sim` and `params` of a config."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from pydantic import Field, ValidationInfo, create_model, field_validator, model_validator

from simgraph._config_keys import Section
from simgraph.rerankers import NAMES
from simgraph.rerankers.signatures import method_signature
from simgraph.sim.params import Auto, SIMParams, check_images_per_identity

if TYPE_CHECKING:
    MethodName: TypeAlias = str
else:
    MethodName = Literal[NAMES]


class SIMConfig(Section):
    """Parameters of SGR, MNNR and SIM, by the symbols of the paper."""

    k: int | Auto = SIMParams.k
    """Gallery neighbors per gallery image; `auto` chooses for each trial, without labels."""
    lam: float = Field(SIMParams.lam, ge=0, le=1)
    """λ, scale of gallery distances."""
    num_paths: int | Auto = SIMParams.num_paths
    """K, how many shortest paths are averaged. `auto` follows k; so do the published 9, and 20
    and 20 below, where k is `auto`."""
    k_query: int | Auto = SIMParams.k_query
    """k_q, neighbors of a query in MNNR."""
    k_gallery: int | Auto = SIMParams.k_gallery
    """k_g, reciprocal neighbors of a gallery image in MNNR."""
    alpha: float = Field(SIMParams.alpha, ge=0, le=1)
    """α, weight of d_S in the fused distance."""
    expand: bool = SIMParams.expand
    """Whether to expand the reciprocal sets."""
    origin: str = ""
    """Where these values come from, for reports; `simgraph study tune` writes it."""
    images_per_identity: float | None = None
    """About how many gallery images each identity has, where that is known: with `k: auto` the
    numbers follow it."""

    @model_validator(mode="after")
    def _chooses_by_images(self) -> SIMConfig:
        if self.images_per_identity is not None:
            check_images_per_identity(self.images_per_identity, self.k)
        return self

    def params(self) -> SIMParams:
        """The same as the methods take it."""
        return SIMParams(**self.model_dump(exclude={"origin"}))

    @field_validator("k", "num_paths", "k_query", "k_gallery", mode="before")
    @classmethod
    def _number_or_auto(cls, value: Any, info: ValidationInfo) -> Any:
        low = 1 if info.field_name in ("num_paths", "k_query") else 0
        if value == "auto" or (type(value) is int and value >= low):
            return value
        raise ValueError(f"an integer of at least {low}, or 'auto'")


AUTHORS = ("sgr_authors", "mnnr_authors", "sim_authors")
"""The methods of the authors' released code, which take numbers, not `auto`."""
SIM_FAMILY = ("sgr", "mnnr", "sim", *AUTHORS)
"""Methods that read the settings under `sim`; the others read theirs under `params`."""


class _Params(Section):
    """Parameters of the methods outside SIM's family, by method."""

    @model_validator(mode="before")
    @classmethod
    def _not_of_sim(cls, values: Any) -> Any:
        misplaced = [name for name in SIM_FAMILY if isinstance(values, dict) and name in values]
        if misplaced:
            raise ValueError(f"parameters of {misplaced[0]} under the key 'sim', not here")
        return values


def _params_config() -> type[_Params]:
    """A section for each method that has parameters, with its signature's names and defaults."""
    sections: dict[str, Any] = {}
    for method in NAMES:
        known = method_signature(method)
        names = [name for name in known.defaults if name not in ("normalize", "memory")]
        if method in SIM_FAMILY or not names:
            continue
        fields: dict[str, Any] = {
            name: (_TYPES[known.annotations[name]], known.defaults[name]) for name in names
        }
        section = create_model(method, __base__=Section, __doc__=known.summary, **fields)
        sections[method] = (section, section())
    return create_model("ParamsConfig", __base__=_Params, __doc__=_Params.__doc__, **sections)


_TYPES = {"int": int, "float": float, "bool": bool, "str": str}

if TYPE_CHECKING:
    ParamsConfig: TypeAlias = _Params
else:
    ParamsConfig = _params_config()
