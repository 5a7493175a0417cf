"""The shipped training configs: one for each row of the paper's tables, and two for small machines.

Each is read, and its network, schedule and batches are built as training would.
"""

from pathlib import Path

import numpy as np
import pytest
import torch

from simgraph.config import load_config
from simgraph.training.backbone import GeMPooling
from simgraph.training.checkpoint import build_model
from simgraph.training.optimization import adam, step_schedule
from simgraph.training.sampler import CrossModalitySampler

CONFIGS = Path(__file__).parents[2] / "configs"

# name: (dataset, architecture, stem, zero-padding, AGW)
ROWS = {
    "sysu_mm01": ("sysu_mm01", "resnet50", "one_stream", False, False),
    "one_stream_sysu_mm01": ("sysu_mm01", "resnet50", "one_stream", False, False),
    "two_stream_sysu_mm01": ("sysu_mm01", "resnet50", "two_stream", False, False),
    "zero_padding_sysu_mm01": ("sysu_mm01", "resnet50", "one_stream", True, False),
    "agw_sysu_mm01": ("sysu_mm01", "resnet50", "two_stream", False, True),
    "regdb": ("regdb", "resnet50", "one_stream", False, False),
    "regdb_thermal_to_visible": ("regdb", "resnet50", "one_stream", False, False),
    "agw_regdb": ("regdb", "resnet50", "two_stream", False, True),
    "llcm": ("llcm", "resnet50", "one_stream", False, False),
}
SMALL = {"demo": "sysu_mm01", "folder_small": "folder"}


def test_every_training_config_is_tested_here():
    training = {f.stem for f in CONFIGS.glob("*.yaml") if "\ntrain:" in f.read_text()}
    assert training == {*ROWS, *SMALL}


@pytest.mark.parametrize("name", ROWS)
def test_a_row_of_the_papers_tables(name):
    config = load_config(CONFIGS / f"{name}.yaml")
    model, settings = config.model, config.train
    built = (config.dataset.name, model.arch, model.stem, model.zero_padding, model.agw)
    assert built == ROWS[name]
    assert (config.dataset.trials, settings.epochs) == (10, 200)
    assert (settings.lr, settings.weight_decay, settings.margin) == (3.5e-4, 5e-4, 0.3)
    assert settings.triplet == ("weighted" if model.agw else "batch_hard")
    assert (model.height, model.width, model.weights) == (256, 128, "imagenet")


def test_regdb_goes_both_ways_with_the_same_settings():
    one, other = (load_config(CONFIGS / f"{n}.yaml") for n in ("regdb", "regdb_thermal_to_visible"))
    assert one.dataset.mode == "visible_to_thermal"
    assert other.dataset.mode == "thermal_to_visible"
    same = other.dataset.model_copy(update={"mode": one.dataset.mode})
    assert other.model_copy(update={"dataset": same}) == one


def test_the_papers_network_is_the_one_stream_row():
    one, other = (load_config(CONFIGS / f"{n}.yaml") for n in ("sysu_mm01", "one_stream_sysu_mm01"))
    assert (one.model, one.train, one.sim) == (other.model, other.train, other.sim)


@pytest.mark.parametrize("name", [*ROWS, *SMALL])
def test_its_parts_can_be_built(name):
    config = load_config(CONFIGS / f"{name}.yaml")
    with torch.device("meta"):  # shapes alone, no memory
        network = build_model(config.model.model_dump(), 100)
    assert isinstance(network.pool, GeMPooling) == config.model.agw
    settings = config.train
    optimizer = adam(network.parameters(), settings.lr, settings.weight_decay)
    step_schedule(optimizer, settings.milestones, settings.warmup_epochs)
    assert all(m < settings.epochs for m in settings.milestones)
    pids = np.repeat(np.arange(100), 10)
    CrossModalitySampler(
        pids,
        pids,
        settings.num_ids,
        settings.visible_per_id,
        settings.infrared_per_id,
        settings.seed,
    )


@pytest.mark.parametrize("name", SMALL)
def test_small_ones_need_no_download_and_no_gpu(name):
    config = load_config(CONFIGS / f"{name}.yaml")
    assert config.dataset.name == SMALL[name]
    assert (config.model.arch, config.model.weights) == ("resnet18", "random")
    assert config.train.precision == "32-true"
