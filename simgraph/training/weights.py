"""ImageNet weights for a backbone: from their official address or a file, or random weights."""

from __future__ import annotations

import hashlib
import http.client
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file
from torch import Tensor, hub

from simgraph.training.backbone import Backbone
from simgraph.training.resnet import BASE_WIDTH

logger = logging.getLogger(__name__)

_ADDRESS = "https://download.pytorch.org/models/"
# torchvision's IMAGENET1K_V1; the last part of each name is the start of the file's SHA-256.
_FILES = {"resnet18": "resnet18-f37072fd.pth", "resnet50": "resnet50-0676ba61.pth"}


def load_imagenet(backbone: Backbone, source: str | Path = "imagenet") -> None:
    """Fill a backbone's trunk with weights trained on ImageNet.

    With several processes, let one of them call this first; otherwise each downloads the file.

    Args:
        backbone: its trunk (and its stem for infrared, if any) is filled in place.
        source: "imagenet" for torchvision's file, downloaded once into
            `torch.hub.get_dir()/checkpoints` and checked by its hash; a path to a torchvision
            checkpoint (.pth, or .safetensors with the same names); or "random" to leave the
            weights as they are.

    Raises:
        FileNotFoundError: for a missing file that cannot be downloaded; says which file to get
            and where to put it.
        ValueError: for a damaged file, or weights of another network or width.

    Source: torchvision's IMAGENET1K_V1 weights; He et al., CVPR 2016.
    """
    if str(source) == "random":
        return
    _require_own_width(backbone)
    name = _FILES[backbone.trunk.arch]
    path = _official_file(name) if str(source) == "imagenet" else Path(source)
    if not path.is_file():
        raise FileNotFoundError(
            f"expected 'imagenet', 'random' or a file of {backbone.trunk.arch} weights, got "
            f"{str(source)!r}, which is not there; {_manual_download(name)}"
        )
    try:
        backbone.load_trunk(_read(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _require_own_width(backbone: Backbone) -> None:
    width = backbone.trunk.base_width
    if width != BASE_WIDTH:
        raise ValueError(
            f"base_width = {width}: expected {BASE_WIDTH} for weights trained on ImageNet; use "
            "weights = 'random' for a network of another width (model.weights in a config)"
        )


def _official_file(name: str) -> Path:
    """The cached file of that name, downloaded if it is missing."""
    path = _cache() / name
    prefix = _hash_prefix(name)
    if path.is_file():
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        if not digest.startswith(prefix):
            raise ValueError(
                f"{path}: expected a SHA-256 that starts with {prefix}, got {digest[:8]}; the "
                "file is damaged: delete it to download it again"
            )
        return path
    logger.info("downloading %s%s to %s", _ADDRESS, name, path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        hub.download_url_to_file(_ADDRESS + name, str(path), prefix, sys.stderr.isatty())
    except (URLError, ConnectionError, TimeoutError, http.client.HTTPException) as error:
        raise FileNotFoundError(
            f"cannot download {_ADDRESS}{name} ({error}); {_manual_download(name)}"
        ) from error
    except RuntimeError as error:
        # torch compares the hash, and deletes the file if it differs.
        raise ValueError(
            f"{_ADDRESS}{name}: {error}; try again, or {_manual_download(name)}"
        ) from error
    return path


def _manual_download(name: str) -> str:
    return (
        f"get {_ADDRESS}{name} (SHA-256 starts with {_hash_prefix(name)}) and put it at "
        f"{_cache() / name}, or give the path of a copy, or ask for 'random' weights by name"
    )


def _cache() -> Path:
    return Path(hub.get_dir()) / "checkpoints"


def _hash_prefix(name: str) -> str:
    return Path(name).stem.rpartition("-")[2]


def _read(path: Path) -> Mapping[str, Tensor]:
    """Read names and tensors; no code in the file is run."""
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except OSError:
        raise
    except Exception as error:
        # Truncated files and other formats raise many types of errors.
        raise ValueError(
            f"expected a file of weights, got one that cannot be read ({error}); "
            "it may be cut short: get it again"
        ) from error
    if not isinstance(state, Mapping) or not all(
        isinstance(name, str) and isinstance(value, Tensor) for name, value in state.items()
    ):
        raise ValueError("expected a mapping of names to tensors, as torchvision saves it")
    return state
