"""One training step: it lowers the loss, follows from the seeds, and refuses a bad loss."""

import pytest
import torch
from lightning_fabric import Fabric

from simgraph.config import parse_config
from simgraph.training.learner import Learner

LABELS = torch.tensor([0, 0, 1, 1])
INFRARED = torch.tensor([False, True, False, True])


def learner(**train):
    settings = {
        "model": {"arch": "resnet18", "weights": "random", "height": 32, "width": 16},
        "train": {"pad": 2, **train},
    }
    return Learner(parse_config(settings), 2, Fabric(accelerator="cpu", devices=1))


def images():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(256, (4, 3, 32, 16), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("triplet", ["batch_hard", "weighted", "none"])
def test_steps_lower_the_loss(triplet):
    trained = learner(triplet=triplet, flip=0.0, pad=0)
    trained.model.train()
    losses = [float(trained.step(images(), LABELS, INFRARED, 0)) for _ in range(5)]
    assert losses[-1] < losses[0]


def test_a_step_follows_from_the_seeds():
    def loss_of(draw, seed=0):
        torch.manual_seed(9)
        return float(learner(seed=seed).step(images(), LABELS, INFRARED, draw))

    assert loss_of(1) == loss_of(1)
    assert len({loss_of(1), loss_of(2), loss_of(1, seed=1)}) == 3


def test_a_loss_that_is_not_finite_changes_no_weight():
    trained = learner(triplet="none")
    weights = trained.model.module.classifier.weight
    weights.data[0, 0] = torch.inf
    before = [p.clone() for p in trained.model.parameters()]
    with pytest.raises(ValueError, match=r"expected a finite loss, got nan: lower train\.lr"):
        trained.step(images(), LABELS, INFRARED, 0)
    assert all(map(torch.equal, before, trained.model.parameters()))


def test_settings_reach_their_parts():
    built = learner(lr=0.01, weight_decay=0.0, exchange_gray=True, channel_exchange=True)
    assert built.optimizer.param_groups[0]["lr"] == 0.01
    assert built.optimizer.param_groups[0]["weight_decay"] == 0.0
    assert built.augment.exchange_gray and built.augment.channel_exchange


@pytest.mark.parametrize("triplet", ["batch_hard", "none"])
def test_the_losses_by_name_add_up_to_the_loss(triplet):
    trained = learner(triplet=triplet)
    whole = trained.step(images(), LABELS, INFRARED, 0)
    names = ["identity"] if triplet == "none" else ["identity", "triplet"]
    assert list(trained.losses) == names
    assert sum(trained.losses.values()) == whole


def test_channels_last_gives_equal_steps_within_rounding():
    usual, other = learner(), learner(channels_last=True)
    weights = [part.model.module.trunk.layer1[0].conv1.weight for part in (usual, other)]
    assert not weights[0].is_contiguous(memory_format=torch.channels_last)
    assert weights[1].is_contiguous(memory_format=torch.channels_last)
    for part in (usual, other):
        part.model.train()
    losses = [float(part.step(images(), LABELS, INFRARED, 0)) for part in (usual, other)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_channels_last_is_the_same_function_of_the_same_weights():
    gradients = []
    for part in (learner(), learner(channels_last=True)):
        x = part.prepare(images(), INFRARED, 0)
        network = part.model.module.double().train()  # in 32 bits, BN of 4 images enlarges rounding
        features, logits = network(x.double(), INFRARED)
        (features.square().mean() + logits.logsumexp(1).mean()).backward()
        gradients.append([p.grad for p in network.parameters() if p.grad is not None])
    for one, two in zip(*gradients, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-6, atol=1e-9)


def test_the_network_is_compiled_where_asked_and_keeps_its_names(monkeypatch):
    compiled = []
    monkeypatch.setattr(torch.nn.Module, "compile", lambda self: compiled.append(self))
    names = list(learner().model.module.state_dict())
    assert compiled == []
    asked = learner(compile=True)
    assert compiled == [asked.model.module]
    assert list(asked.model.module.state_dict()) == names


def test_bf16_on_a_cpu_gives_a_finite_loss_near_that_of_32_bits():
    settings = {
        "model": {"arch": "resnet18", "weights": "random", "height": 32, "width": 16},
        "train": {"pad": 2, "channels_last": True, "precision": "bf16-mixed"},
    }
    mixed = Learner(parse_config(settings), 2, Fabric(accelerator="cpu", precision="bf16-mixed"))
    loss = float(mixed.step(images(), LABELS, INFRARED, 0))
    assert loss == pytest.approx(float(learner().step(images(), LABELS, INFRARED, 0)), rel=0.1)
