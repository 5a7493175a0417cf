"""The network with its augmentation, losses and optimizer, and one training step."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn

from simgraph.config import Config
from simgraph.training.augmentation import TrainAugmentation
from simgraph.training.checkpoint import build_model
from simgraph.training.distributed import share_statistics, whole_batch
from simgraph.training.losses import BatchHardTriplet, WeightedRegularizedTriplet, cross_entropy
from simgraph.training.optimization import adam, step_schedule
from simgraph.training.weights import load_imagenet


class Learner:
    """Network, augmentation, losses, optimizer and schedule, as a config describes them.

    Args:
        config: its `model` and `train` sections are read.
        num_classes: number of training identities.
        fabric: device, precision and processes.

    Attributes:
        model: the network, wrapped by fabric; `model.module` is the `Backbone`.
        optimizer: of its parameters.
        schedule: of the learning rate, per epoch.
        losses: the parts of the last step's loss by name, `identity` and `triplet`, scalars.

    Raises:
        FileNotFoundError: for missing ImageNet weights.
        ValueError: for settings out of range.
    """

    def __init__(self, config: Config, num_classes: int, fabric: Fabric) -> None:
        settings, size = config.train, (config.model.height, config.model.width)
        self.fabric, self.label_smoothing = fabric, settings.label_smoothing
        torch.manual_seed(settings.seed)
        network = build_model(config.model.model_dump(), num_classes)
        with fabric.rank_zero_first(local=True):  # one process downloads for all
            load_imagenet(network, config.model.weights)
        self.layout = torch.channels_last if settings.channels_last else torch.contiguous_format
        network = network.to(memory_format=self.layout)  # type: ignore[call-overload]
        if settings.compile:
            network.compile()
        optimizer = adam(network.parameters(), settings.lr, settings.weight_decay)
        self.schedule = step_schedule(optimizer, settings.milestones, settings.warmup_epochs)
        self.model, self.optimizer = fabric.setup(share_statistics(network, fabric), optimizer)
        self.augment = TrainAugmentation(
            size, settings.pad, settings.flip, settings.erase, settings.channel_exchange,
            settings.exchange_gray,
        )  # fmt: skip
        self.losses: dict[str, Tensor] = {}
        self.triplet: nn.Module | None = {
            "batch_hard": BatchHardTriplet(settings.margin),
            "weighted": WeightedRegularizedTriplet(),
            "none": None,
        }[settings.triplet]

    def step(self, pixels: Tensor, labels: Tensor, infrared: Tensor, draw: int) -> Tensor:
        """Train on a batch.

        Args:
            pixels: [B, 3, H, W] uint8, of this process.
            labels: [B] int64 in [0, num_classes).
            infrared: [B] bool, which images are infrared.
            draw: seed of the augmentation.

        Returns:
            the loss, a scalar on the device: identity loss of this process's images plus triplet
            loss of the whole batch.

        Raises:
            ValueError: for a loss that is not finite, before the weights change.
        """
        loss = self.loss(self.prepare(pixels, infrared, draw), labels, infrared)
        if not torch.isfinite(loss.detach()):
            raise ValueError(
                f"expected a finite loss, got {float(loss.detach())}: lower train.lr, or use "
                "train.precision 32-true"
            )
        self.optimizer.zero_grad()
        self.fabric.backward(loss)
        self.optimizer.step()
        return loss.detach()

    def prepare(self, pixels: Tensor, infrared: Tensor, draw: int) -> Tensor:
        """Augment a batch on the device, in the memory format of the network; see `step`."""
        x = self.augment(self.fabric.to_device(pixels), infrared, draw)
        return x.contiguous(memory_format=self.layout)

    def loss(self, x: Tensor, labels: Tensor, infrared: Tensor) -> Tensor:
        """The forward pass: the loss of a prepared batch; its parts are then in `losses`."""
        labels = self.fabric.to_device(labels)
        features, logits = self.model(x, infrared)
        losses = {"identity": cross_entropy(logits, labels, self.label_smoothing)}
        if self.triplet is not None:
            losses["triplet"] = self.triplet(*whole_batch(features, labels, self.fabric))
        self.losses = {name: value.detach() for name, value in losses.items()}
        return torch.stack([value.float() for value in losses.values()]).sum()
