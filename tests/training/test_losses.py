"""Losses against loops, on random and degenerate batches, and their gradients."""

import math

import pytest
import torch

from simgraph.training import BatchHardTriplet, WeightedRegularizedTriplet, cross_entropy

TRIPLETS = [BatchHardTriplet(), BatchHardTriplet(margin=2.0), WeightedRegularizedTriplet()]
LABELS = [
    [0, 0, 1, 1],
    [5, 2, 5, 2, 5, 9, 9, 9],
    [3, 3, 3, 4],  # 4 is alone: a negative only
    [1, 1, 0, 2, 3],
]


def distance(a, b):
    return math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)))


def oracle(loss, features, labels):
    rows, total = features.tolist(), []
    for i, anchor in enumerate(rows):
        others = [(distance(anchor, row), labels[j]) for j, row in enumerate(rows) if j != i]
        far = [d for d, label in others if label == labels[i]]
        near = [d for d, label in others if label != labels[i]]
        if not far:
            continue
        if isinstance(loss, BatchHardTriplet):
            total.append(max(0.0, loss.margin + max(far) - min(near)))
        else:
            p = sum(d * math.exp(d) for d in far) / sum(math.exp(d) for d in far)
            n = sum(d * math.exp(-d) for d in near) / sum(math.exp(-d) for d in near)
            total.append(math.log(1 + math.exp(p - n)))
    return sum(total) / len(total)


@pytest.mark.parametrize("loss", TRIPLETS)
@pytest.mark.parametrize("labels", LABELS)
@pytest.mark.parametrize("seed", range(3))
def test_triplets_against_loops(loss, labels, seed):
    generator = torch.Generator().manual_seed(seed)
    features = torch.randn(len(labels), 6, generator=generator, dtype=torch.float64)
    found = loss(features, torch.tensor(labels))
    assert found.item() == pytest.approx(oracle(loss, features, labels), rel=1e-9)


@pytest.mark.parametrize("loss", TRIPLETS)
def test_equal_features_have_finite_gradients(loss):
    """A collapsed batch: every distance is 0, where a root's slope is infinite."""
    features = torch.ones(4, 3, requires_grad=True)
    value = loss(features, torch.tensor([0, 0, 1, 1]))
    value.backward()
    assert value.item() == pytest.approx(getattr(loss, "margin", math.log(2)))
    assert torch.isfinite(features.grad).all()


@pytest.mark.parametrize("loss", TRIPLETS)
@pytest.mark.parametrize("labels", [[7, 7, 7], [0, 1, 2], [0]])
def test_batches_without_a_triplet_are_refused(loss, labels):
    with pytest.raises(ValueError, match=r"P >= 2 and K >= 2, got labels \[[0-9, ]+\] for"):
        loss(torch.randn(len(labels), 3), torch.tensor(labels))


@pytest.mark.parametrize("loss", TRIPLETS)
def test_triplet_gradients(loss):
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(6, 4, generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 0, 1, 2, 2])
    assert torch.autograd.gradcheck(lambda x: loss(x, labels), features)


@pytest.mark.parametrize("loss", TRIPLETS)
def test_half_precision_is_computed_in_full(loss):
    features = torch.randn(6, 32, generator=torch.Generator().manual_seed(0)).bfloat16()
    labels = torch.tensor([0, 1, 0, 1, 2, 2])
    found = loss(features, labels)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, loss(features.float(), labels))


@pytest.mark.parametrize("loss", TRIPLETS)
def test_far_apart_identities_cost_nothing(loss):
    features = torch.tensor([[0.0], [0.1], [100.0], [100.1]])
    assert loss(features, torch.tensor([0, 0, 1, 1])).item() < 1e-6


@pytest.mark.parametrize("loss", TRIPLETS)
def test_shapes_that_do_not_fit_are_refused(loss):
    with pytest.raises(ValueError, match=r"features \[B, D\] and labels \[B\]"):
        loss(torch.randn(3, 2), torch.tensor([0, 1]))


def test_a_negative_margin_is_refused():
    with pytest.raises(ValueError, match="margin"):
        BatchHardTriplet(margin=-1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_against_loops(smoothing):
    logits = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    labels = [0, 2, 1, 1, 0]
    total = 0.0
    for row, label in zip(logits.tolist(), labels, strict=True):
        log_sum = math.log(sum(math.exp(z) for z in row))
        for c, z in enumerate(row):
            target = smoothing / 3 + (1 - smoothing) * (c == label)
            total -= target * (z - log_sum)
    found = cross_entropy(logits, torch.tensor(labels), smoothing)
    assert found.item() == pytest.approx(total / 5, rel=1e-9)


def test_cross_entropy_gradient_and_precision():
    logits = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([0, 1, 2, 0])
    assert torch.autograd.gradcheck(lambda x: cross_entropy(x, labels, 0.1), logits)
    assert cross_entropy(logits.half(), labels).dtype == torch.float32
    with pytest.raises(ValueError, match=r"logits \[B, C\] and labels \[B\]"):
        cross_entropy(logits, labels[:2])
