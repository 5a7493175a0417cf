"""Images from disk: read lazily as tensors, checked before work begins, and optionally cached."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import Dataset

from simgraph._files import atomic_write
from simgraph.datasets.samples import Samples
from simgraph.datasets.thermal import (
    FEWEST_LEVELS,
    Depth,
    ThermalRange,
    check_range,
    is_deep,
    measure,
    scale,
)

__all__ = [
    "ImageSet",
    "Survey",
    "check_images",
    "open_image",
    "read_image",
    "require_images",
    "survey_images",
]

logger = logging.getLogger(__name__)
Pixels = NDArray[np.uint8]
# Decoding releases the interpreter's lock; more threads would only wait for the disk.
_THREADS = 4


class ImageSet(Dataset[tuple[Tensor, int]]):
    """The images of samples, read and resized on access.

    With `cache`, the constructor writes one file of resized images [N, H, W, 3] before any
    DataLoader worker starts, and maps it into memory. The file name contains a hash of the paths,
    sizes and modification times of the images and of `thermal_range`, so that changed images get
    a new file. Files in the folder may be deleted while no process reads them.

    Args:
        samples: N images; `item[1]` is the row, which gives their identity and camera.
        root: folder that the paths are relative to.
        size: (height, width) in pixels, each at least 1.
        cache: folder for the resized images, created if missing; None reads the files each time.
        thermal_range: how 16-bit images are scaled to eight bits; see `read_image`.

    Raises:
        ValueError: for a size or a thermal range out of range or, with `cache`, an image that
            cannot be read.
    """

    def __init__(
        self,
        samples: Samples,
        root: str | Path,
        size: tuple[int, int] = (256, 128),
        cache: str | Path | None = None,
        thermal_range: ThermalRange = "image",
    ) -> None:
        _check_size(size)
        check_range(thermal_range)
        self.samples, self.root, self.size = samples, Path(root), size
        self.thermal_range = thermal_range
        self._stored: Pixels | None = None
        self._file: Path | None = None
        if cache is not None:
            name = f"images_{_fingerprint(samples, self.root, size, thermal_range)}.npy"
            self._file = Path(cache) / name
            self._stored = _open_or_build(self._file, samples, self.root, size, thermal_range)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = range(len(self))[index]  # negative and out-of-range rows as in a list
        if self._file is None:
            path = self.root / self.samples.paths[row]
            return read_image(path, self.size, self.thermal_range), row
        if self._stored is None:
            self._stored = _open(self._file, (len(self), *self.size, 3))
        return _planes(np.array(self._stored[row])), row

    def __getstate__(self) -> dict[str, Any]:
        # Pickling a mapped array copies all its pixels; workers map the file themselves.
        return self.__dict__ | {"_stored": None}


def read_image(
    path: str | Path, size: tuple[int, int], thermal_range: ThermalRange = "image"
) -> Tensor:
    """Read an image as three channels of the given size.

    Gray, 1-bit, palette and 16-bit images become three channels, and transparency is dropped.
    Gray images of 16 bits, of 32 bits and of floats are scaled to eight bits as by
    `simgraph.datasets.thermal.scale`; of 16-bit colors Pillow keeps the upper eight. The EXIF
    orientation is not applied, as in the code of the published baselines.

    Args:
        path: an image that Pillow reads.
        size: (height, width) in pixels, each at least 1.
        thermal_range: "image" scales from the least and the greatest value of each image; a pair
            (low, high) of raw values is the same for all images.

    Returns:
        [3, height, width] uint8, resized bilinearly with antialiasing.

    Raises:
        ValueError: for a file that is missing, damaged or not an image, which it names; or a
            size or a range out of range.
    """
    _check_size(size)
    check_range(thermal_range)
    return _planes(_read_pixels(Path(path), size, thermal_range))


def open_image(path: str | Path, thermal_range: ThermalRange = "image") -> Image.Image:
    """Read an image in its own size, converted to three channels as by `read_image`.

    Args:
        path: an image that Pillow reads.
        thermal_range: as in `read_image`.

    Returns:
        the image in mode RGB.

    Raises:
        ValueError: for a file that is missing, damaged or not an image; names the path.
    """
    try:
        with Image.open(path) as image:
            return _three_channels(image, thermal_range)
    except Exception as error:  # Pillow's decoders raise many types of errors
        raise ValueError(f"{path}: cannot be read as an image: {_reason(error)}") from error


@dataclass(frozen=True)
class Survey:
    """What decoding all images found.

    Args:
        bad: path below the root and reason for each file that is missing, damaged or not an image.
        deep: path and depth of each good image of more than eight bits.
    """

    bad: list[tuple[str, str]]
    deep: list[tuple[str, Depth]]


def survey_images(
    samples: Samples,
    root: str | Path,
    thermal_range: ThermalRange = "image",
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> Survey:
    """Decode every image completely.

    Args:
        samples: images to check.
        root: folder that the paths are relative to.
        thermal_range: as in `read_image`.
        progress: shows progress over the paths; `rich.progress.track` fits.

    Returns:
        those that cannot be read and those of more than eight bits, in the order of the samples.

    Raises:
        ValueError: for a range out of range.
    """
    check_range(thermal_range)
    base, survey = Path(root), Survey([], [])
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(lambda path: _inspect(base / path, thermal_range), samples.paths)
        for path, result in zip(progress(samples.paths), found, strict=True):
            if isinstance(result, str):
                survey.bad.append((path, result))
            elif result is not None:
                survey.deep.append((path, result))
    return survey


def check_images(
    samples: Samples,
    root: str | Path,
    progress: Callable[[Iterable[str]], Iterable[str]] = iter,
) -> list[tuple[str, str]]:
    """Decode every image completely, and list those that cannot be read.

    Args:
        samples: images to check.
        root: folder that the paths are relative to.
        progress: shows progress over the paths; `rich.progress.track` fits.

    Returns:
        path below `root` and reason for each file that is missing, damaged or not an image, in
        the order of the samples.
    """
    return survey_images(samples, root, progress=progress).bad


def require_images(
    samples: Samples, root: str | Path, thermal_range: ThermalRange = "image"
) -> list[tuple[str, Depth]]:
    """Raise for samples with images that cannot be read, before work on them begins.

    A warning counts the images that keep fewer than 32 levels when they are scaled to eight bits.

    Args:
        samples: images to check.
        root: folder that the paths are relative to.
        thermal_range: as in `read_image`.

    Returns:
        path and depth of each image of more than eight bits.

    Raises:
        ValueError: for images that cannot be read, with their number and the first ten paths
            and reasons.
    """
    survey = survey_images(samples, root, thermal_range)
    if bad := survey.bad:
        shown = "\n".join(f"  {path}: {reason}" for path, reason in bad[:10])
        more = f"\n  and {len(bad) - 10} more" if len(bad) > 10 else ""
        raise ValueError(
            f"{len(bad)} of {len(samples)} images below {root} cannot be read; restore them or "
            f"remove them from the lists:\n{shown}{more}"
        )
    _warn_if_flat(survey.deep, thermal_range)
    return survey.deep


def _warn_if_flat(deep: list[tuple[str, Depth]], thermal_range: ThermalRange) -> None:
    flat = [(path, depth) for path, depth in deep if depth.after < FEWEST_LEVELS]
    if flat:
        path, depth = flat[0]
        logger.warning(
            "%d of %d images of more than 8 bits keep fewer than %d gray levels with "
            "images.thermal_range = %s, for example %s: raw values %g to %g, %d levels of %d "
            "kept; set images.thermal_range to [low, high], the raw values that matter",
            len(flat), len(deep), FEWEST_LEVELS, thermal_range, path, depth.low, depth.high,
            depth.after, depth.before,
        )  # fmt: skip


def _check_size(size: tuple[int, int]) -> None:
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be (height, width), each at least 1, got {size!r}")


def _planes(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _read_pixels(path: Path, size: tuple[int, int], thermal_range: ThermalRange) -> Pixels:
    """Read as [H, W, 3]."""
    image = open_image(path, thermal_range)
    return np.array(image.resize(size[::-1], Image.Resampling.BILINEAR))


def _three_channels(image: Image.Image, thermal_range: ThermalRange) -> Image.Image:
    if is_deep(image):  # Pillow clips at 255 instead of scaling
        return scale(image, thermal_range).convert("RGB")
    # A palette's transparency has to become a channel before it can be dropped.
    return (image.convert("RGBA") if image.mode == "P" else image).convert("RGB")


def _inspect(path: Path, thermal_range: ThermalRange) -> str | Depth | None:
    """The reason why an image cannot be read; its depth if it has more than eight bits."""
    try:
        with Image.open(path) as image:
            image.load()
            return measure(image, thermal_range) if is_deep(image) else None
    except Exception as error:
        return _reason(error) or type(error).__name__


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return "not an image" if isinstance(error, UnidentifiedImageError) else str(error)


def _fingerprint(
    samples: Samples, root: Path, size: tuple[int, int], thermal_range: ThermalRange
) -> str:
    """Hash what the cached pixels depend on; a file's size and time represent its content."""
    reading = [str(root.resolve()), *size, thermal_range]
    digest = hashlib.sha256(json.dumps(reading).encode())
    for path in samples.paths:
        try:
            state = (root / path).stat()
        except OSError as error:
            raise ValueError(f"{root / path}: expected an image: {error.strerror}") from error
        digest.update(json.dumps([path, state.st_size, state.st_mtime_ns]).encode())
    return digest.hexdigest()[:32]


def _open_or_build(
    file: Path,
    samples: Samples,
    root: Path,
    size: tuple[int, int],
    thermal_range: ThermalRange,
) -> Pixels:
    shape = (len(samples), *size, 3)
    try:
        return _open(file, shape)
    except (OSError, ValueError):  # missing or damaged: both are built again
        _build(file, samples, root, size, thermal_range)
    return _open(file, shape)


def _open(file: Path, shape: tuple[int, ...]) -> Pixels:
    stored: Pixels = np.lib.format.open_memmap(file, mode="r")  # refuses pickled objects
    if stored.shape != shape or stored.dtype != np.uint8:
        raise ValueError(
            f"{file}: expected uint8 {shape}, got {stored.dtype} {stored.shape}: delete the file"
        )
    return stored


def _build(
    file: Path,
    samples: Samples,
    root: Path,
    size: tuple[int, int],
    thermal_range: ThermalRange,
) -> None:
    """Build the file of pixels; of several processes the last one to rename its file wins."""
    with atomic_write(file) as temporary:
        store = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.uint8, shape=(len(samples), *size, 3)
        )

        def put(row: int) -> None:
            store[row] = _read_pixels(root / samples.paths[row], size, thermal_range)

        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(put, range(len(samples))):
                pass  # an error in a row is raised here and cancels the remaining rows
        store.flush()
