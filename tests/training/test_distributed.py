"""Two processes train as one: the same losses, gradients and features, and they stop together."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn

from simgraph.config import from_command_line
from simgraph.training.distributed import agree, share_statistics, whole_batch
from simgraph.training.trainer import train
from tests.training.tiny_dataset import (
    SETTINGS,
    finish,
    start,
    steps_done,
    wait_for_mid_epoch,
    write_folder,
)

TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]

# BatchNorm's statistics are fixed, as torch cannot share them between processes on the CPU, and
# augmentation is off, as each process draws its own.
EPOCH = """
import sys
from pathlib import Path
import torch
from simgraph.config import from_command_line
from simgraph.training.extraction import extract_test_set
from simgraph.training.trainer import Run
torch.set_num_threads(1)
output, *settings = sys.argv[1:]
found = {}
for triplet in ("batch_hard", "weighted"):
    config = from_command_line("", [*settings, "--train.triplet", triplet])
    run = Run(config, Path(output))
    run.learner.model.train()
    for module in run.learner.model.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.eval()
    parts = dict(run.learner.model.module.named_parameters())
    losses, gradients = [], None
    for batch in run.loader:
        losses.append(run.fabric.all_reduce(run._step(*batch)))
        gradients = gradients or {n: p.grad.clone() for n, p in parts.items() if p.requires_grad}
    query = extract_test_set(run.learner.model, run.test_set, config, run.fabric).query
    found[triplet] = {"losses": torch.stack(losses), "gradients": gradients, "query": query}
if run.fabric.global_rank == 0:
    torch.save(found, output)
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("faces"))


def trained(root, tmp_path, name, launcher):
    script, output = tmp_path / "epoch.py", tmp_path / name
    script.write_text(EPOCH)
    plain = ["--train.pad", "0", "--train.flip", "0", "--dataset.root", str(root)]
    done = subprocess.run(
        [sys.executable, *launcher, str(script), str(output), *SETTINGS, *plain],
        capture_output=True, text=True, timeout=240, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return torch.load(output, weights_only=True)


def test_two_processes_train_as_one(root, tmp_path):
    # P = 2: each process has one identity, so every negative is the other's.
    alone, together = (trained(root, tmp_path, *way) for way in (("one", []), ("two", TORCHRUN)))
    for triplet, one in alone.items():
        two = together[triplet]
        assert max(float(g.abs().max()) for g in one["gradients"].values()) > 0.01
        for name, gradient in one["gradients"].items():
            torch.testing.assert_close(two["gradients"][name], gradient, rtol=1e-3, atol=1e-5)
        assert len(one["losses"]) > 1
        torch.testing.assert_close(two["losses"], one["losses"], rtol=1e-3, atol=1e-4)
        torch.testing.assert_close(two["query"], one["query"], rtol=1e-2, atol=1e-2)


def test_two_processes_stop_together_and_one_goes_on(root, tmp_path):
    more = ["--train.save_every", "1", "--train.epochs", "8", "--train.milestones", "6"]
    running = start(root, tmp_path / "run", *more, launcher=TORCHRUN)
    wait_for_mid_epoch(running, tmp_path / "run", epoch=1)
    running.send_signal(signal.SIGINT)  # torchrun passes it on to both
    assert finish(running) != 0
    assert "go on with --resume" in running.text
    assert (1, 0) < steps_done(tmp_path / "run") < (8, 0)
    config = from_command_line("", [*SETTINGS, *more, "--dataset.root", str(root)])
    train(config, tmp_path / "run", resume=True)
    assert steps_done(tmp_path / "run") == (8, 0)


def test_a_single_process_keeps_what_it_has():
    fabric = Fabric(accelerator="cpu", devices=1)
    features, labels = torch.randn(4, 3), torch.arange(4)
    assert whole_batch(features, labels, fabric) == (features, labels)
    assert agree(torch.tensor(2.5), False, fabric) == (2.5, False)
    assert agree(torch.tensor(2.5), True, fabric) == (2.5, True)
    network = nn.BatchNorm2d(3)
    assert share_statistics(network, fabric) is network


def test_statistics_are_shared_on_several_gpus_alone():
    class Several:
        world_size = 2
        device = torch.device("cuda")

    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    names = network.state_dict().keys()
    shared = share_statistics(network, Several())
    assert isinstance(shared[1], nn.SyncBatchNorm)
    assert shared.state_dict().keys() == names
    Several.device = torch.device("cpu")
    network = nn.Sequential(nn.BatchNorm2d(4))
    assert not isinstance(share_statistics(network, Several())[0], nn.SyncBatchNorm)
