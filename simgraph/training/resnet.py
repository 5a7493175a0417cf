"""ResNet-18 and ResNet-50 without their classifier, with torchvision's parameter names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias, get_args

from torch import Tensor, nn
from torch.nn import functional as F

from simgraph._params import require_int

Arch: TypeAlias = Literal["resnet18", "resnet50"]

BASE_WIDTH = 64
"""Channels of the first stage in torchvision's networks."""
# The parameters of a torchvision checkpoint that are not part of the trunk.
_HEAD = frozenset({"fc.weight", "fc.bias"})


class BasicBlock(nn.Module):
    """Two 3×3 convolutions with a shortcut, as in ResNet-18."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, width, 3, stride)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = _shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in_channels, h, w] to [B, width, h / stride, w / stride]."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        return F.relu(y + self.downsample(x), inplace=True)


class Bottleneck(nn.Module):
    """1×1, 3×3 and 1×1 convolutions with a shortcut, as in ResNet-50.

    The stride is on the 3×3 convolution, as in torchvision's checkpoints (He et al. have it on
    the first 1×1).
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int) -> None:
        super().__init__()
        out_channels = width * self.expansion
        self.conv1 = _conv(in_channels, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = _conv(width, out_channels, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.downsample = _shortcut(in_channels, out_channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in_channels, h, w] to [B, 4 · width, h / stride, w / stride]."""
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        return F.relu(y + self.downsample(x), inplace=True)


_BLOCKS: dict[str, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, ...]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}


class Stem(nn.Module):
    """First convolution, normalization and pooling, to a quarter of the height and width.

    Args:
        in_channels: channels of the image.
        base_width: C, channels of the result.
    """

    def __init__(self, in_channels: int = 3, base_width: int = BASE_WIDTH) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, base_width, 7, stride=2)
        self.bn1 = nn.BatchNorm2d(base_width)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, in_channels, H, W] to [B, C, H / 4, W / 4]."""
        x = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.max_pool2d(x, kernel_size=3, stride=2, padding=1)


class ResNet(Stem):
    """A residual network without its classifier, from images to feature maps.

    Names of `state_dict()` are those of torchvision's model without `fc`, and so are its shapes
    for a base width of 64. The class is
    a `Stem` with four stages because torchvision names the stem's layers at the same level as the
    stages. Random weights are drawn from torch's global generator.

    Args:
        arch: "resnet18" or "resnet50".
        last_stride: stride of layer4, 1 or 2; 1 gives twice the height and width (Luo et al.).
        in_channels: channels of the image.
        base_width: C >= 1, channels of the stem and the first stage; the later stages have 2C, 4C
            and 8C (four times as many in ResNet-50, but for the stem). 64 is ResNet's own.

    Raises:
        ValueError: for another arch or last_stride, or a base_width below 1.

    Source: He et al., CVPR 2016; Luo et al., CVPR Workshops 2019 (last stride).
    """

    def __init__(
        self,
        arch: Arch = "resnet50",
        last_stride: int = 1,
        in_channels: int = 3,
        base_width: int = BASE_WIDTH,
    ) -> None:
        require_int("base_width", base_width, 1)
        super().__init__(in_channels, base_width)
        if arch not in _BLOCKS:
            raise ValueError(f"arch: expected one of {list(get_args(Arch))}, got {arch!r}")
        if last_stride not in (1, 2):
            raise ValueError(f"last_stride: expected 1 or 2, got {last_stride!r}")
        block, depths = _BLOCKS[arch]
        self.arch, self.base_width = arch, base_width
        c, e = base_width, block.expansion
        self.out_channels = 8 * c * e
        self.layer1 = _stage(block, c, c, depths[0], stride=1)
        self.layer2 = _stage(block, c * e, 2 * c, depths[1], stride=2)
        self.layer3 = _stage(block, 2 * c * e, 4 * c, depths[2], stride=2)
        self.layer4 = _stage(block, 4 * c * e, 8 * c, depths[3], stride=last_stride)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def blocks(self) -> Iterator[tuple[str, nn.Module]]:
        """The residual blocks in order, with names such as "layer1.0"."""
        for stage in ("layer1", "layer2", "layer3", "layer4"):
            for name, block in self.get_submodule(stage).named_children():
                yield f"{stage}.{name}", block

    def stem(self, x: Tensor) -> Tensor:
        """Map [B, in_channels, H, W] to [B, C, H / 4, W / 4]."""
        return super().forward(x)

    def forward(self, x: Tensor) -> Tensor:
        """Feature maps of images.

        Args:
            x: images [B, in_channels, H, W].

        Returns:
            [B, out_channels, H / s, W / s], s = 16 · last_stride.
        """
        x = self.stem(x)
        for _, block in self.blocks():
            x = block(x)
        return x

    def load_torchvision(self, state: Mapping[str, Tensor]) -> None:
        """Copy the weights of a torchvision checkpoint; only `fc` is left out.

        Args:
            state: torchvision's names to tensors.

        Raises:
            ValueError: for a name that is missing or unknown, or another shape; nothing is copied.
        """
        given = {name: value for name, value in state.items() if name not in _HEAD}
        _require_same_names(self.arch, self.state_dict(), given)
        # Old checkpoints have no num_batches_tracked; torch adds it to a plain dict.
        self.load_state_dict(dict(given), strict=True)


def _conv(in_channels: int, out_channels: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, size, stride, padding=size // 2, bias=False)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """A projection where the shape changes, otherwise the identity, which has no parameters."""
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return nn.Sequential(_conv(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))


def _stage(
    block: type[BasicBlock] | type[Bottleneck],
    in_channels: int,
    width: int,
    depth: int,
    stride: int,
) -> nn.Sequential:
    rest = [block(width * block.expansion, width, 1) for _ in range(depth - 1)]
    return nn.Sequential(block(in_channels, width, stride), *rest)


def _require_same_names(
    arch: str, expected: Mapping[str, Tensor], given: Mapping[str, Tensor]
) -> None:
    needed = {name for name in expected if not name.endswith("num_batches_tracked")}
    missing = sorted(needed - given.keys())
    unknown = sorted(given.keys() - expected.keys())
    other = [
        f"{name} {list(given[name].shape)} in place of {list(expected[name].shape)}"
        for name in expected
        if name in given and given[name].shape != expected[name].shape
    ]
    faults = (("missing", missing), ("unknown", unknown), ("of another shape", other))
    found = [f"{len(names)} {what} (such as {names[0]})" for what, names in faults if names]
    if found:
        raise ValueError(
            f"expected the weights of torchvision's {arch}, got a checkpoint with "
            f"{', '.join(found)}; is it of another architecture?"
        )
