"""The embedding network, from images of two modalities to one feature space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from simgraph._params import require_int
from simgraph.training.resnet import BASE_WIDTH, Arch, ResNet, Stem

StemKind: TypeAlias = Literal["one_stream", "two_stream"]

# AGW: the number of a stage's last blocks that a non-local block follows, and the divisor from
# the trunk's output channels to those of the stage.
_NON_LOCAL = {"layer2": (2, 4), "layer3": (3, 2)}


class Backbone(nn.Module):
    r"""ResNet, pooling, BNNeck and classifier, with the stems and options of the paper's networks.

    $$f = \text{pool}(\text{trunk}(x)), \qquad \hat f = \text{BN}(f), \qquad
      \text{logits} = W \hat f$$

    f is the input of metric losses, f̂ that of identity loss and retrieval. The BN's shift stays
    0, and W has no bias. Weights are random (torch's global generator) until
    `simgraph.training.load_imagenet` fills the trunk. In `state_dict()` the trunk has
    torchvision's names with the prefix `trunk.`, and the stem for infrared has them with the
    prefix `infrared_stem.`.

    Args:
        num_classes: C >= 1, number of training identities.
        arch: "resnet50" or "resnet18".
        stem: "one_stream" shares all weights; "two_stream" gives each modality its own conv1 and
            bn1. A stem without images in a batch gets no gradient from it.
        zero_padding: the network's input has two gray channels instead of three colors: visible
            images fill the first, infrared images the second, and the other is zero. One stream
            only.
        agw: non-local blocks after the last two blocks of layer2 and the last three of layer3
            (the two of ResNet-18, which has no more), and generalized-mean pooling.
        last_stride: stride of layer4, 1 or 2.
        base_width: channels of the first stage, see `ResNet`; 64 is ResNet's own, and that of
            weights trained on ImageNet.

    Raises:
        ValueError: for an option out of range, or zero_padding with two streams.

    Source: Luo et al., CVPR Workshops 2019 (BNNeck, last stride); Wu et al., ICCV 2017 (zero
    padding); Ye et al., TPAMI 2021 (AGW).
    """

    def __init__(
        self,
        num_classes: int,
        arch: Arch = "resnet50",
        stem: StemKind = "one_stream",
        zero_padding: bool = False,
        agw: bool = False,
        last_stride: int = 1,
        base_width: int = BASE_WIDTH,
    ) -> None:
        super().__init__()
        require_int("num_classes", num_classes, 1)
        if stem not in get_args(StemKind):
            raise ValueError(f"stem: expected one of {list(get_args(StemKind))}, got {stem!r}")
        if zero_padding and stem == "two_stream":
            raise ValueError(
                "zero_padding = True: expected stem = 'one_stream', got 'two_stream'; the padded "
                "channel already tells the stem which modality an image has"
            )
        self.zero_padding = zero_padding
        self.trunk = ResNet(arch, last_stride, 2 if zero_padding else 3, base_width)
        self.infrared_stem = _twin_stem(self.trunk) if stem == "two_stream" else None
        self.non_local = _non_local_blocks(self.trunk) if agw else nn.ModuleDict()
        self.pool: nn.Module = GeMPooling() if agw else nn.AdaptiveAvgPool2d(1)
        self.feature_dim = self.trunk.out_channels
        self.neck = nn.BatchNorm1d(self.feature_dim)
        self.neck.bias.requires_grad_(False)
        self.classifier = nn.Linear(self.feature_dim, num_classes, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, x: Tensor, infrared: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Compute the features, and in training mode the logits, of a batch of any modalities.

        Args:
            x: images [B, 3, H, W], floating, normalized by ImageNet's mean and deviation.
            infrared: [B], bool, which images are infrared. Keep it on the CPU: on a GPU, each
                call waits for it.

        Returns:
            in training mode f [B, D] before the BNNeck and logits [B, C]; in evaluation mode
            f̂ [B, D] after the BNNeck, the retrieval feature (not normalized to length 1).

        Raises:
            ValueError: for inputs of another shape or dtype.
        """
        _check_batch(x, infrared)
        features = self._features(x, infrared)
        normed: Tensor = self.neck(features)
        if not self.training:
            return normed
        return features, self.classifier(normed)

    def load_trunk(self, state: Mapping[str, Tensor]) -> None:
        """Fill the trunk from a torchvision checkpoint, and the stem for infrared from its conv1.

        With zero_padding, each of conv1's two channels is the sum over the three colors. Its
        response to a gray image is then that of the checkpoint's filter to three gray channels.

        Args:
            state: torchvision's names to tensors; `fc` is left out.

        Raises:
            ValueError: for a name that is missing or unknown, or another shape.
        """
        state = dict(state)
        conv1 = state.get("conv1.weight")
        if self.zero_padding and conv1 is not None and conv1.shape[1:2] == (3,):
            state["conv1.weight"] = conv1.sum(1, keepdim=True).expand(-1, 2, -1, -1).clone()
        self.trunk.load_torchvision(state)
        if self.infrared_stem is not None:
            self.infrared_stem.load_state_dict(_stem_state(self.trunk))

    def _features(self, x: Tensor, infrared: Tensor) -> Tensor:
        x = self._stem(x, infrared)
        for name, block in self.trunk.blocks():
            x = block(x)
            key = name.replace(".", "_")
            if key in self.non_local:
                x = self.non_local[key](x)
        pooled: Tensor = self.pool(x)
        return pooled.flatten(1)

    def _stem(self, x: Tensor, infrared: Tensor) -> Tensor:
        if self.zero_padding:
            return self.trunk.stem(_zero_padded(x, infrared))
        if self.infrared_stem is None:
            return self.trunk.stem(x)
        # A stem is not called without images: BatchNorm of an empty batch would make its running
        # statistics NaN.
        halves = ((~infrared, self.trunk.stem), (infrared, self.infrared_stem))
        rows = [(mask.nonzero().squeeze(1).to(x.device), stem) for mask, stem in halves]
        parts = [stem(x[index]) for index, stem in rows if len(index)]
        order = torch.cat([index for index, _ in rows]).argsort()
        return torch.cat(parts)[order]


class GeMPooling(nn.Module):
    r"""Generalized-mean pooling, between the mean (p = 1) and the maximum (p → ∞).

    $$f_c = \Big(\frac{1}{HW} \sum_{hw} \max(x_{chw}, \epsilon)^p\Big)^{1/p}$$

    Args:
        p: initial value of the learned exponent, > 0.
        eps: > 0, keeps the gradient finite where a map is 0.

    Source: Radenović et al., TPAMI 2019; Ye et al., TPAMI 2021.
    """

    def __init__(self, p: float = 3.0, eps: float = 1e-6) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.full((1,), p))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, D, h, w] to [B, D, 1, 1], in float32 or wider: cubes overflow half precision."""
        wide = x.to(torch.promote_types(x.dtype, self.p.dtype)).clamp(min=self.eps)
        return wide.pow(self.p).mean((2, 3), keepdim=True).pow(1 / self.p)


class NonLocalBlock(nn.Module):
    r"""Attention of every position to every other, by dot products over N = h · w positions.

    $$z_i = x_i + \text{BN}\Big(W \frac{1}{N} \sum_j (\theta x_i \cdot \phi x_j)\, g x_j\Big)$$

    The BN starts at scale 0, so that the block starts as the identity. θ, φ and g halve the
    channels, as in Wang et al.; AGW's released code leaves a single one.

    Args:
        channels: of the feature map.

    Source: Wang et al., CVPR 2018; Ye et al., TPAMI 2021.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(1, channels // 2)
        self.theta = nn.Conv2d(channels, inner, 1)
        self.phi = nn.Conv2d(channels, inner, 1)
        self.g = nn.Conv2d(channels, inner, 1)
        self.w = nn.Conv2d(inner, channels, 1)
        self.bn = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, channels, h, w] to the same shape."""
        theta, phi, g = (conv(x).flatten(2) for conv in (self.theta, self.phi, self.g))
        # Divided before the product, which could overflow in half precision.
        affinity = (theta / theta.shape[2]).transpose(1, 2) @ phi
        y = (g @ affinity.transpose(1, 2)).unflatten(2, x.shape[2:])
        added: Tensor = self.bn(self.w(y))
        return x + added


def _twin_stem(trunk: ResNet) -> Stem:
    """A stem for infrared with the initial weights of the visible one."""
    stem = Stem(base_width=trunk.base_width)
    stem.load_state_dict(_stem_state(trunk))
    return stem


def _stem_state(trunk: ResNet) -> dict[str, Tensor]:
    names = Stem().state_dict()
    return {name: value for name, value in trunk.state_dict().items() if name in names}


def _non_local_blocks(trunk: ResNet) -> nn.ModuleDict:
    """One after each of the last blocks of layer2 and layer3, by the block's name."""
    blocks = nn.ModuleDict()
    for stage, (depth, share) in _NON_LOCAL.items():
        names = [name for name, _ in trunk.blocks() if name.startswith(stage)]
        for name in names[-depth:]:
            # Module names may not hold a dot.
            blocks[name.replace(".", "_")] = NonLocalBlock(trunk.out_channels // share)
    return blocks


def _zero_padded(x: Tensor, infrared: Tensor) -> Tensor:
    """Map [B, 3, H, W] to two channels: gray and zeros, in reverse order for infrared."""
    red, green, blue = x.unbind(1)
    # ITU-R BT.601 luma, the weights of Pillow's mode "L" and most gray conversions.
    gray = 0.299 * red + 0.587 * green + 0.114 * blue
    mask = infrared.to(x.device)[:, None, None]
    return torch.stack([gray.masked_fill(mask, 0), gray.masked_fill(~mask, 0)], dim=1)


def _check_batch(x: Tensor, infrared: Tensor) -> None:
    if x.dim() != 4 or x.shape[0] == 0 or x.shape[1] != 3 or not x.is_floating_point():
        raise ValueError(f"x: expected floating images [B, 3, H, W], got {x.dtype} {list(x.shape)}")
    if infrared.dtype != torch.bool or infrared.shape != x.shape[:1]:
        raise ValueError(
            f"infrared: expected one bool per image [{len(x)}], "
            f"got {infrared.dtype} {list(infrared.shape)}"
        )
