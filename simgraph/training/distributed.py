"""Several processes that train as one: who they are, and what they share in each step."""

from __future__ import annotations

import os
from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn


def launch(precision: str) -> Fabric:
    """CPU or GPU as there is; the processes that torchrun started, if it did."""
    world, local = (int(os.environ.get(name, 1)) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    fabric = Fabric(
        accelerator="auto", devices=local, num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto", precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    fabric.launch()
    return fabric


def share_statistics(network: nn.Module, fabric: Fabric) -> nn.Module:
    """BatchNorm over the images of all processes, on GPUs; torch has none such for CPUs."""
    if fabric.world_size == 1 or fabric.device.type != "cuda":
        return network
    convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
    return convert(network)


def whole_batch(features: Tensor, labels: Tensor, fabric: Fabric) -> tuple[Tensor, Tensor]:
    r"""Features and labels of all processes, by rank, so that triplets are mined among them all.

    Each of W processes then has the same loss L of the whole batch. The way back sums what they
    send for a process's own features, W · ∂L/∂f, and DDP takes the mean over the processes:
    together the gradient of L, as one process has it, without a factor.

    Args:
        features: [B / W, D] of this process.
        labels: [B / W] int64.
        fabric: of the run; a single process gets back what it gave.

    Returns:
        [B, D] and [B].
    """
    if fabric.world_size == 1:
        return features, labels
    everyone = torch.as_tensor(fabric.all_gather(features, sync_grads=True))
    return everyone.flatten(0, 1), torch.as_tensor(fabric.all_gather(labels)).flatten()


def agree(loss: Tensor, stopped: bool, fabric: Fabric) -> tuple[float, bool]:
    """Mean loss of all processes, and whether any was asked to stop: they then stop together."""
    own = torch.stack([loss.detach().float(), loss.new_tensor(float(stopped))])
    mean = torch.as_tensor(fabric.all_reduce(own, reduce_op="mean")).tolist()
    return mean[0], mean[1] > 0
