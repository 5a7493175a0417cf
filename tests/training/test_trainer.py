"""Training runs: they learn, resume to the same bits, and fail with clear errors."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from simgraph.synthetic import pedestrians
from simgraph.training.checkpoint import read_checkpoint
from simgraph.training.run_log import read_log
from simgraph.training.trainer import Run, train
from tests.training.tiny_dataset import (
    SETTINGS,
    finish,
    run_tool,
    settings,
    start,
    steps_done,
    wait_for_mid_epoch,
    write_folder,
)


def differing(one, other):
    a, b = (read_checkpoint(path / "last.safetensors")[0] for path in (one, other))
    assert a.keys() == b.keys()
    return [name for name in a if not torch.equal(a[name], b[name])]


def test_a_run_learns_and_leaves_its_files(unbroken):
    names = {p.name for p in unbroken.iterdir() if not p.name.startswith("events")}
    assert names == {"best.safetensors", "config.yaml", "last.safetensors", "log.csv"}
    assert any(p.name.startswith("events") for p in unbroken.iterdir())
    rows = list(csv.DictReader((unbroken / "log.csv").open()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert float(rows[2]["loss"]) < float(rows[0]["loss"])
    assert [bool(row["sim_mAP"]) for row in rows] == [False, True, True]
    assert "revision:" in (unbroken / "config.yaml").read_text()


def test_every_epoch_is_a_line_where_there_is_no_terminal(root, tmp_path):
    running = start(root, tmp_path / "run")
    assert finish(running) == 0
    for epoch in (1, 2, 3):
        line = rf"epoch {epoch}/3 loss [\d.]+ lr 3\.5e-\d \d+ images/s, \d+:\d\d left"
        assert len(re.findall(line, running.text)) == 1
    plan = "training resnet18 (11.2 million weights, from random) on folder: 4 identities, 16 "
    assert plan + "visible and 16 infrared images at 32 x 16; 3 epochs of 4 batches" in running.text
    assert running.text.index(plan) < running.text.index("epoch 1/3")


def test_tensorboard_has_each_step_with_its_losses_by_name(unbroken):
    events = EventAccumulator(str(unbroken)).Reload()
    kept = {name: events.Scalars(f"step/{name}") for name in ("loss_sum", "loss_identity",
            "loss_triplet", "lr")}  # fmt: skip
    for scalars in kept.values():
        assert [scalar.step for scalar in scalars] == list(range(1, 13))
    parts = zip(kept["loss_identity"], kept["loss_triplet"], kept["loss_sum"], strict=True)
    for identity, triplet, whole in parts:
        assert identity.value + triplet.value == pytest.approx(whole.value, rel=1e-5)


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_a_run_broken_in_mid_epoch_resumes_to_the_same_bits(root, unbroken, tmp_path, blow):
    # save_every is part of the config; the run it is compared with saves at epoch ends alone.
    broken = start(root, tmp_path / "run", "--train.save_every", "1")
    wait_for_mid_epoch(broken, tmp_path / "run", epoch=1)
    broken.send_signal(blow)
    assert finish(broken) != 0
    assert steps_done(tmp_path / "run") < (3, 0)
    if blow == signal.SIGINT:
        assert "go on with --resume" in broken.text
        assert "Traceback" not in broken.text
    again = start(root, tmp_path / "run", "--train.save_every", "1", "--resume")
    assert finish(again) == 0
    assert differing(tmp_path / "run", unbroken) == []
    rows = list(csv.DictReader((tmp_path / "run" / "log.csv").open()))
    whole = list(csv.DictReader((unbroken / "log.csv").open()))
    assert [row["loss"] for row in rows] == [row["loss"] for row in whole]
    assert [row["sim_mAP"] for row in rows] == [row["sim_mAP"] for row in whole]


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGINT], ids=["killed", "ctrl-c"])
def test_a_run_broken_in_an_evaluation_does_it_again(root, unbroken, tmp_path, blow, monkeypatch):
    def broken(run):
        if blow == signal.SIGINT:
            os.kill(os.getpid(), blow)
        raise SystemExit("as if killed")

    with monkeypatch.context() as patch, pytest.raises((KeyboardInterrupt, SystemExit)) as stop:
        patch.setattr(Run, "_scores", broken)
        train(settings(root), tmp_path / "run")
    assert ("go on with --resume" in str(stop.value)) == (blow == signal.SIGINT)
    assert steps_done(tmp_path / "run") == (1, len(Run(settings(root), tmp_path).sampler))
    train(settings(root), tmp_path / "run", resume=True)
    assert differing(tmp_path / "run", unbroken) == []
    rows, whole = (read_log(run / "log.csv") for run in (tmp_path / "run", unbroken))
    for row in (*rows, *whole):
        row.pop("seconds")
    assert rows == whole


def test_ctrl_c_in_a_terminal_reaches_the_readers_too_and_the_batch_is_finished(root, tmp_path):
    more = ["--train.workers", "2", "--train.epochs", "500", "--train.milestones", "400",
            "--train.evaluate_every", "500"]  # fmt: skip
    running = start(root, tmp_path / "run", *more, start_new_session=True)
    while steps_done(tmp_path / "run")[0] < 1:
        assert running.poll() is None, running.communicate()[0]
        time.sleep(0.02)
    readers = psutil.Process(running.pid).children()
    os.killpg(running.pid, signal.SIGINT)
    assert finish(running) != 0
    assert running.text.strip().endswith(f"go on with --resume from {tmp_path / 'run'}")
    assert "Traceback" not in running.text
    assert not any(reader.is_running() for reader in readers)


def test_a_finished_run_is_not_overwritten_and_resumes_to_nothing(root, unbroken):
    before = (unbroken / "last.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match="go on with --resume"):
        train(settings(root), unbroken)
    train(settings(root), unbroken, resume=True)
    assert (unbroken / "last.safetensors").read_bytes() == before


ON_A_SMALL_DISK = """
import subprocess, sys
from pathlib import Path
from simgraph.config import from_command_line
from simgraph.training.checkpoint import read_checkpoint
from simgraph.training.trainer import train
disk, *arguments = sys.argv[1:]
# Room for one checkpoint with its optimizer, 136 MB, not for the next beside it.
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "none", disk], check=True)
print("mounted")
run = Path(disk) / "run"
try:
    train(from_command_line("", arguments), run)
except OSError as error:
    print(error)
print(read_checkpoint(run / "last.safetensors")[1]["progress"]["epoch"])
print(sorted(p.name for p in run.iterdir() if not p.name.startswith("events")))
"""


def test_a_disk_that_fills_up_stops_the_run_and_keeps_the_last_checkpoint(root, tmp_path):
    mounts = ["unshare", "--mount", "--map-root-user"]
    command = [sys.executable, "-c", ON_A_SMALL_DISK, str(tmp_path), *SETTINGS]
    done = subprocess.run(
        [*mounts, *command, "--dataset.root", str(root), "--train.evaluate_every", "3"],
        capture_output=True, text=True,
    )  # fmt: skip
    if "mounted" not in done.stdout:
        pytest.skip(f"this system lets no user mount a small disk: {done.stderr[-200:]}")
    assert done.returncode == 0, done.stderr
    _, error, epoch, names = done.stdout.splitlines()
    assert "last.safetensors" in error and "disk full" in error
    assert epoch == "1"
    assert names == "['config.yaml', 'last.safetensors', 'log.csv']"


def test_bad_images_and_identities_are_told_before_training(root, tmp_path):
    broken = write_folder(tmp_path / "faces")
    image = broken / "train" / "visible" / "person 1" / "c1_0.png"
    image.write_bytes(image.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"c1_0\.png"):
        train(settings(broken), tmp_path / "run")
    done = start(broken, tmp_path / "run", "--check")
    assert finish(done) != 0
    assert "c1_0.png" in done.text
    assert "Traceback" not in done.text
    image.unlink()
    for other in image.parent.iterdir():
        other.unlink()
    image.parent.rmdir()
    with pytest.raises(ValueError, match=r"every identity in both modalities.*: person 1;"):
        train(settings(broken), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (("--sim.k", "16"), "k = 16"),
        (("--sim.num_paths", "5"), "num_paths = 5"),
        (("--train.num_ids", "5"), "train.num_ids"),
        (("--train.milestones", "2", "1"), "milestones"),
        (("--model.stem", "two_stream", "--model.zero_padding", "True"), "zero_padding"),
    ],
)
def test_settings_that_do_not_fit_are_told_before_training(root, tmp_path, keys, message):
    with pytest.raises(ValueError, match=message):
        train(settings(root, *keys), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_regdb_trains_a_network_a_trial_and_scores_both_directions(tmp_path):
    pedestrians.draw_regdb(tmp_path / "regdb", ids=8, images=3, size=(32, 16), workers=1)
    more = ["--dataset.name", "regdb", "--dataset.trials", "2", "--train.epochs", "1"]
    config = settings(tmp_path / "regdb", *more)
    train(config, tmp_path / "run")
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == ["trial_1", "trial_2"]
    for mode in ("visible_to_thermal", "thermal_to_visible"):
        run_tool(
            "test.py", *SETTINGS, *more, "--dataset.root", tmp_path / "regdb",
            "--dataset.mode", mode, "--checkpoint", tmp_path / "run",
            "--output", tmp_path / mode,
        )  # fmt: skip
        results = json.loads((tmp_path / mode / "results.json").read_text())
        assert results["trials"] == 2
        assert results["gallery"] == 12
