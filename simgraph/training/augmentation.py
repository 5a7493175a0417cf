"""From batches of stored images to network input: normalized, and augmented for training."""

from __future__ import annotations

import torch
from kornia.augmentation import RandomCrop, RandomErasing, RandomHorizontalFlip
from torch import Tensor

from simgraph._deprecation import renamed_arguments
from simgraph._params import require_fraction, require_int

# Mean and deviation of ImageNet's red, green and blue in [0, 1], as torchvision's weights expect.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class TestTransform:
    r"""Normalize a batch without augmentation.

    $$x = (u / 255 - \mu) / \sigma$$

    Args:
        size: (H, W) of the images, in pixels.

    Raises:
        ValueError: for a size that is not two positive integers.
    """

    __test__ = False  # pytest would collect the class by its name

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = _checked_size(size)

    def __call__(self, images: Tensor) -> Tensor:
        """Normalize images.

        Args:
            images: [B, 3, H, W] uint8, on any device.

        Returns:
            [B, 3, H, W] float32 on the same device.

        Raises:
            ValueError: for another shape or dtype.
        """
        _check_images(images, self.size)
        return _normalize(images.float() / 255)


class TrainAugmentation:
    r"""Augment and normalize a training batch: channel exchange, pad and crop, flip, erase.

    The steps, in this order:

    1. with `channel_exchange`, visible images may lose their colors;
    2. each image is padded with black and cropped to its size at a random position;
    3. each image may be flipped left to right;
    4. images are normalized as by `TestTransform`;
    5. a random rectangle may be set to 0, the mean color of ImageNet. It covers 2 to 40 % of the
       area, and its height is 0.3 to 3.33 times its width.

    All random numbers follow from the seed of the call and are the same on any device. Kornia
    takes no generator, so each call seeds torch's global CPU generator inside
    `torch.random.fork_rng`, which restores it; no other global generator is touched. The images
    of a batch draw from one stream: the same image is augmented differently at another position
    or batch size.

    Args:
        size: (H, W) of the images, in pixels.
        pad: pixels on each side, >= 0; 0 leaves out the crop.
        flip: probability in [0, 1], per image.
        erase: probability in [0, 1], per image.
        channel_exchange: with probability 1/2, replace the three channels of a visible image by
            copies of one of them, each equally likely.
        exchange_gray: the gray version of the image is a fourth choice, as likely as the others.

    Raises:
        ValueError: for an option out of range.

    Source: Zhong et al., AAAI 2020 (erasing); Ye et al., ICCV 2021 (channel exchange).
    """

    @renamed_arguments(exchange_grey="exchange_gray")
    def __init__(
        self,
        size: tuple[int, int],
        pad: int = 10,
        flip: float = 0.5,
        erase: float = 0.5,
        channel_exchange: bool = False,
        exchange_gray: bool = False,
    ) -> None:
        self.size = _checked_size(size)
        require_int("pad", pad, 0)
        require_fraction("flip", flip)
        require_fraction("erase", erase)
        self.channel_exchange, self.exchange_gray = channel_exchange, exchange_gray
        self._crop = RandomCrop(self.size, padding=pad) if pad else None
        self._flip = RandomHorizontalFlip(p=flip)
        self._erase = RandomErasing(scale=(0.02, 0.4), ratio=(0.3, 1 / 0.3), value=0.0, p=erase)

    def __call__(self, images: Tensor, infrared: Tensor, seed: int) -> Tensor:
        """Augment and normalize images.

        Args:
            images: [B, 3, H, W] uint8, on any device.
            infrared: [B] bool, which images are infrared.
            seed: of this call, in [0, 2^63). Derive it from run, step and rank, so that a resumed
                run draws the same numbers again.

        Returns:
            [B, 3, H, W] float32 on the device of the images.

        Raises:
            ValueError: for another shape or dtype.
        """
        _check_images(images, self.size)
        require_int("seed", seed, 0)
        if infrared.dtype != torch.bool or infrared.shape != images.shape[:1]:
            raise ValueError(
                f"infrared: expected one bool per image [{len(images)}], "
                f"got {infrared.dtype} {list(infrared.shape)}"
            )
        with torch.random.fork_rng(devices=[]):
            # Not torch.manual_seed: that would seed the accelerators' generators as well.
            torch.default_generator.manual_seed(seed)
            return self._augment(images.float() / 255, infrared)

    def _augment(self, x: Tensor, infrared: Tensor) -> Tensor:
        if self.channel_exchange:
            x = _exchange_channels(x, infrared, self.exchange_gray)
        if self._crop is not None:
            x = self._crop(x)
        x = self._flip(x)
        erased: Tensor = self._erase(_normalize(x))
        return erased


def _exchange_channels(x: Tensor, infrared: Tensor, gray: bool) -> Tensor:
    """Replace the channels of half of the visible images by three copies of one channel."""
    red, green, blue = x.unbind(1)
    sources = [red, green, blue]
    if gray:
        sources.append(0.299 * red + 0.587 * green + 0.114 * blue)
    # Drawn on the CPU and for every image of either modality, so that the positions in the
    # random stream do not depend on the batch's modalities.
    exchanged = torch.rand(len(x)) < 0.5
    channel = torch.randint(len(sources), (len(x),))
    rows = torch.arange(len(x), device=x.device)
    single = torch.stack(sources, dim=1)[rows, channel.to(x.device)]
    chosen = exchanged.to(x.device) & ~infrared.to(x.device)
    return torch.where(chosen[:, None, None, None], single[:, None], x)


def _normalize(x: Tensor) -> Tensor:
    mean, std = (x.new_tensor(values)[:, None, None] for values in (_MEAN, _STD))
    return (x - mean) / std


def _checked_size(size: tuple[int, int]) -> tuple[int, int]:
    if len(size) != 2:
        raise ValueError(f"size: expected (height, width) in pixels, got {size!r}")
    for name, value in zip(("height", "width"), size, strict=True):
        require_int(f"size: {name}", value, 1)
    return size[0], size[1]


def _check_images(images: Tensor, size: tuple[int, int]) -> None:
    expected = (3, *size)
    if images.dim() != 4 or images.shape[1:] != expected or images.dtype != torch.uint8:
        raise ValueError(
            f"images: expected uint8 [B, {', '.join(map(str, expected))}], got {images.dtype} "
            f"{list(images.shape)}; resize images when they are read"
        )
