"""What a dataset's entry answers: its splits, trials, mode and root."""

import pytest

from simgraph.config import DatasetConfig
from simgraph.datasets import DATASETS, DatasetLoader
from simgraph.datasets.base import chosen_mode
from simgraph.trials import load_test_set, load_train_set

MODES = ("forth", "back")


def loader(**more):
    def refuse(*_):
        raise AssertionError("nothing is loaded here")

    return DatasetLoader("toy", MODES, "plain", "nothing", refuse, refuse, **more)


def test_splits_and_positions_of_trials():
    settings = DatasetConfig(trials=4)
    assert (loader().num_trials(settings), list(loader().splits(settings))) == (4, [1])
    assert [loader().locate(trial) for trial in (1, 4)] == [(1, 0), (1, 3)]
    per_trial = loader(split_per_trial=True)
    assert list(per_trial.splits(settings)) == [1, 2, 3, 4]
    assert [per_trial.locate(trial) for trial in (1, 4)] == [(1, 0), (4, 0)]
    assert loader(max_trials=1).num_trials(settings) == 1


def test_the_first_mode_is_the_default_and_an_unknown_one_is_refused():
    assert chosen_mode(DatasetConfig(), MODES) == "forth"
    assert chosen_mode(DatasetConfig(mode="back"), MODES) == "back"
    with pytest.raises(ValueError, match="mode must be 'forth' or 'back', got 'sideways'"):
        chosen_mode(DatasetConfig(mode="sideways"), MODES)


@pytest.mark.parametrize("name", DATASETS)
@pytest.mark.parametrize("load", [load_test_set, load_train_set])
def test_a_missing_root_is_told_with_what_it_must_hold(name, load, tmp_path):
    with pytest.raises(ValueError, match=rf"dataset\.root: .* of {name}, with .*got none") as error:
        load(DatasetConfig(name=name))
    assert DATASETS[name].needs in str(error.value)
    with pytest.raises(FileNotFoundError, match=r"dataset\.root: .*no such folder"):
        load(DatasetConfig(name=name, root=str(tmp_path / "none")))
