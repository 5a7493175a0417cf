"""A dataset is one file and one entry: everything else asks the entry."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from simgraph.config import DatasetConfig, from_command_line, parse_config
from simgraph.datasets import DATASETS, DatasetLoader, Samples, TestSet, Trial, find_dataset
from simgraph.datasets.base import chosen_mode, dataset_root
from simgraph.evaluation import PROTOCOLS
from simgraph.features import Features, load_features, save_features
from simgraph.pipeline import scoring_protocol
from simgraph.trials import load_test_set, load_train_set, num_trials, split_files, trial_features

ROOT = Path(__file__).parents[2]
MODES = ("forth", "back")


def toy_samples(*pids):
    return Samples(tuple(f"{pid}.png" for pid in pids), np.array(pids), np.zeros(len(pids), int))


def load_toy_test(settings, split, images):
    """Split s has the identities s and s + 10, two trials each."""
    root = dataset_root(settings, "nothing")
    sides = toy_samples(split, split + 10), toy_samples(split, split + 10, split)
    query, gallery = sides if chosen_mode(settings, MODES) == "forth" else sides[::-1]
    trials = [Trial(np.arange(len(query)), np.array(rows)) for rows in ([0, 1], [1, 0])]
    return TestSet("toy", root, query, gallery, trials, "market")


def load_toy_train(settings, split):
    return toy_samples(split, split + 20), toy_samples(split + 20, split)


def toy(**more):
    return DatasetLoader("toy", MODES, "market", "nothing", load_toy_test, load_toy_train, **more)


def config_of(tmp_path, **dataset):
    return parse_config({"dataset": {"name": "toy", "root": str(tmp_path), **dataset}})


def source(test_set, split):
    sides = (test_set.query, test_set.gallery)
    rows = [torch.tensor(side.pids)[:, None] + 100.0 * split for side in sides]
    return Features(*rows, test_set.query.pids, test_set.gallery.pids)


def test_one_entry_adds_a_dataset(tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "toy", toy(max_trials=2))
    config = config_of(tmp_path)
    assert scoring_protocol(config) == "market"
    assert num_trials(config.dataset) == 2
    trials = list(trial_features(config, source))
    assert [t.gallery.flatten().tolist() for t in trials] == [[101.0, 111.0], [111.0, 101.0]]
    assert load_test_set(config_of(tmp_path, mode="back").dataset).query.pids.tolist() == [1, 11, 1]
    visible, infrared = load_train_set(config.dataset)
    assert (visible.pids.tolist(), infrared.pids.tolist()) == ([1, 21], [21, 1])


def test_a_dataset_with_a_network_per_trial_has_a_file_per_split(tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "toy", toy(split_per_trial=True))
    config = config_of(tmp_path, trials=3)
    assert list(find_dataset("toy").splits(config.dataset)) == [1, 2, 3]
    assert load_train_set(config.dataset, 3)[0].pids.tolist() == [3, 23]
    pattern = str(tmp_path / "f{trial}.npz")
    files = split_files(pattern, config.dataset, "output")
    for split, file in files.items():
        save_features(source(load_test_set(config.dataset, split), split), file)
    assert load_features(files[2]).query.flatten().tolist() == [202.0, 212.0]
    trials = list(trial_features(config.model_copy(update={"features": pattern})))
    assert [float(trial.query[0, 0]) for trial in trials] == [101, 101, 202, 202, 303, 303]


def test_entries_of_the_package():
    assert list(DATASETS) == ["sysu_mm01", "regdb", "llcm", "folder"]
    for name, loader in DATASETS.items():
        assert loader.name == name and loader.protocol in PROTOCOLS
        assert len(loader.modes) >= 2 and loader.needs
    trials = DatasetConfig(trials=3)
    assert {n: len(d.splits(trials)) for n, d in DATASETS.items()} == {
        "sysu_mm01": 1, "regdb": 3, "llcm": 1, "folder": 1,
    }  # fmt: skip
    assert [d.num_trials(trials) for d in DATASETS.values()] == [3, 3, 3, 1]


def test_a_feature_file_has_no_images():
    with pytest.raises(ValueError, match=r"expected one of sysu_mm01, .*got 'features', which"):
        load_test_set(DatasetConfig())


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"name": "sysu"},
            "dataset.name: expected one of features, sysu_mm01, regdb, llcm, folder, got 'sysu'; "
            "did you mean 'sysu_mm01'?",
        ),
        (
            {"name": "sysu_mm01", "mode": "indor"},
            "dataset.mode: expected one of all, indoor for sysu_mm01, got 'indor'; "
            "did you mean 'indoor'?",
        ),
        (
            {"name": "regdb", "mode": "all"},
            "dataset.mode: expected one of visible_to_thermal, thermal_to_visible for regdb, "
            "got 'all'",
        ),
    ],
)
def test_unknown_names_and_modes_are_refused_when_the_config_is_read(values, message):
    with pytest.raises(ValueError, match="dataset") as error:
        parse_config({"dataset": values}, "here.yaml")
    assert str(error.value) == f"here.yaml: {message}"


def test_the_features_of_a_config_with_a_mode_can_be_scored_alone():
    # The error about feature rows that do not match proposes this override.
    config = str(ROOT / "configs" / "sysu_mm01.yaml")
    keys = ["--config", config, "--dataset.name", "features", "--dataset.protocol", "plain"]
    dataset = from_command_line("", keys).dataset
    assert (dataset.name, dataset.mode) == ("features", "all")


def test_old_keywords_warn(tmp_path, monkeypatch):
    monkeypatch.setitem(DATASETS, "toy", toy(split_per_trial=True))
    dataset = config_of(tmp_path).dataset
    with pytest.warns(DeprecationWarning, match="'trial' is now 'split'"):
        assert load_test_set(dataset, trial=2).query.pids.tolist() == [2, 12]


def test_only_regdb_s_own_module_compares_its_name():
    compared = re.compile(r"""([!=]=|\bin\b) *\(?["']regdb["']|["']regdb["'] *[!=]=""")
    found = [
        str(file.relative_to(ROOT))
        for folder in ("simgraph", "tools")
        for file in (ROOT / folder).rglob("*.py")
        if compared.search(file.read_text(encoding="utf-8"))
    ]
    assert found == []
