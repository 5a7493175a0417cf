"""A contact sheet with example images of a set in SYSU-MM01's layout."""

from __future__ import annotations

from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

from simgraph._files import atomic_write
from simgraph.datasets.image_lists import list_images
from simgraph.synthetic.pedestrians.cameras import SYSU_MM01

__all__ = ["contact_sheet"]

_CELL, _GAP, _TOP = (144, 72), 3, 14
_BITS = 5  # per channel: the last bits are sensor noise, which only makes files larger


def contact_sheet(root: str | Path, path: str | Path, identities: int = 8) -> Path:
    """Write a picture with one row per identity and one column per camera.

    Args:
        root: a set in the layout of SYSU-MM01, such as one by `draw_sysu_mm01`.
        path: the PNG file to write.
        identities: number of rows, at least 1; fewer if the set has fewer.

    Returns:
        `path`.

    Raises:
        ValueError: for `identities` below 1.
        FileNotFoundError: for a `root` without identity folders.
    """
    if identities < 1:
        raise ValueError(f"identities must be at least 1, got {identities}")
    root, path = Path(root), Path(path)
    names = sorted({folder.name for folder in root.glob("cam[1-6]/[0-9]*") if folder.is_dir()})
    if not names:
        raise FileNotFoundError(f"expected folders such as {root / 'cam1' / '0001'}")
    names = names[:identities]
    height, width = _CELL
    shape = (len(SYSU_MM01) * (width + _GAP) + _GAP, len(names) * (height + _GAP) + _TOP + _GAP)
    sheet = Image.new("RGB", shape, (255, 255, 255))
    text = ImageDraw.Draw(sheet)
    for column, (number, camera) in enumerate(SYSU_MM01.items()):
        x = _GAP + column * (width + _GAP)
        text.text((x + 2, 1), f"{number} {camera.light}", fill=(40, 40, 40), font_size=10)
        for row, name in enumerate(names):
            for file in list_images(root / f"cam{number}" / name)[:1]:
                with Image.open(file) as image:
                    cell = image.convert("RGB").resize((width, height), Image.Resampling.BICUBIC)
                sheet.paste(cell, (x, _TOP + row * (height + _GAP)))
    with atomic_write(path) as temporary:
        ImageOps.posterize(sheet, _BITS).save(temporary, "PNG", optimize=True)
    return path
