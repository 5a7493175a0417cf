"""Backgrounds: of the asked size, the same for the same seed, and gray in infrared."""

import numpy as np
import pytest

from simgraph.synthetic.pedestrians.scenes import _PLACES, scene

SIZE = (64, 32)


@pytest.mark.parametrize("name", _PLACES)
def test_a_scene_is_wider_and_higher_than_a_picture(name: str) -> None:
    painted = scene(name, False, 3, SIZE)  # type: ignore[arg-type]
    assert painted.mode == "RGB" and painted.size == (4 * 32, round(1.15 * 64))
    assert np.asarray(painted).std() > 15


@pytest.mark.parametrize("name", _PLACES)
def test_infrared_scenes_are_gray_and_visible_ones_are_not(name: str) -> None:
    spread = [
        int(np.ptp(np.asarray(scene(name, infrared, 3, SIZE)).astype(int), axis=2).max())  # type: ignore[arg-type]
        for infrared in (True, False)
    ]
    assert spread[0] == 0 and spread[1] > 20


def test_the_seed_decides() -> None:
    first = scene("garden", False, 1, SIZE).tobytes()
    scene.cache_clear()
    assert scene("garden", False, 1, SIZE).tobytes() == first
    assert scene("garden", False, 2, SIZE).tobytes() != first


def test_infrared_brightens_leaves_against_the_sky() -> None:
    sky_less_lawn = []
    for infrared in (False, True):
        painted = np.asarray(scene("garden", infrared, 5, (128, 64)).convert("L"), float)
        sky_less_lawn.append(painted[:6].mean() - painted[92:100].mean())
    assert sky_less_lawn[1] < 0.5 * sky_less_lawn[0]
