"""Settings: YAML in, checked values out; an unknown key is an error that names the nearest one."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from simgraph._params import Variant

ProtocolName = Literal["sysu_mm01", "sysu_mm01_agw", "regdb", "llcm", "market", "plain"]
MethodName = Literal["baseline", "sgr", "mnnr", "sim"]


class Section(BaseModel):
    """What all sections share: no unknown keys, no silent conversions, no later changes."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class DatasetConfig(Section):
    """Which test set, and which trials of it."""

    name: Literal["features", "sysu_mm01", "regdb", "llcm", "folder"] = "features"
    """`features`: the feature file holds one trial as it is; else a test set with trials."""
    root: str | None = None
    """Folder of the test set; not needed for `features`."""
    mode: str | None = None
    """sysu_mm01: all, indoor. regdb: visible_to_thermal, thermal_to_visible. llcm, folder:
    infrared_to_visible, visible_to_infrared. None takes the first."""
    shots: int = Field(10, ge=1)
    """sysu_mm01: gallery images per identity and camera: 1 or 10."""
    trials: int = Field(10, ge=1, le=10)
    """sysu_mm01, regdb, llcm: how many of the ten trials."""
    protocol: ProtocolName | None = None
    """Scoring rules; None takes the test set's own, and `plain` for `features`."""


class SIMConfig(Section):
    """Parameters of SGR, MNNR and SIM, by the symbols of the paper."""

    k: int = Field(20, ge=0)
    """Gallery neighbours per gallery image."""
    lam: float = Field(0.01, ge=0, le=1)
    """λ, scale of gallery distances."""
    num_paths: int = Field(9, ge=1)
    """K, how many shortest paths are averaged."""
    k_query: int = Field(20, ge=1)
    """k_q, neighbours of a query in MNNR."""
    k_gallery: int = Field(20, ge=0)
    """k_g, reciprocal neighbours of a gallery image in MNNR."""
    alpha: float = Field(0.3, ge=0, le=1)
    """α, weight of d_S in the fused distance."""
    expand: bool = True
    """Whether to expand the reciprocal sets."""
    variant: Variant = "paper"
    """The paper's equations, or what the authors' released code computes."""


class Config(Section):
    """Everything `tools/test.py` needs to know."""

    dataset: DatasetConfig = DatasetConfig()
    sim: SIMConfig = SIMConfig()
    features: str | None = None
    """Feature file (.npz, .safetensors) or PREFIX of official PREFIX_cam1.mat files; with
    `{trial}` in it for a file a trial."""
    normalize: bool = True
    """Scale every feature row to length 1."""
    methods: tuple[MethodName, ...] = Field(("baseline", "sgr", "mnnr", "sim"), min_length=1)
    """Rows of the table, each method once."""
    output: str | None = None
    """Folder for results.json and table.md; None prints the table only."""

    @field_validator("methods")
    @classmethod
    def _once(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(methods)) < len(methods):
            raise ValueError("each method once")
        return methods


def load_config(path: str | Path) -> Config:
    """Read and check a YAML file of settings.

    Args:
        path: the file; keys that it leaves out keep their defaults.

    Returns:
        The settings.

    Raises:
        FileNotFoundError: when there is no such file.
        ValueError: for YAML that does not parse, unknown keys and wrong types or values, each
            with the key, what came, what was expected, and the nearest valid key.
    """
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"{file}: no such config file; examples are in configs/")
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file}: not valid YAML: {error}") from None
    return parse_config({} if values is None else values, str(file))


def parse_config(values: Any, source: str = "config") -> Config:
    """Check settings given as nested mappings; `source` names them in errors."""
    if not isinstance(values, dict):
        raise ValueError(f"{source}: expected keys and values, got {type(values).__name__}")
    if isinstance(values.get("methods"), list):
        values = {**values, "methods": tuple(values["methods"])}
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ValueError("\n".join(f"{source}: {line}" for line in _explain(error))) from None


def _explain(error: ValidationError) -> list[str]:
    lines = []
    for problem in error.errors():
        key = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            lines.append(f"unknown key {key!r}{_nearest(key)}")
        else:
            expected = problem["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
            lines.append(f"{key}: expected {expected}, got {problem['input']!r}{_hint(problem)}")
    return lines


def _nearest(key: str) -> str:
    keys = _all_keys()
    # A misplaced key is as common as a misspelt one: look for its last part everywhere.
    last = {k.rsplit(".", 1)[-1]: k for k in keys}
    near = difflib.get_close_matches(key, keys, n=1) or [
        last[match] for match in difflib.get_close_matches(key.rsplit(".", 1)[-1], last, n=1)
    ]
    return f"; did you mean {near[0]!r}?" if near else f"; valid keys: {', '.join(keys)}"


def _all_keys() -> list[str]:
    sections: dict[str, type[Section]] = {"dataset": DatasetConfig, "sim": SIMConfig}
    top = [key for key in Config.model_fields if key not in sections]
    return top + [f"{name}.{key}" for name, s in sections.items() for key in s.model_fields]


def _hint(problem: Any) -> str:
    if problem["type"] == "float_type" and isinstance(problem["input"], str):
        return " (YAML reads 1e-3 as text: write 1.0e-3)"
    return ""
