"""A tiny dataset and a finished run on it, which several files of tests read."""

import pytest
import torch

from tests.training.tiny_dataset import finish, start, write_folder


@pytest.fixture(scope="session")
def root(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="session")
def unbroken(root, tmp_path_factory):
    """A run from start to end, through the tool."""
    output = tmp_path_factory.mktemp("unbroken") / "run"
    done = finish(start(root, output))
    assert done == 0
    return output


@pytest.fixture
def one_thread():
    """As many as the tool has in `start`: sums of another number of threads have other bits."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
