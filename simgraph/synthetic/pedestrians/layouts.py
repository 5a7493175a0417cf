"""Synthetic pedestrians on disk, in the layouts of SYSU-MM01 and RegDB."""

from __future__ import annotations

import multiprocessing
import shutil
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from uuid import uuid4

import numpy as np
from scipy.io import savemat

from simgraph._progress import Track, no_progress
from simgraph.datasets.synthetic_marker import NOTE, write_note
from simgraph.synthetic.pedestrians.cameras import REGDB, SYSU_MM01
from simgraph.synthetic.pedestrians.render import render

__all__ = ["draw_regdb", "draw_sysu_mm01"]

Size = tuple[int, int]

_TITLE = "Synthetic pedestrians, drawn by simgraph.synthetic.pedestrians."
_OWN = "Synthetic pedestrians, drawn by simgraph."  # of sets from earlier versions, too
_TRIALS = 10
_CONTENTS = {
    "sysu_mm01": {NOTE, "exp", *(f"cam{number}" for number in SYSU_MM01)},
    "regdb": {NOTE, "idx", "Visible", "Thermal"},
}


def draw_sysu_mm01(
    root: str | Path,
    seed: int = 0,
    train_ids: int = 320,
    test_ids: int = 40,
    images_per_camera: int = 3,
    size: Size = (144, 72),
    workers: int = 2,
    track: Track = no_progress,
    clear: bool = False,
) -> Path:
    """Draw a synthetic set of pedestrians in the layout of SYSU-MM01.

    Nothing here is real: scores on it are not benchmark results. Every identity has images in all
    six cameras, of which 3 and 6 are infrared. A quarter of the training identities, at least
    one, form the val split. `sysu_mm01.load_train` and `load_test` read the set.

    More than one worker starts new interpreters, so a script must call this below
    `if __name__ == "__main__":`.

    Args:
        root: folder to create; a folder that an earlier call created, and that contains nothing
            else, is replaced.
        seed: the set depends on it, not on the number of workers; the images of an identity
            depend only on seed, number and size.
        train_ids: training identities, including those of val, at least 2.
        test_ids: test identities, at least 1.
        images_per_camera: images per identity and camera, 1 to 9999.
        size: (height, width) in pixels, at least (32, 16).
        workers: number of processes; 1 draws in this one.
        track: shows progress over the identities.
        clear: identities that are easier to tell apart, by what both modalities show: body shapes
            vary more, most garments have a large pattern, and infrared shows every pattern. Its
            reflectances stay independent of the colors.

    Returns:
        `root`, with `cam1` … `cam6`, `exp` and `SYNTHETIC.txt`.

    Raises:
        ValueError: for an argument out of range, or a `root` that contains other files; nothing
            is changed then.
    """
    _at_least(train_ids=(train_ids, 2), test_ids=(test_ids, 1), workers=(workers, 1))
    _check_images(images_per_camera, size)
    rng = np.random.default_rng([seed, 4])
    ids = [int(i) + 1 for i in rng.permutation(max(533, train_ids + test_ids))]
    train, test = ids[:train_ids], ids[train_ids : train_ids + test_ids]
    val = max(1, train_ids // 4)
    splits = {"train": train[val:], "val": train[:val], "test": test}
    settings = {
        "layout": "sysu_mm01", "seed": seed, "train_ids": train_ids, "test_ids": test_ids,
        "images_per_camera": images_per_camera, "size": list(size),
        **({"clear": True} if clear else {}),
    }  # fmt: skip
    with _making(Path(root), "sysu_mm01", settings) as part:
        _write_exp(part / "exp", splits, images_per_camera, rng)
        draw = partial(_draw_sysu_identity, part, seed, images_per_camera, size, clear)
        _draw_all(draw, sorted(train + test), workers, track)
    return Path(root)


def draw_regdb(
    root: str | Path,
    seed: int = 0,
    ids: int = 100,
    images: int = 10,
    size: Size = (128, 64),
    workers: int = 2,
    track: Track = no_progress,
) -> Path:
    """Draw a synthetic set of pedestrians in the layout of RegDB.

    Nothing here is real: scores on it are not benchmark results. Each of ten splits divides the
    identities at random into two halves, train and test, labeled from 0 in each;
    `regdb.load_train` and `load_test` read them. Thermal images show the temperature of each
    part: skin is the warmest, and each garment is as warm as its cloth lets through.

    More than one worker starts new interpreters, so a script must call this below
    `if __name__ == "__main__":`.

    Args:
        root: folder to create; a folder that an earlier call created, and that contains nothing
            else, is replaced.
        seed: the set depends on it, not on the number of workers.
        ids: number of identities, even and at least 2.
        images: images per identity and modality, 1 to 9999.
        size: (height, width) in pixels, at least (32, 16).
        workers: number of processes; 1 draws in this one.
        track: shows progress over the identities.

    Returns:
        `root`, with `Visible`, `Thermal`, `idx` and `SYNTHETIC.txt`.

    Raises:
        ValueError: for an argument out of range, or a `root` that contains other files; nothing
            is changed then.
    """
    _at_least(ids=(ids, 2), workers=(workers, 1))
    _check_images(images, size)
    if ids % 2:
        raise ValueError(f"ids must be even, one half trains and one half tests, got {ids}")
    settings = {"layout": "regdb", "seed": seed, "ids": ids, "images": images, "size": list(size)}
    with _making(Path(root), "regdb", settings) as part:
        _write_idx(part / "idx", ids, images, np.random.default_rng([seed, 5]))
        draw = partial(_draw_regdb_identity, part, seed, images, size)
        _draw_all(draw, range(1, ids + 1), workers, track)
    return Path(root)


def _at_least(**limits: tuple[int, int]) -> None:
    for name, (value, least) in limits.items():
        if value < least:
            raise ValueError(f"{name} must be at least {least}, got {value}")


def _check_images(images: int, size: Size) -> None:
    if not 1 <= images <= 9999:
        raise ValueError(f"images per identity and camera must be 1 to 9999, got {images}")
    if len(size) != 2 or size[0] < 32 or size[1] < 16:
        raise ValueError(f"size must be (height, width) of at least (32, 16), got {size!r}")


@contextmanager
def _making(root: Path, layout: str, settings: dict[str, object]) -> Iterator[Path]:
    """Create a folder next to root, and rename it to root when everything is drawn."""
    root = root.resolve()
    _check_replaceable(root, _CONTENTS[layout])
    root.parent.mkdir(parents=True, exist_ok=True)
    part, old = (root.with_name(f".{root.name}.{uuid4().hex}") for _ in range(2))
    part.mkdir()
    try:
        write_note(part, _TITLE, settings)
        yield part
        if root.exists():
            root.rename(old)
        part.rename(root)
    finally:
        for leftover in (part, old):
            shutil.rmtree(leftover, ignore_errors=True)


def _check_replaceable(root: Path, contents: set[str]) -> None:
    """Raise for a folder with files that were not drawn here, which would be deleted."""
    if not root.exists():
        return
    if not root.is_dir():
        raise ValueError(f"{root}: expected a folder or nothing, got a file")
    names = {entry.name for entry in root.iterdir()}
    if not names:
        return
    note = root / NOTE
    ours = note.is_file() and note.read_text(encoding="utf-8").startswith(_OWN)
    if not ours or names - contents:
        other = sorted(names - contents) or sorted(names)
        raise ValueError(
            f"{root}: expected a new folder or one of an earlier synthetic set, it holds "
            f"{', '.join(other[:5])}: choose another folder or move these files away"
        )


def _draw_all(draw: Callable[[int], None], ids: Sequence[int], workers: int, track: Track) -> None:
    if workers == 1:
        for pid in track(ids, len(ids), "identity"):
            draw(pid)
        return
    # Forked processes may inherit locks held by torch's threads; new interpreters do not.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        done = [pool.submit(draw, pid) for pid in ids]
        try:
            for _, future in zip(track(ids, len(ids), "identity"), done, strict=True):
                future.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _draw_sysu_identity(
    root: Path, seed: int, images: int, size: Size, clear: bool, pid: int
) -> None:
    for camera in SYSU_MM01.values():
        folder = root / f"cam{camera.number}" / f"{pid:04d}"
        folder.mkdir(parents=True)
        for number in range(1, images + 1):
            picture = render(seed, pid, camera, number, size, clear)
            picture.save(folder / f"{number:04d}.jpg", quality=85)


def _draw_regdb_identity(root: Path, seed: int, images: int, size: Size, pid: int) -> None:
    for modality, camera in REGDB.items():
        for number in range(1, images + 1):
            file = root / _regdb_path(modality, pid, number)
            file.parent.mkdir(parents=True, exist_ok=True)
            render(seed, pid, camera, number, size).save(file)


def _regdb_path(modality: str, pid: int, number: int) -> str:
    return f"{modality.capitalize()}/{pid}/synthetic_{modality[0]}_{number:05d}_{pid}.bmp"


def _write_exp(
    exp: Path, splits: dict[str, list[int]], images: int, rng: np.random.Generator
) -> None:
    """Write the identities of each split, and the order of each folder's images in ten trials."""
    exp.mkdir()
    for split, ids in splits.items():
        text = ",".join(map(str, sorted(ids))) + "\n"
        (exp / f"{split}_id.txt").write_text(text, encoding="utf-8")
    shown = set(chain.from_iterable(splits.values()))
    numbers = np.arange(1, images + 1, dtype=np.uint8 if images < 256 else np.uint16)
    cells = np.empty((len(SYSU_MM01), 1), dtype=object)
    for row in range(len(cells)):
        cells[row, 0] = cell = np.empty((max(shown), 1), dtype=object)
        for pid in range(1, max(shown) + 1):
            seen = numbers if pid in shown else numbers[:0]
            cell[pid - 1, 0] = rng.permuted(np.tile(seen, (_TRIALS, 1)), axis=1)
    file = exp / "rand_perm_cam.mat"
    savemat(file, {"rand_perm_cam": cells}, do_compression=True)
    # scipy writes the time into the first 116 bytes, which are free text. A fixed text gives the
    # same set the same bytes.
    header = b"MATLAB 5.0 MAT-file, synthetic, by simgraph"
    file.write_bytes(header.ljust(116) + file.read_bytes()[116:])


def _write_idx(idx: Path, ids: int, images: int, rng: np.random.Generator) -> None:
    """Write the lists of the ten splits, lines `path label`."""
    idx.mkdir()
    for trial in range(1, _TRIALS + 1):
        order = rng.permutation(ids) + 1
        for split, half in (("train", order[: ids // 2]), ("test", order[ids // 2 :])):
            for modality in REGDB:
                lines = [
                    f"{_regdb_path(modality, int(pid), number)} {label}\n"
                    for label, pid in enumerate(half)
                    for number in range(1, images + 1)
                ]
                file = idx / f"{split}_{modality}_{trial}.txt"
                file.write_text("".join(lines), encoding="utf-8")
