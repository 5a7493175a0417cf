"""Images from disk: read lazily as tensors, checked before work begins, and optionally cached."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
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

__all__ = ["ImageSet", "check_images", "open_image", "read_image", "require_images"]

Pixels = NDArray[np.uint8]
# Decoding releases the interpreter's lock; more threads would only wait for the disk.
_THREADS = 4


class ImageSet(Dataset[tuple[Tensor, int]]):
    """The images of samples, read and resized on access.

    With `cache`, the constructor writes one file of resized images [N, H, W, 3] before any
    DataLoader worker starts, and maps it into memory. The file name contains a hash of the paths,
    sizes and modification times of the images, so that changed images get a new file. Files in
    the folder may be deleted while no process reads them.

    Args:
        samples: N images; `item[1]` is the row, which gives their identity and camera.
        root: folder that the paths are relative to.
        size: (height, width) in pixels, each at least 1.
        cache: folder for the resized images, created if missing; None reads the files each time.

    Raises:
        ValueError: for a size out of range or, with `cache`, an image that cannot be read.
    """

    def __init__(
        self,
        samples: Samples,
        root: str | Path,
        size: tuple[int, int] = (256, 128),
        cache: str | Path | None = None,
    ) -> None:
        _check_size(size)
        self.samples, self.root, self.size = samples, Path(root), size
        self._stored: Pixels | None = None
        self._file: Path | None = None
        if cache is not None:
            self._file = Path(cache) / f"images_{_fingerprint(samples, self.root, size)}.npy"
            self._stored = _open_or_build(self._file, samples, self.root, size)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        row = range(len(self))[index]  # negative and out-of-range rows as in a list
        if self._file is None:
            return read_image(self.root / self.samples.paths[row], self.size), row
        if self._stored is None:
            self._stored = _open(self._file, (len(self), *self.size, 3))
        return _planes(np.array(self._stored[row])), row

    def __getstate__(self) -> dict[str, Any]:
        # Pickling a mapped array copies all its pixels; workers map the file themselves.
        return self.__dict__ | {"_stored": None}


def read_image(path: str | Path, size: tuple[int, int]) -> Tensor:
    """Read an image as three channels of the given size.

    Gray, 1-bit, palette and 16-bit images become three channels; of 16 bits the upper eight are
    kept, and transparency is dropped. The EXIF orientation is not applied, as in the code of the
    published baselines.

    Args:
        path: an image that Pillow reads.
        size: (height, width) in pixels, each at least 1.

    Returns:
        [3, height, width] uint8, resized bilinearly with antialiasing.

    Raises:
        ValueError: for a file that is missing, damaged or not an image; names the path.
    """
    _check_size(size)
    return _planes(_read_pixels(Path(path), size))


def open_image(path: str | Path) -> Image.Image:
    """Read an image in its own size, converted to three channels as by `read_image`.

    Args:
        path: an image that Pillow reads.

    Returns:
        the image in mode RGB.

    Raises:
        ValueError: for a file that is missing, damaged or not an image; names the path.
    """
    try:
        with Image.open(path) as image:
            return _three_channels(image)
    except Exception as error:  # Pillow's decoders raise many types of errors
        raise ValueError(f"{path}: cannot be read as an image: {_reason(error)}") from error


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
    base = Path(root)
    with ThreadPoolExecutor(_THREADS) as pool:
        reasons = pool.map(lambda path: _fault(base / path), samples.paths)
        pairs = zip(progress(samples.paths), reasons, strict=True)
        return [(path, reason) for path, reason in pairs if reason]


def require_images(samples: Samples, root: str | Path) -> None:
    """Raise for samples with images that cannot be read, before work on them begins.

    Args:
        samples: images to check.
        root: folder that the paths are relative to.

    Raises:
        ValueError: for images that cannot be read, with their number and the first ten paths
            and reasons.
    """
    bad = check_images(samples, root)
    if bad:
        shown = "\n".join(f"  {path}: {reason}" for path, reason in bad[:10])
        more = f"\n  and {len(bad) - 10} more" if len(bad) > 10 else ""
        raise ValueError(
            f"{len(bad)} of {len(samples)} images below {root} cannot be read; restore them or "
            f"remove them from the lists:\n{shown}{more}"
        )


def _check_size(size: tuple[int, int]) -> None:
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"size must be (height, width), each at least 1, got {size!r}")


def _planes(pixels: Pixels) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).contiguous()


def _read_pixels(path: Path, size: tuple[int, int]) -> Pixels:
    """Read as [H, W, 3]."""
    return np.array(open_image(path).resize(size[::-1], Image.Resampling.BILINEAR))


def _three_channels(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):  # Pillow clips 16 bits at 255 instead of scaling them
        gray = np.clip(np.asarray(image), 0, 65535).astype(np.uint16) >> 8
        return Image.fromarray(gray.astype(np.uint8)).convert("RGB")
    # A palette's transparency has to become a channel before it can be dropped.
    return (image.convert("RGBA") if image.mode == "P" else image).convert("RGB")


def _fault(path: Path) -> str:
    """The reason why an image cannot be read; empty for a good image."""
    try:
        with Image.open(path) as image:
            image.load()
    except Exception as error:
        return _reason(error)
    return ""


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return "not an image" if isinstance(error, UnidentifiedImageError) else str(error)


def _fingerprint(samples: Samples, root: Path, size: tuple[int, int]) -> str:
    """Hash what the cached pixels depend on; a file's size and time represent its content."""
    digest = hashlib.sha256(json.dumps([str(root.resolve()), *size]).encode())
    for path in samples.paths:
        try:
            state = (root / path).stat()
        except OSError as error:
            raise ValueError(f"{root / path}: expected an image: {error.strerror}") from error
        digest.update(json.dumps([path, state.st_size, state.st_mtime_ns]).encode())
    return digest.hexdigest()[:32]


def _open_or_build(file: Path, samples: Samples, root: Path, size: tuple[int, int]) -> Pixels:
    shape = (len(samples), *size, 3)
    try:
        return _open(file, shape)
    except (OSError, ValueError):  # missing or damaged: both are built again
        _build(file, samples, root, size)
    return _open(file, shape)


def _open(file: Path, shape: tuple[int, ...]) -> Pixels:
    stored: Pixels = np.lib.format.open_memmap(file, mode="r")  # refuses pickled objects
    if stored.shape != shape or stored.dtype != np.uint8:
        raise ValueError(
            f"{file}: expected uint8 {shape}, got {stored.dtype} {stored.shape}: delete the file"
        )
    return stored


def _build(file: Path, samples: Samples, root: Path, size: tuple[int, int]) -> None:
    """Build the file of pixels; of several processes the last one to rename its file wins."""
    with atomic_write(file) as temporary:
        store = np.lib.format.open_memmap(
            temporary, mode="w+", dtype=np.uint8, shape=(len(samples), *size, 3)
        )

        def put(row: int) -> None:
            store[row] = _read_pixels(root / samples.paths[row], size)

        with ThreadPoolExecutor(_THREADS) as pool:
            for _ in pool.map(put, range(len(samples))):
                pass  # an error in a row is raised here and cancels the remaining rows
        store.flush()
