"""What a run resumes from: each bad part is refused by name, before anything is changed."""

import copy
import json
import random

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from simgraph.config import Config
from simgraph.training.checkpoint import Progress, restore, save_checkpoint
from simgraph.training.optimization import adam, step_schedule


def parts(seed):
    """A small network with optimizer and schedule, after one epoch of one step."""
    torch.manual_seed(seed)
    model = nn.Linear(3, 2)
    optimizer = adam(model.parameters())
    schedule = step_schedule(optimizer, [2])
    model(torch.rand(4, 3)).sum().backward()
    optimizer.step()
    schedule.step()
    return model, optimizer, schedule


@pytest.fixture
def saved(tmp_path):
    file = tmp_path / "last.safetensors"
    model, optimizer, schedule = parts(0)
    save_checkpoint(file, model, 2, Config(), Progress(1), optimizer, schedule)
    return file


def everything(model, optimizer, schedule):
    numpy_state = np.random.get_state()  # noqa: NPY002
    return copy.deepcopy(
        (model.state_dict(), optimizer.state_dict(), schedule.state_dict()["last_epoch"],
         random.getstate(), numpy_state, torch.get_rng_state())
    )  # fmt: skip


def assert_equal(one, other):
    if isinstance(one, torch.Tensor | np.ndarray):
        assert (one == other).all()
    elif isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_equal(value, other[key])
    elif isinstance(one, tuple | list):
        for value, more in zip(one, other, strict=True):
            assert_equal(value, more)
    else:
        assert one == other


def test_a_good_checkpoint_restores_every_part(tmp_path):
    file = tmp_path / "last.safetensors"
    model, optimizer, schedule = parts(0)
    before = everything(model, optimizer, schedule)
    save_checkpoint(file, model, 2, Config(), Progress(1), optimizer, schedule)
    random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    other = parts(1)
    progress, scale = restore(file, other[0], Config(), other[1], other[2])
    assert (progress, scale) == (Progress(1), {})
    assert_equal(everything(*other), before)


def edit(file, change):
    """Change state and tensors of a checkpoint, in the format that has no digest."""
    with safe_open(file, "pt") as opened:
        state = json.loads(opened.metadata()["state"])
    tensors = load_file(file)
    change(state, tensors)
    save_file(tensors, file, {"simgraph": "checkpoint-1", "state": json.dumps(state)})


def put(*path, value):
    def change(state, tensors):
        for key in path[:-1]:
            state = state[key]
        state[path[-1]] = value

    return change


def drop(*path):
    def change(state, tensors):
        for key in path[:-1]:
            state = state[key]
        del state[path[-1]]

    return change


def tensor(name, value):
    def change(state, tensors):
        tensors[name] = value
        if value is None:
            del tensors[name]

    return change


GROUP = ("param_groups", 0)
NUMPY, PYTHON = ("random", "numpy"), ("random", "python")


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (put("param_groups", value=[]), "param_groups: expected 1 groups"),
        (put(*GROUP, value=3), r"param_groups\[0\]: "),
        (drop(*GROUP, "lr"), r"param_groups\[0\]\.lr"),
        (drop(*GROUP, "params"), r"param_groups\[0\]\.params"),
        (put(*GROUP, "params", value=[0, 7]), r"param_groups\[0\]\.params"),
        *((put(*GROUP, "lr", value=value), r"param_groups\[0\]\.lr")
          for value in ("1", -1.0, float("nan"), 5.0, True, None)),
        (put(*GROUP, "betas", value=[0.9]), r"param_groups\[0\]\.betas"),
        (put(*GROUP, "weight_decay", value="x"), r"param_groups\[0\]\.weight_decay"),
        (put(*GROUP, "initial_lr", value=None), r"param_groups\[0\]\.initial_lr"),
        (put("schedule", value={}), r"schedule\.base_lrs"),
        (put("schedule", "optimizer", value=1), "schedule: .*'optimizer'"),
        (put("schedule", "last_epoch", value=-5), r"schedule\.last_epoch: expected 1"),
        (put("schedule", "last_epoch", value=True), r"schedule\.last_epoch"),
        (put("schedule", "base_lrs", value=[1.0, 2.0]), r"schedule\.base_lrs"),
        (put("schedule", "_last_lr", value=["a"]), r"schedule\._last_lr"),
        (put("schedule", "lr_lambdas", value=[{"a": 1}]), r"schedule\.lr_lambdas"),
        (put("scale", value={"scale": "x"}), "scale"),
        (drop("random", "python"), r"random\.python"),
        (put(*PYTHON, value=[3, [1, 2], None]), r"random\.python"),
        (put(*PYTHON, 1, 624, value=10**6), r"random\.python"),
        (put(*PYTHON, 2, value="x"), r"random\.python"),
        (put(*NUMPY, value=None), r"random\.numpy"),
        (put(*NUMPY, 2, value=10**8), r"random\.numpy.*position 100000000"),
        (put(*NUMPY, 1, 0, value=-1), r"random\.numpy"),
        (put(*NUMPY, 1, value=[1] * 600), r"random\.numpy"),
        (put(*NUMPY, 1, value=[1] * 700), r"random\.numpy"),
        (tensor("random.torch", None), r"random\.torch"),
        (tensor("random.torch", torch.zeros(7, dtype=torch.uint8)), r"random\.torch"),
        (tensor("optimizer.0.exp_avg", torch.zeros(2, 4)), r"optimizer\.0\.exp_avg: .*2, 3"),
        (tensor("optimizer.0.exp_avg", torch.zeros(2, 3).double()), r"optimizer\.0\.exp_avg"),
        (tensor("optimizer.0.exp_avg", torch.full((2, 3), torch.nan)), "NaN or infinity"),
        (tensor("optimizer.1.exp_avg_sq", torch.full((2,), -1.0)), r"optimizer\.1\.exp_avg_sq"),
        (tensor("optimizer.1.step", torch.tensor(torch.inf)), r"optimizer\.1\.step"),
        (tensor("optimizer.1.step", None), r"optimizer\.1: expected"),
        (tensor("optimizer.9.step", torch.tensor(1.0)), r"optimizer\.9\.step"),
        (tensor("optimizer.-1.step", torch.tensor(1.0)), r"optimizer\.-1\.step"),
        (tensor("optimizer.x", torch.tensor(1.0)), r"optimizer\.x"),
        (tensor("optimizer.0.more", torch.tensor(1.0)), r"optimizer\.0\.more"),
    ],
)  # fmt: skip
def test_a_bad_part_is_refused_by_name_and_nothing_changes(saved, change, part):
    edit(saved, change)
    model, optimizer, schedule = parts(1)
    before = everything(model, optimizer, schedule)
    with pytest.raises(ValueError, match=rf"last\.safetensors: .*{part}"):
        restore(saved, model, Config(), optimizer, schedule)
    assert_equal(everything(model, optimizer, schedule), before)
