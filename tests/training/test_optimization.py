"""Learning rates in numbers, and that a resumed run goes on with the same ones."""

import pytest
import torch
from torch.nn import Parameter

from simgraph.training import adam, rate_factor, step_schedule


def parameters():
    generator = torch.Generator().manual_seed(0)
    return [Parameter(torch.randn(3, generator=generator)) for _ in range(2)]


def test_adam_settings():
    frozen = Parameter(torch.zeros(1), requires_grad=False)
    optimizer = adam([*parameters(), frozen])
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (3.5e-4, 5e-4)
    assert len(group["params"]) == 2
    assert not isinstance(optimizer, torch.optim.AdamW)


@pytest.mark.parametrize("given", [[], [Parameter(torch.zeros(1), requires_grad=False)]])
def test_nothing_to_train_is_refused(given):
    with pytest.raises(ValueError, match="at least one that requires a gradient"):
        adam(given)


@pytest.mark.parametrize(("lr", "decay"), [(0.0, 0.0), (-1.0, 0.0), (float("nan"), 0.0), (1, -1)])
def test_settings_out_of_range_are_refused(lr, decay):
    with pytest.raises(ValueError, match=r"lr|weight_decay"):
        adam(parameters(), lr, decay)


@pytest.mark.parametrize(
    ("epoch", "factor"),
    [(0, 0.1), (1, 0.19), (5, 0.55), (9, 0.91), (10, 1), (39, 1), (40, 0.1), (69, 0.1), (70, 0.01)],
)
def test_factors_by_hand(epoch, factor):
    assert rate_factor(epoch, milestones=(40, 70), warmup_epochs=10) == pytest.approx(factor)


def test_without_options_the_rate_stays():
    assert [rate_factor(e) for e in (0, 1, 500)] == [1, 1, 1]


def test_a_milestone_within_the_warm_up_counts_too():
    assert rate_factor(5, milestones=(5,), warmup_epochs=10) == pytest.approx(0.055)


def test_the_schedule_follows_the_factors():
    optimizer = adam(parameters(), lr=2.0)
    schedule = step_schedule(optimizer, [3, 5], warmup_epochs=2)
    rates = []
    for _ in range(7):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates == [2.0 * rate_factor(e, [3, 5], 2) for e in range(7)]
    assert rates == pytest.approx([0.2, 1.1, 2, 0.2, 0.2, 0.02, 0.02])


def make():
    weights = parameters()
    optimizer = adam(weights, lr=0.1)
    return weights, optimizer, step_schedule(optimizer, [3, 6], warmup_epochs=2)


def train(weights, optimizer, schedule, epochs):
    for _ in range(epochs):
        optimizer.zero_grad()
        sum((w**4).sum() for w in weights).backward()
        optimizer.step()
        schedule.step()
    return [w.detach().clone() for w in weights] + [torch.tensor(schedule.get_last_lr())]


@pytest.mark.parametrize("done", [0, 1, 3, 7])
def test_state_restores_exactly(done, tmp_path):
    expected = train(*make(), 9)
    weights, optimizer, schedule = make()
    train(weights, optimizer, schedule, done)
    torch.save([[*weights], optimizer.state_dict(), schedule.state_dict()], tmp_path / "state.pt")
    saved, opt_state, schedule_state = torch.load(tmp_path / "state.pt", weights_only=True)
    again = make()
    for weight, value in zip(again[0], saved, strict=True):
        weight.data.copy_(value)
    again[1].load_state_dict(opt_state)
    again[2].load_state_dict(schedule_state)
    found = train(*again, 9 - done)
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("milestones", "warmup", "message"),
    [([3, 2], 0, "rising"), ([2, 2], 0, "rising"), ([0], 0, "milestone"), ([], -1, "warmup")],
)
def test_schedules_out_of_range_are_refused(milestones, warmup, message):
    with pytest.raises(ValueError, match=message):
        step_schedule(adam(parameters()), milestones, warmup)
