"""Settings from YAML files and the command line, checked before any work begins."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import tyro
from pydantic import (
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from simgraph._bytes import DEFAULT, budget
from simgraph._config_keys import (
    RETIRED_KEYS,
    Section,
    all_keys,
    explain,
    level_of_caller,
    renamed_options,
    sections_of,
    short_errors,
    with_retired,
)
from simgraph._deprecation import warn_renamed
from simgraph._params import did_you_mean, is_ascending_pair
from simgraph._shipped_configs import find_config
from simgraph._yaml import read_yaml
from simgraph.datasets import DATASETS
from simgraph.rerankers.settings import (
    AUTHORS,
    SIM_FAMILY,
    MethodName,
    ParamsConfig,
    SIMConfig,
)

__all__ = [
    "AUTHORS",
    "FEATURES",
    "SIM_FAMILY",
    "Config",
    "DatasetConfig",
    "ImagesConfig",
    "MethodName",
    "ModelConfig",
    "ParamsConfig",
    "ProtocolName",
    "SIMConfig",
    "Section",
    "TrainConfig",
    "from_command_line",
    "load_config",
    "load_configs",
    "parse_config",
]

FEATURES = "features"
"""The dataset name of a feature file without a test set."""
ProtocolName = Literal["sysu_mm01", "sysu_mm01_agw", "regdb", "llcm", "market", "plain"]
DatasetName = Annotated[str, tyro.conf.arg(metavar="{" + ",".join((FEATURES, *DATASETS)) + "}")]


class DatasetConfig(Section):
    """The test set, and which trials of it."""

    name: DatasetName = FEATURES
    """`features`: the feature file holds exactly one trial; otherwise a test set with trials."""
    root: str | None = None
    """Folder of the test set; not needed for `features`."""
    mode: str | None = None
    """sysu_mm01: all, indoor. regdb: visible_to_thermal, thermal_to_visible. llcm, folder:
    infrared_to_visible, visible_to_infrared; llcm also visible_to_infrared_authors. None takes the
    first."""
    shots: int = Field(10, ge=1)
    """sysu_mm01: gallery images per identity and camera: 1 or 10."""
    trials: int = Field(10, ge=1, le=10)
    """sysu_mm01, regdb, llcm: number of trials, of ten."""
    protocol: ProtocolName | None = None
    """Scoring protocol; None takes the test set's own, and `plain` for `features`."""

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        known = (FEATURES, *DATASETS)
        if name not in known:
            raise ValueError(
                f"expected one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}"
            )
        return name

    @field_validator("mode")
    @classmethod
    def _of_the_dataset(cls, mode: str | None, info: ValidationInfo) -> str | None:
        # Feature files have no modes: --dataset.name features may override a config with a mode.
        name = info.data.get("name", FEATURES)
        if mode is not None and name != FEATURES and mode not in DATASETS[name].modes:
            modes = DATASETS[name].modes
            raise ValueError(
                f"expected one of {', '.join(modes)} for {name}, got {mode!r}"
                f"{did_you_mean(mode, modes)}"
            )
        return mode


class ImagesConfig(Section):
    """How image files become pixels."""

    thermal_range: Literal["image"] | tuple[float, float] = "image"
    """How gray images of more than 8 bits are scaled to 8: `image` takes the least and the
    greatest value of each image, two raw values LOW HIGH are the same for all images."""

    @field_validator("thermal_range", mode="before")
    @classmethod
    def _ascending(cls, given: Any) -> Any:
        if given != "image" and not is_ascending_pair(given):
            got = list(given) if isinstance(given, tuple) else given
            raise ValueError(
                f"expected image, or two raw values [low, high] with low < high, got {got!r}"
            )
        return given


class ModelConfig(Section):
    """The network, and the size of its input images."""

    arch: Literal["resnet50", "resnet18"] = "resnet50"
    stem: Literal["one_stream", "two_stream"] = "one_stream"
    """one_stream shares all weights; two_stream has one first convolution per modality."""
    zero_padding: bool = False
    """Two gray input channels, one per modality; the other one is zero."""
    agw: bool = False
    """Non-local blocks and generalized-mean pooling."""
    last_stride: int = Field(1, ge=1, le=2)
    """Stride of the last stage."""
    base_width: int = Field(64, ge=4)
    """Channels of the first stage; the others have 2, 4 and 8 times as many. 64 is ResNet's own."""
    weights: str = "imagenet"
    """imagenet, a file with torchvision's names, or random."""
    height: int = Field(256, ge=32)
    """Height of the images, in pixels."""
    width: int = Field(128, ge=16)
    """Width of the images, in pixels."""


class TrainConfig(Section):
    """How the network is trained."""

    epochs: int = Field(200, ge=1)
    num_ids: int = Field(8, ge=1)
    """P, identities per batch, over all processes."""
    visible_per_id: int = Field(4, ge=1)
    """V, visible images per identity."""
    infrared_per_id: int = Field(4, ge=1)
    """T, infrared images per identity."""
    lr: float = Field(3.5e-4, gt=0)
    weight_decay: float = Field(5e-4, ge=0)
    milestones: tuple[int, ...] = (80, 140)
    """Epochs at which the learning rate falls to a tenth."""
    warmup_epochs: int = Field(0, ge=0)
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    triplet: Literal["batch_hard", "weighted", "none"] = "batch_hard"
    """Batch-hard with a margin, AGW's weighted regularization, or identity loss alone."""
    margin: float = Field(0.3, ge=0)
    pad: int = Field(10, ge=0)
    """Pixels of padding before the random crop."""
    flip: float = Field(0.5, ge=0, le=1)
    erase: float = Field(0.0, ge=0, le=1)
    """Probabilities of mirroring and of random erasing."""
    channel_exchange: bool = False
    """CAJ's random channel exchange of visible images."""
    exchange_gray: bool = False
    """With channel_exchange: gray is as likely as each of the three channels."""
    precision: Literal["32-true", "bf16-mixed", "16-mixed"] = "32-true"
    """16-bit types are for GPUs."""
    channels_last: bool = False
    """Keep images as [H, W, C] in memory; equal results within rounding, often faster."""
    compile: bool = False
    """Compile the network with `torch.compile`; the first steps then take minutes."""
    pin_memory: bool = False
    """On a GPU: read batches into pinned memory, from which they are copied faster."""
    seed: int = Field(0, ge=0)
    evaluate_every: int = Field(10, ge=1)
    """Epochs between evaluations; the last epoch is always evaluated."""
    save_every: int = Field(0, ge=0)
    """Steps between checkpoints within an epoch; 0 saves at its end only."""
    workers: int = Field(2, ge=0)
    """Processes that read images."""
    cache: str | None = None
    """Folder for resized images; None reads the files each time."""


class Config(Section):
    """All settings of the commands."""

    dataset: DatasetConfig = DatasetConfig()
    images: ImagesConfig = ImagesConfig()
    sim: SIMConfig = SIMConfig()
    params: ParamsConfig = ParamsConfig()
    """Parameters of the other methods, by method: `params: {k_reciprocal: {k1: 30}}`."""
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    checkpoint: str | None = None
    """Checkpoint or folder of a training run; its features are scored."""
    features: str | None = None
    """Feature file (.npz, .safetensors) or PREFIX of official PREFIX_cam1.mat files; RegDB has
    one file per trial, with `{trial}` in its name."""
    normalize: bool = True
    """Scale every feature row to length 1."""
    memory: str = DEFAULT
    """Memory that each of baseline, sgr, mnnr and sim may take in addition to the features."""
    methods: tuple[MethodName, ...] = Field(("baseline", "sgr", "mnnr", "sim"), min_length=1)
    """Methods to score, each once: the rows of the table."""
    output: str | None = None
    """Folder for results.json, table.md and report.html; None prints the table only."""

    @field_validator("memory")
    @classmethod
    def _readable(cls, memory: str) -> str:
        budget(memory)
        return memory

    @field_validator("methods")
    @classmethod
    def _once(cls, methods: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(methods)) < len(methods):
            raise ValueError("each method once")
        return methods


SettingsT = TypeVar("SettingsT", bound=Section)


def load_config(path: str | Path, kind: type[SettingsT] = Config) -> SettingsT:  # type: ignore[assignment]
    """Read and check a YAML file of settings.

    Args:
        path: the file, or the name of a shipped config: `"sysu_mm01"`. Keys that it leaves out
            keep their defaults.
        kind: whose keys there are: `Config`, or the settings of a study.

    Returns:
        The settings.

    Raises:
        FileNotFoundError: for no such file and no shipped config of that name.
        ValueError: for YAML that does not parse, unknown keys and wrong types or values, each
            with the key, what came, what was expected, and the nearest valid key.
    """
    return load_configs([path], kind)


def load_configs(
    paths: Sequence[str | Path],
    kind: type[SettingsT] = Config,  # type: ignore[assignment]
) -> SettingsT:
    """Read and check several YAML files of settings, of which later ones override earlier ones.

    Args:
        paths: as in `load_config`, at least one. Each file must be valid by itself; it overrides
            only the keys that it has, within sections too.
        kind: as in `load_config`.

    Returns:
        The settings.

    Raises:
        FileNotFoundError: as in `load_config`.
        ValueError: as in `load_config`.
    """
    merged: Any = {}
    for path in paths:
        file = find_config(path)
        values = read_yaml(file)
        settings = parse_config({} if values is None else values, str(file), kind)
        merged = _on_top(merged, settings.model_dump(exclude_unset=True))
    return settings if len(paths) == 1 else parse_config(merged, "config", kind)


def _on_top(below: Any, above: Any) -> Any:
    """Nested mappings joined; where both have a value, the upper one stays."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    return {**below, **{key: _on_top(below.get(key), value) for key, value in above.items()}}


def parse_config(
    values: Any,
    source: str = "config",
    kind: type[SettingsT] = Config,  # type: ignore[assignment]
) -> SettingsT:
    """Check settings given as nested mappings.

    Args:
        values: key → value, sections as mappings.
        source: what errors call the settings.
        kind: whose keys there are.

    Returns:
        The settings.

    Raises:
        ValueError: for unknown keys and wrong types or values, a line for each.
    """
    if not isinstance(values, dict):
        raise ValueError(f"{source}: expected keys and values, got {type(values).__name__}")
    try:
        # In YAML, a section with nothing below it is None. It means the defaults.
        empty = [key for key in sections_of(kind) if key in values and values[key] is None]
        given = {key: value for key, value in values.items() if key not in empty}
        return kind.model_validate(_tuples(_without_variant(given, source)))
    except ValidationError as error:
        raise ValueError("\n".join(f"{source}: {line}" for line in explain(error, kind))) from None


def _without_variant(values: dict[str, Any], source: str) -> dict[str, Any]:
    """Settings without the old key `sim.variant`, which is now a choice of methods."""
    sim = values.get("sim")
    if not isinstance(sim, dict) or "variant" not in sim:
        return values
    rest = {**values, "sim": {key: value for key, value in sim.items() if key != "variant"}}
    if sim["variant"] == "paper":
        warn_renamed(
            f"{source}: sim.variant: paper", "what sgr, mnnr and sim compute", level_of_caller()
        )
        return rest
    if sim["variant"] != "authors":
        raise ValueError(
            f"{source}: sim.variant: expected 'paper' or 'authors', got {sim['variant']!r}; it is "
            f"no key any more: choose among the methods {', '.join(AUTHORS)}"
        )
    warn_renamed(
        f"{source}: sim.variant: authors", f"the methods {', '.join(AUTHORS)}", level_of_caller()
    )
    methods = values.get("methods") or ["baseline", *SIM_FAMILY[:3]]
    if not isinstance(methods, list | tuple):  # refused with the other wrong values
        return rest
    return {**rest, "methods": list(map(_of_authors, methods))}


def _of_authors(method: Any) -> Any:
    """sgr, mnnr, sim as the authors' code computes them; `sim:alpha=0.5` too; others stay."""
    name, colon, rest = str(method).partition(":")
    known = f"{name}_authors" in AUTHORS
    return f"{name}_authors{colon}{rest}" if known else method


def _tuples(values: Any) -> Any:
    """YAML's lists as the tuples that frozen settings hold."""
    if isinstance(values, dict):
        return {key: _tuples(value) for key, value in values.items()}
    return tuple(map(_tuples, values)) if isinstance(values, list) else values


def from_command_line(
    description: str,
    arguments: Sequence[str] | None = None,
    kind: type[SettingsT] = Config,  # type: ignore[assignment]
    program: str | None = None,
) -> SettingsT:
    """Settings from the command line: those of --config, with its other options on top.

    Of several --config the later ones override the keys that they have.

    Args:
        description: shown by --help.
        arguments: of the command line; None takes the program's.
        kind: whose keys there are: `Config`, or the settings of a study.
        program: name shown by --help; None takes that of the running program.

    Returns:
        The settings.

    Raises:
        FileNotFoundError: for a config that is not there.
        ValueError: for a bad config.
        SystemExit: for bad arguments, after an explanation, or after --help.
    """
    keys = all_keys(kind)
    first = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    first.add_argument("--config", action="append")
    for key in set(RETIRED_KEYS).difference(keys):
        first.add_argument(f"--{key}", dest=key, default=argparse.SUPPRESS)
    known, overrides = first.parse_known_args(arguments)
    retired = vars(known)
    files = retired.pop("config") or []
    default = load_configs(files, kind) if files else kind()
    with short_errors():
        settings = tyro.cli(
            kind,
            args=renamed_options(overrides, keys),
            default=default,
            prog=program,
            description=description,
            use_underscores=True,
            config=(tyro.conf.FlagConversionOff,),
        )
    if not retired:
        return settings
    return parse_config(with_retired(settings.model_dump(), retired), "command line", kind)
