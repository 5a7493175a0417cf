"""Training losses: identity loss and two triplet losses over a batch."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float = 0.0) -> Tensor:
    r"""Identity loss: the mean cross entropy to a target of 1 − ε + ε / C at the label.

    $$L = -\frac{1}{B} \sum_i \sum_c \big((1 - \epsilon)\, [c = y_i] + \epsilon / C\big)
      \log \text{softmax}(z_i)_c$$

    Args:
        logits: z [B, C], computed in float32 or wider.
        labels: y [B], int64, in [0, C).
        label_smoothing: ε in [0, 1]; 0.1 is usual, 0 gives the plain loss.

    Returns:
        scalar.

    Raises:
        ValueError: for shapes that do not match.

    Source: Szegedy et al., CVPR 2016 (smoothing).
    """
    if logits.dim() != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(
            f"expected logits [B, C] and labels [B], "
            f"got {list(logits.shape)} and {list(labels.shape)}"
        )
    return F.cross_entropy(_wide(logits), labels, label_smoothing=label_smoothing)


class BatchHardTriplet(nn.Module):
    r"""Triplet loss over each anchor's farthest positive and nearest negative in the batch.

    $$L = \frac{1}{|A|} \sum_{i \in A} \max\Big(0,\; m + \max_{y_j = y_i, j \ne i} d_{ij}
      - \min_{y_k \ne y_i} d_{ik}\Big)$$

    d is the Euclidean distance. A batch contains images of both modalities, so the hardest ones
    may be of either. A is the set of anchors with a positive: an image that is the only one of
    its identity is used as a negative only.

    Args:
        margin: m >= 0, in units of feature distance.

    Raises:
        ValueError: for a negative margin.

    Source: Hermans et al., 2017 (arXiv 1703.07737).
    """

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        if not margin >= 0:
            raise ValueError(f"margin = {margin} must be at least 0")
        self.margin = margin

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Mean over the anchors.

        Args:
            features: [B, D], not normalized.
            labels: [B] integers, equal for images of one identity.

        Returns:
            scalar.

        Raises:
            ValueError: for a batch with one identity, or without two images of an identity.
        """
        distance, positive, negative = _triplets(features, labels)
        farthest = distance.masked_fill(~positive, -torch.inf).amax(1)
        nearest = distance.masked_fill(~negative, torch.inf).amin(1)
        return F.relu(self.margin + farthest - nearest).mean()


class WeightedRegularizedTriplet(nn.Module):
    r"""Triplet loss over all pairs, weighted by hardness, without a margin.

    $$L = \frac{1}{|A|} \sum_{i \in A} \log\big(1 + e^{\sum_j w^p_{ij} d_{ij}
      - \sum_k w^n_{ik} d_{ik}}\big), \quad
      w^p_{ij} = \frac{e^{d_{ij}}}{\sum_{P_i} e^{d}}, \quad
      w^n_{ik} = \frac{e^{-d_{ik}}}{\sum_{N_i} e^{-d}}$$

    P_i is the set of images of i's identity except i itself (AGW's released code includes i),
    N_i that of the other identities, A that of the anchors with a positive. Gradients pass
    through the weights.

    Source: Ye et al., TPAMI 2021 (AGW).
    """

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        """Mean over the anchors.

        Args:
            features: [B, D], not normalized.
            labels: [B] integers, equal for images of one identity.

        Returns:
            scalar.

        Raises:
            ValueError: for a batch with one identity, or without two images of an identity.
        """
        distance, positive, negative = _triplets(features, labels)
        far = distance.masked_fill(~positive, -torch.inf).softmax(1)
        near = (-distance).masked_fill(~negative, -torch.inf).softmax(1)
        return F.softplus(((far - near) * distance).sum(1)).mean()


def _triplets(features: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Distances [A, B] from the anchors to all images, and masks of positives and negatives."""
    if features.dim() != 2 or labels.shape != features.shape[:1]:
        raise ValueError(
            f"expected features [B, D] and labels [B], "
            f"got {list(features.shape)} and {list(labels.shape)}"
        )
    same = labels[:, None] == labels[None, :]
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    anchors = positive.any(1).nonzero().squeeze(1)
    if not len(anchors) or bool(same.all()):
        raise ValueError(
            "a triplet needs two images of one identity and one of another: expected a batch of "
            f"P x K images with P >= 2 and K >= 2, got labels {sorted(set(labels.tolist()))} "
            f"for {len(labels)} images"
        )
    wide = _wide(features)
    # The form with a matrix product has errors of 1e-3 for near pairs, and no gradient at 0.
    distance = torch.cdist(wide[anchors], wide, compute_mode="donot_use_mm_for_euclid_dist")
    return distance, positive[anchors], ~same[anchors]


def _wide(x: Tensor) -> Tensor:
    """Cast to float32 or wider: losses of a half-precision forward pass need it."""
    return x.to(torch.promote_types(x.dtype, torch.float32))
