"""Pictures: they depend on their arguments only, and identities differ."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from simgraph.datasets import regdb, sysu_mm01
from simgraph.synthetic.pedestrians.cameras import REGDB, SYSU_MM01
from simgraph.synthetic.pedestrians.looks import draw_looks
from simgraph.synthetic.pedestrians.render import render


def test_infrared_images_are_gray_and_visible_ones_are_not(sysu: Path, reg: Path) -> None:
    for root, sides in ((sysu, sysu_mm01.load_train(sysu)), (reg, regdb.load_train(reg))):
        for samples, gray in zip(sides, (False, True), strict=True):
            for path in samples.paths:
                with Image.open(root / path) as image:
                    pixels = np.asarray(image.convert("RGB"), dtype=int)
                assert pixels.shape == (64, 32, 3)
                assert (np.ptp(pixels, axis=2).max() <= 2) == gray


def test_an_image_depends_on_nothing_drawn_before(sysu: Path) -> None:
    alone = render(3, 9, SYSU_MM01[4], 2, (64, 32))
    for pid in range(1, 4):
        render(3, pid, SYSU_MM01[4], 1, (64, 32))
    assert render(3, 9, SYSU_MM01[4], 2, (64, 32)).tobytes() == alone.tobytes()
    assert render(4, 9, SYSU_MM01[4], 2, (64, 32)).tobytes() != alone.tobytes()


def test_printed_stripes_vanish_in_infrared_and_woven_ones_stay() -> None:
    striped = [
        (pid, look)
        for pid in range(1, 1500)
        if (look := draw_looks(0, pid)).upper.pattern == "stripes"
        and look.upper.cut == "shirt"
        and look.bag == "none"
    ]

    def ripple(pid: int, camera: int) -> float:
        """Strength of the stripes: what the chest's rows hold beyond a smooth change."""
        image = np.asarray(render(0, pid, SYSU_MM01[camera], 1, (144, 72)).convert("L"), float)
        rows = image[48:74, 32:40].mean(axis=1)
        fit = np.polyval(np.polyfit(np.arange(len(rows)), rows, 2), np.arange(len(rows)))
        return float(np.std(rows - fit))

    same = [p for p, x in striped if x.upper.fabric.infrared == x.upper.second.infrared]
    two = [p for p, x in striped if abs(x.upper.fabric.infrared - x.upper.second.infrared) > 0.3]
    printed, woven = (np.median([ripple(p, 3) for p in group[:9]]) for group in (same, two))
    assert len(same) >= 5 and len(two) >= 5 and woven > 2 * printed


@pytest.mark.parametrize("camera", [*SYSU_MM01.values(), *REGDB.values()], ids=lambda c: c.number)
def test_images_of_one_identity_and_camera_are_more_alike(camera: object) -> None:
    pids, images = range(1, 13), range(1, 5)
    pixels = np.array(
        [
            np.asarray(render(0, p, camera, n, (64, 32)).resize((8, 16), 4), float).ravel()  # type: ignore[arg-type]
            for p in pids
            for n in images
        ]
    )
    distance = np.linalg.norm(pixels[:, None] - pixels[None], axis=2)
    who = np.repeat(np.arange(len(pids)), len(images))
    same = (who[:, None] == who[None]) & ~np.eye(len(who), dtype=bool)
    others = who[:, None] != who[None]
    assert distance[same].mean() < 0.85 * distance[others].mean()
