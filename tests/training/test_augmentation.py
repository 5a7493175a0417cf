"""Augmentation: what each step does to pixels, and that all draws follow from the seed."""

import random

import numpy as np
import pytest
import torch

from simgraph.training import TestTransform, TrainAugmentation

SIZE = (24, 12)
PLAIN = {"pad": 0, "flip": 0.0, "erase": 0.0}
MEAN = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
STD = torch.tensor([0.229, 0.224, 0.225])[:, None, None]


def batch(count=16, seed=0):
    """Random images, all values above 0, so that padding and erasing show."""
    generator = torch.Generator().manual_seed(seed)
    images = torch.randint(1, 256, (count, 3, *SIZE), generator=generator, dtype=torch.uint8)
    return images, torch.arange(count) % 2 == 1


def augment(seed=0, images=None, **options):
    given, infrared = batch()
    return TrainAugmentation(SIZE, **(PLAIN | options))(
        given if images is None else images, infrared, seed
    )


def pixels(x):
    """Network input back to uint8."""
    return ((x * STD + MEAN) * 255).round().to(torch.uint8)


def test_the_test_transform_normalizes():
    images, _ = batch()
    x = TestTransform(SIZE)(images)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, (images / 255 - MEAN) / STD)
    assert torch.equal(pixels(x), images)


def test_without_options_training_sees_the_same():
    images, _ = batch()
    assert torch.equal(augment(), TestTransform(SIZE)(images))


ALL = {"pad": 4, "flip": 0.5, "erase": 0.5, "channel_exchange": True}


@pytest.mark.parametrize("option", [*ALL, "all"])
def test_the_seed_decides(option):
    options = ALL if option == "all" else {option: ALL[option]}
    first = augment(seed=1, **options)
    assert torch.equal(augment(seed=1, **options), first)
    assert not torch.equal(augment(seed=2, **options), first)


def test_no_global_generator_is_touched():
    torch.manual_seed(0), np.random.seed(0), random.seed(0)  # noqa: NPY002
    before = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    augment(seed=9, **ALL)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()  # noqa: NPY002
    assert random.getstate() == before[2]


def test_one_object_draws_the_same_whatever_came_before():
    images, infrared = batch()
    vary = TrainAugmentation(SIZE, **ALL)
    first = vary(images, infrared, 5)
    vary(images[:3], infrared[:3], 6)
    assert torch.equal(vary(images, infrared, 5), first)


def test_inputs_stay_and_values_keep_their_range():
    images, infrared = batch()
    before = images.clone()
    x = TrainAugmentation(SIZE, **ALL)(images, infrared, 0)
    assert x.shape == images.shape and x.dtype == torch.float32
    assert torch.equal(images, before)
    low, high = (0 - MEAN) / STD, (1 - MEAN) / STD
    assert (x >= low - 1e-6).all() and (x <= high + 1e-6).all()


def test_crops_are_shifts_over_black():
    images, _ = batch()
    found = pixels(augment(pad=4))
    padded = torch.nn.functional.pad(images, [4] * 4)
    places = set()
    for i in range(len(images)):
        fits = [
            (y, x)
            for y in range(9)
            for x in range(9)
            if torch.equal(found[i], padded[i, :, y : y + SIZE[0], x : x + SIZE[1]])
        ]
        assert len(fits) == 1
        places.update(fits)
    assert len(places) > 8


def test_flips_are_exact():
    images, _ = batch()
    kept, turned = TestTransform(SIZE)(images), TestTransform(SIZE)(images.flip(3))
    assert torch.equal(augment(flip=1.0), turned)
    found = augment(flip=0.5)
    which = [torch.equal(found[i], turned[i]) for i in range(16)]
    assert all(w or torch.equal(found[i], kept[i]) for i, w in enumerate(which))
    assert 0 < sum(which) < 16


def test_erasing_sets_one_rectangle_to_the_mean_color():
    images, _ = batch()
    plain = TestTransform(SIZE)(images)
    found = augment(erase=1.0)
    area = SIZE[0] * SIZE[1]
    for i in range(16):
        gone = (found[i] == 0).all(0)
        rows, columns = gone.any(1).nonzero(), gone.any(0).nonzero()
        height, width = (int(side.max() - side.min()) + 1 for side in (rows, columns))
        assert gone.sum() == height * width, "one full rectangle"
        assert 0.01 * area < height * width < 0.45 * area
        assert torch.equal(found[i][:, ~gone], plain[i][:, ~gone])
    half = (augment(erase=0.5) != plain).flatten(1).any(1)
    assert 0 < half.sum() < 16


@pytest.mark.parametrize("gray", [False, True])
def test_channel_exchange_leaves_infrared_alone_and_visible_with_one_channel(gray):
    images, infrared = batch(400)
    vary = TrainAugmentation(SIZE, **PLAIN, channel_exchange=True, exchange_gray=gray)
    found = pixels(vary(images, infrared, 0))
    assert torch.equal(found[infrared], images[infrared])
    weights = torch.tensor([0.299, 0.587, 0.114])[:, None, None]
    names = []
    for new, old in zip(found[~infrared], images[~infrared], strict=True):
        if torch.equal(new, old):
            names.append("kept")
            continue
        assert torch.equal(new[0], new[1]) and torch.equal(new[0], new[2])
        same = [str(c) for c in range(3) if torch.equal(new[0], old[c])]
        if not same:
            assert (new[0] - (weights * old).sum(0)).abs().max() <= 0.51
        names.append(same[0] if same else "gray")
    times = {name: names.count(name) for name in names}
    assert set(times) == {"kept", "0", "1", "2"} | ({"gray"} if gray else set())
    assert 75 <= times.pop("kept") <= 125
    assert min(times.values()) > (10 if gray else 18)


def test_of_three_equal_channels_exchange_leaves_the_same():
    images, _ = batch()
    gray = images[:, :1].expand(-1, 3, -1, -1)
    found = augment(images=gray, channel_exchange=True)
    assert torch.equal(found, TestTransform(SIZE)(gray))


@pytest.mark.parametrize(
    "bad",
    [
        torch.zeros(2, 3, *SIZE),
        torch.zeros(2, 3, 24, 13, dtype=torch.uint8),
        torch.zeros(2, 1, *SIZE, dtype=torch.uint8),
        torch.zeros(3, *SIZE, dtype=torch.uint8),
    ],
)
def test_other_images_are_refused(bad):
    with pytest.raises(ValueError, match=r"expected uint8 \[B, 3, 24, 12\]"):
        TestTransform(SIZE)(bad)
    with pytest.raises(ValueError, match=r"expected uint8 \[B, 3, 24, 12\]"):
        TrainAugmentation(SIZE)(bad, torch.zeros(len(bad), dtype=torch.bool), 0)


def test_other_masks_and_seeds_are_refused():
    images, infrared = batch()
    vary = TrainAugmentation(SIZE)
    for mask in (infrared[:3], infrared.long()):
        with pytest.raises(ValueError, match="infrared: expected one bool per image"):
            vary(images, mask, 0)
    with pytest.raises(ValueError, match="seed"):
        vary(images, infrared, -1)


@pytest.mark.parametrize(
    "options", [{"size": (3,)}, {"size": (0, 3)}, {"pad": -1}, {"flip": 1.5}, {"erase": -0.1}]
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        TrainAugmentation(**({"size": SIZE} | options))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_draws_are_the_same_on_a_gpu():
    images, infrared = batch()
    vary = TrainAugmentation(SIZE, **ALL)
    state = torch.cuda.get_rng_state()
    found = vary(images.cuda(), infrared.cuda(), 3)
    assert found.is_cuda and torch.equal(torch.cuda.get_rng_state(), state)
    torch.testing.assert_close(found.cpu(), vary(images, infrared, 3))
