"""The shares of a training step: real parts, in the batch that the config describes."""

from itertools import islice

import pytest
import torch
from benchmarks import training_shares, training_speed

from simgraph.config import Config, ModelConfig, TrainConfig

SMALL = Config(
    model=ModelConfig(arch="resnet18", height=32, width=16, base_width=8, weights="random"),
    train=TrainConfig(num_ids=3, visible_per_id=2, infrared_per_id=1, pad=2),
)


def test_the_loader_gives_the_batch_in_its_order(tmp_path):
    expected = training_speed.random_batch(SMALL)
    for batch in islice(training_shares._batches(SMALL, tmp_path), 2):
        assert all(map(torch.equal, batch, expected))


def test_the_parts_add_up_to_the_step_and_a_step_trains():
    found = training_shares.compare(SMALL, rounds=1)
    assert list(found) == ["contiguous", "channels_last"]
    for seconds in found.values():
        assert set(seconds) == {*training_shares.PARTS, "step", "floor"}
        assert all(value > 0 for value in seconds.values())
        parts = sum(seconds[part] for part in training_shares.PARTS)
        assert seconds["step"] == pytest.approx(parts)


def test_the_table_has_shares_and_ratios():
    seconds = dict(zip(training_shares.PARTS, (0.01, 0.02, 0.03, 0.03, 0.01), strict=True))
    seconds |= {"step": 0.1, "floor": 0.08}
    shown = training_shares.table(
        {"contiguous": seconds, "channels_last": seconds | {"step": 0.08}}
    )
    first, _, last = shown.splitlines()
    assert first.startswith("contiguous: step 100 ms (loader 10.0 %, augmentation 20.0 %")
    assert first.endswith("floor 80 ms, step / floor 1.25")
    assert last == "channels_last / contiguous: 0.80"
