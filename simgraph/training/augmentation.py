"""From batches of stored images to network input: normalised, and for training varied."""

from __future__ import annotations

import torch
from kornia.augmentation import RandomCrop, RandomErasing, RandomHorizontalFlip
from torch import Tensor

from simgraph._params import require_fraction, require_int

# Mean and deviation of ImageNet's red, green and blue in [0, 1], as torchvision's weights expect.
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)


class TestTransform:
    r"""Network input of a batch as it is.

    $$x = (u / 255 - \mu) / \sigma$$

    Args:
        size: (H, W) in pixels of every image.

    Raises:
        ValueError: if size is not two positive integers.
    """

    __test__ = False  # the name starts with "Test": pytest is not to collect it

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = _checked_size(size)

    def __call__(self, images: Tensor) -> Tensor:
        """Normalise images.

        Args:
            images: [B, 3, H, W] uint8, on any device.

        Returns:
            [B, 3, H, W] float32 on the same device.

        Raises:
            ValueError: for another shape or type.
        """
        _check_images(images, self.size)
        return _normalize(images.float() / 255)


class TrainAugmentation:
    r"""Network input of a training batch: channel exchange, pad and crop, flip, erase.

    In this order: visible images may lose their colour (`channel_exchange`); each image is
    padded with black and cropped back to its size at a random place; flipped left to right;
    normalised as by `TestTransform`; and a random rectangle, 2 to 40 % of the area at a height
    0.3 to 3.33 times the width, is set to 0, which is ImageNet's mean colour.

    Every draw follows from the call's seed, and the same values are drawn on any device. Kornia
    takes no generator, so each call seeds torch's global CPU generator inside
    `torch.random.fork_rng`, which puts it back; no other global generator is touched. Images of a
    batch draw from one stream: an image in another place or batch size is varied differently.

    Args:
        size: (H, W) in pixels of every image.
        pad: pixels on each side, >= 0; 0 leaves the crop out.
        flip: probability in [0, 1] for each image.
        erase: probability in [0, 1] for each image.
        channel_exchange: with probability 1/2 a visible image's three channels are all replaced
            by one of its channels, each of them equally likely.
        exchange_grey: the image's grey version joins the three channels as an equal fourth.

    Raises:
        ValueError: for an option out of range.

    Source: Zhong et al., AAAI 2020 (erasing); Ye et al., ICCV 2021 (channel exchange).
    """

    def __init__(
        self,
        size: tuple[int, int],
        pad: int = 10,
        flip: float = 0.5,
        erase: float = 0.5,
        channel_exchange: bool = False,
        exchange_grey: bool = False,
    ) -> None:
        self.size = _checked_size(size)
        require_int("pad", pad, 0)
        require_fraction("flip", flip)
        require_fraction("erase", erase)
        self.channel_exchange, self.exchange_grey = channel_exchange, exchange_grey
        self._crop = RandomCrop(self.size, padding=pad) if pad else None
        self._flip = RandomHorizontalFlip(p=flip)
        self._erase = RandomErasing(scale=(0.02, 0.4), ratio=(0.3, 1 / 0.3), value=0.0, p=erase)

    def __call__(self, images: Tensor, infrared: Tensor, seed: int) -> Tensor:
        """Vary and normalise images.

        Args:
            images: [B, 3, H, W] uint8, on any device.
            infrared: [B] bool, which images are infrared.
            seed: of this call's draws, in [0, 2^63); a function of run, step and rank, so that a
                resumed run draws the same again.

        Returns:
            [B, 3, H, W] float32 on the device of the images.

        Raises:
            ValueError: for another shape or type.
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
            return self._vary(images.float() / 255, infrared)

    def _vary(self, x: Tensor, infrared: Tensor) -> Tensor:
        if self.channel_exchange:
            x = _exchange_channels(x, infrared, self.exchange_grey)
        if self._crop is not None:
            x = self._crop(x)
        x = self._flip(x)
        erased: Tensor = self._erase(_normalize(x))
        return erased


def _exchange_channels(x: Tensor, infrared: Tensor, grey: bool) -> Tensor:
    """Three copies of one channel in half of the visible images."""
    red, green, blue = x.unbind(1)
    sources = [red, green, blue]
    if grey:
        sources.append(0.299 * red + 0.587 * green + 0.114 * blue)
    # Drawn on the CPU and for every image, whatever its modality: the stream keeps its places.
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
