"""Training with several processes: how they start, and what they exchange in each step."""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn


def launch(precision: str) -> Fabric:
    """Start Fabric on the GPU if there is one, else on the CPU, with the processes of torchrun.

    Args:
        precision: as Lightning Fabric names it, such as "32-true".

    Returns:
        the launched Fabric; without torchrun it has one process.
    """
    world, local = (int(os.environ.get(name, 1)) for name in ("WORLD_SIZE", "LOCAL_WORLD_SIZE"))
    fabric = Fabric(
        accelerator="auto", devices=local, num_nodes=world // local,
        strategy="ddp" if world > 1 else "auto", precision=precision,  # type: ignore[arg-type]
    )  # fmt: skip
    fabric.launch()
    if world > 1:
        atexit.register(_leave)
    return fabric


def _leave() -> None:
    """End the process group while the interpreter still runs.

    Its threads may otherwise outlive what they use, and the process aborts as it exits ("terminate
    called without an active exception").
    """
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def share_statistics(network: nn.Module, fabric: Fabric) -> nn.Module:
    """Replace BatchNorm by SyncBatchNorm on several GPUs; torch has none for CPUs."""
    if fabric.world_size == 1 or fabric.device.type != "cuda":
        return network
    convert: Callable[[nn.Module], nn.Module] = nn.SyncBatchNorm.convert_sync_batchnorm
    return convert(network)


def whole_batch(features: Tensor, labels: Tensor, fabric: Fabric) -> tuple[Tensor, Tensor]:
    r"""Gather the features and labels of all processes, so that triplets span the whole batch.

    Each of the W processes then computes the same loss L of the whole batch. The backward pass of
    the gather sums the gradients of all processes for a process's own features, W · ∂L/∂f, and
    DDP takes the mean over the processes. Together they give the gradient of L that one process
    would compute, without a factor.

    Args:
        features: [B / W, D] of this process.
        labels: [B / W] int64.
        fabric: of the run; a single process gets its own features and labels back.

    Returns:
        features [B, D] and labels [B], by rank.
    """
    if fabric.world_size == 1:
        return features, labels
    gathered = torch.as_tensor(fabric.all_gather(features, sync_grads=True))
    return gathered.flatten(0, 1), torch.as_tensor(fabric.all_gather(labels)).flatten()


def agree(loss: Tensor, stopped: bool, fabric: Fabric) -> tuple[float, bool]:
    """Mean loss over all processes, and whether any of them must stop: all stop together."""
    own = torch.stack([loss.detach().float(), loss.new_tensor(float(stopped))])
    mean = torch.as_tensor(fabric.all_reduce(own, reduce_op="mean")).tolist()
    return mean[0], mean[1] > 0
