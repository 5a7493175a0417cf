"""Adam, and the learning rate per epoch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from torch.nn import Parameter
from torch.optim import Adam, Optimizer
from torch.optim.lr_scheduler import LambdaLR

from simgraph._params import require_int

DECAY = 0.1
WARMUP_START = 0.1


def adam(parameters: Iterable[Parameter], lr: float = 3.5e-4, weight_decay: float = 5e-4) -> Adam:
    """Make an Adam optimizer with the settings that are usual in re-identification.

    Args:
        parameters: of a model; frozen ones (the BNNeck's shift) are left out.
        lr: learning rate, > 0.
        weight_decay: L2 penalty added to the gradient, >= 0.

    Returns:
        the optimizer.

    Raises:
        ValueError: for no trainable parameters, or a setting out of range.

    Source: Kingma and Ba, ICLR 2015; Luo et al., CVPR Workshops 2019 (settings).
    """
    trained = [p for p in parameters if p.requires_grad]
    if not trained:
        raise ValueError("parameters: expected at least one that requires a gradient, got none")
    if not lr > 0:
        raise ValueError(f"lr = {lr} must be above 0")
    return Adam(trained, lr=lr, weight_decay=weight_decay)


def rate_factor(epoch: int, milestones: Sequence[int] = (), warmup_epochs: int = 0) -> float:
    r"""Factor of an epoch's learning rate, relative to the full rate.

    $$\gamma(e) = 0.1^{|\{m \le e\}|} \cdot
      \begin{cases} 0.1 + 0.9\, e / w & e < w \\ 1 & e \ge w \end{cases}$$

    Args:
        epoch: e >= 0, counted from 0.
        milestones: the epochs m at which the rate falls to a tenth.
        warmup_epochs: w >= 0, epochs over which the rate grows from a tenth to the full rate.

    Returns:
        γ(e) in (0, 1].

    Source: Luo et al., CVPR Workshops 2019.
    """
    decay = DECAY ** sum(m <= epoch for m in milestones)
    if epoch >= warmup_epochs:
        return decay
    return decay * (WARMUP_START + (1 - WARMUP_START) * epoch / warmup_epochs)


def step_schedule(
    optimizer: Optimizer, milestones: Sequence[int] = (), warmup_epochs: int = 0
) -> LambdaLR:
    """Make a schedule that follows `rate_factor`; call `step()` once after each epoch.

    Its state is the epoch only. To resume exactly, make the schedule for the new optimizer first,
    then load the states of the optimizer and of the schedule.

    Args:
        optimizer: its current rates are the full rates.
        milestones: increasing epochs, each >= 1, at which the rate falls to a tenth.
        warmup_epochs: >= 0.

    Returns:
        the schedule, at epoch 0.

    Raises:
        ValueError: for milestones that do not increase, or numbers out of range.
    """
    steps = tuple(milestones)
    for m in steps:
        require_int("milestone", m, 1)
    if list(steps) != sorted(set(steps)):
        raise ValueError(f"milestones: expected rising epochs, got {list(steps)}")
    require_int("warmup_epochs", warmup_epochs, 0)
    return LambdaLR(optimizer, lambda epoch: rate_factor(epoch, steps, warmup_epochs))
