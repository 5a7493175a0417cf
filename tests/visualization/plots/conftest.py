"""The small trial that the pictures are drawn of."""

import pytest

import simgraph as sg
from tests.visualization import sample_views as views


@pytest.fixture(scope="module")
def view(tmp_path_factory):
    return views.trial_view(tmp_path_factory.mktemp("images"))


@pytest.fixture(scope="module")
def bare():
    return views.trial_view()


@pytest.fixture(scope="module")
def distances(bare):
    return views.distances(bare)


@pytest.fixture(scope="module")
def graph(bare):
    return sg.similarity_graph(bare.features.query, bare.features.gallery, k=4)
