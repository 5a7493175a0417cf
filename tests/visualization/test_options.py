"""The options of pictures: each has a name, a sentence for --help, and the common settings."""

import dataclasses

import pytest

from simgraph.config import Config
from simgraph.visualization.options import PICTURES, Explorer, Graph, Picture


@pytest.mark.parametrize("name", PICTURES)
def test_each_picture_is_made_of_a_config_alone_and_described(name):
    picture = PICTURES[name](Config(features="f.npz"))
    assert isinstance(picture, Picture) and picture.config.features == "f.npz"
    assert picture.trial == 1
    assert PICTURES[name].__doc__.strip().endswith(".")


def test_pictures_are_described_differently():
    assert len({picture.__doc__ for picture in PICTURES.values()}) == len(PICTURES)


def test_options_do_not_change():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Graph(Config()).query = 3
    assert Explorer(Config()).max_mib > 0
