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
