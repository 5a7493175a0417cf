"""Training images: labels, the check of all images, and readers that die."""

import time
from contextlib import suppress

import numpy as np
import psutil
import pytest

from simgraph.datasets import folder
from simgraph.datasets.images import ImageSet
from simgraph.training.data import TrainImages, batches, check_data
from tests.training.tiny_dataset import finish, settings, start, steps_done


def test_a_killed_reader_is_a_clear_error(root, tmp_path):
    process = start(
        root, tmp_path / "run", "--train.workers", "2", "--train.epochs", "500",
        "--train.milestones", "400", "--train.evaluate_every", "500",
    )  # fmt: skip
    for _ in range(6000):
        readers = psutil.Process(process.pid).children()
        if readers and steps_done(tmp_path / "run")[0] > 0:
            with suppress(psutil.NoSuchProcess):  # its epoch may just have ended
                readers[0].kill()
        if process.poll() is not None:
            break
        time.sleep(0.02)
    assert finish(process) != 0
    assert "a process that reads images was killed" in process.text
    assert "--resume" in process.text


def test_every_part_of_a_dataset_is_checked(root, tmp_path):
    found = check_data(settings(root))
    assert found.deep == {}
    assert found.counts == {"train visible": 16, "train infrared": 16, "query": 16, "gallery": 16}


def test_visible_images_come_before_infrared_ones_with_the_labels_of_identities(root):
    visible, infrared = (ImageSet(side, root, (32, 16)) for side in folder.load_train(root))
    images = TrainImages(visible, infrared, np.arange(4))
    assert len(images) == 32
    pixels, label, is_infrared = images[17]
    assert (pixels.shape, label, is_infrared) == ((3, 32, 16), 0, True)
    assert [images[i][1:] for i in (0, 15, 31)] == [(0, False), (3, False), (3, True)]
    # Labels are positions among the training identities.
    assert TrainImages(visible, infrared, np.array([-5, 0, 1, 2, 3])).labels.tolist()[0] == 1


def test_other_errors_of_a_loader_are_its_own():
    def broken():
        yield 1
        raise RuntimeError("shapes differ")

    with pytest.raises(RuntimeError, match="shapes differ"):
        list(batches(broken()))
