"""Training runs: they learn, resume to the same bits, and fail with clear errors."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
from faces import SETTINGS, write_folder
from safetensors import safe_open

from simgraph.config import from_command_line
from simgraph.datasets import pedestrians
from simgraph.features import load_features
from simgraph.training.checkpoint import load_model, read_checkpoint
from simgraph.training.loop import train

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("faces"))


@pytest.fixture(scope="module")
def unbroken(root, tmp_path_factory):
    """A run from start to end, through the tool."""
    output = tmp_path_factory.mktemp("unbroken") / "run"
    done = finish(start(root, output))
    assert done == 0
    return output


def start(root, output, *more):
    command = [sys.executable, str(TOOLS / "train.py"), *SETTINGS, "--dataset.root", str(root)]
    return subprocess.Popen(
        [*command, "--output", str(output), *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip


def finish(process):
    process.text, _ = process.communicate(timeout=240)
    print(process.text)
    return process.returncode


def settings(root, *more):
    return from_command_line("", [*SETTINGS, "--dataset.root", str(root), *more])[0]


def steps_done(output):
    """(epoch, step) of the last checkpoint, (0, 0) before the first."""
    try:
        with safe_open(output / "last.safetensors", framework="pt") as file:
            progress = json.loads(file.metadata()["state"])["progress"]
    except (OSError, FileNotFoundError):
        return 0, 0
    return progress["epoch"], progress["step"]


def wait_for_mid_epoch(process, output, epoch):
    for _ in range(6000):
        now = steps_done(output)
        if now[0] >= epoch and now[1] > 0:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    raise AssertionError("the run never came to the middle of that epoch")


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


def test_a_finished_run_is_not_overwritten_and_resumes_to_nothing(root, unbroken):
    before = (unbroken / "last.safetensors").read_bytes()
    with pytest.raises(FileExistsError, match="go on with --resume"):
        train(settings(root), unbroken)
    train(settings(root), unbroken, resume=True)
    assert (unbroken / "last.safetensors").read_bytes() == before


def test_another_config_is_refused_by_key(root, unbroken):
    with pytest.raises(ValueError, match=r"train\.lr was 0\.00035, is 0\.001"):
        train(settings(root, "--train.lr", "0.001"), unbroken, resume=True)


def test_a_checkpoint_cut_short_is_refused_and_the_best_stays(root, unbroken, tmp_path):
    for name in ("last.safetensors", "best.safetensors"):
        (tmp_path / name).write_bytes((unbroken / name).read_bytes())
    whole = (tmp_path / "last.safetensors").read_bytes()
    (tmp_path / "last.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"last\.safetensors: damaged"):
        train(settings(root), tmp_path, resume=True)
    load_model(tmp_path / "best.safetensors")


def test_a_full_disk_leaves_the_last_good_checkpoint(unbroken, tmp_path):
    good = tmp_path / "last.safetensors"
    good.write_bytes((unbroken / "last.safetensors").read_bytes())
    before = good.read_bytes()
    # A limit on the size of files stands for the full disk: the write fails half-way.
    script = f"""
import resource
from pathlib import Path
from simgraph.config import Config
from simgraph.training.checkpoint import Progress, load_model, save_checkpoint
model, _ = load_model(Path({str(good)!r}))
resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
save_checkpoint(Path({str(good)!r}), model, 4, Config(), Progress())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode != 0
    assert "OSError" in done.stderr
    assert "last.safetensors" in done.stderr
    assert good.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]


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
    with pytest.raises(ValueError, match="every identity in both modalities"):
        train(settings(broken), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_killed_reader_is_a_clear_error(root, tmp_path):
    process = start(
        root, tmp_path / "run", "--train.workers", "2", "--train.epochs", "500",
        "--train.milestones", "400", "--train.evaluate_every", "500",
    )  # fmt: skip
    for _ in range(6000):
        readers = psutil.Process(process.pid).children()
        if readers and steps_done(tmp_path / "run")[0] > 0:
            readers[0].kill()
        if process.poll() is not None:
            break
        time.sleep(0.02)
    assert finish(process) != 0
    assert "a process that reads images was killed" in process.text
    assert "--resume" in process.text


def run_tool(name, *arguments):
    command = [sys.executable, str(TOOLS / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done


def test_a_checkpoint_scores_and_extracts_alike(root, unbroken, tmp_path):
    data = [*SETTINGS, "--dataset.root", root, "--checkpoint", unbroken]
    run_tool("test.py", *data, "--output", tmp_path / "images")
    run_tool("extract.py", *data, "--output", tmp_path / "f.npz")
    features = load_features(tmp_path / "f.npz")
    assert features.query.shape == (16, 512)
    run_tool(
        "test.py", *SETTINGS, "--dataset.root", root, "--features", tmp_path / "f.npz",
        "--output", tmp_path / "file",
    )  # fmt: skip
    one, other = (
        json.loads((tmp_path / name / "results.json").read_text())["methods"]
        for name in ("images", "file")
    )
    assert one == other
    rows = list(csv.DictReader((unbroken / "log.csv").open()))
    assert max(float(r["sim_mAP"]) for r in rows if r["sim_mAP"]) == one["sim"]["mAP"]


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


TWO_PROCESSES = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
import torch
from faces import SETTINGS
from simgraph.config import from_command_line
from simgraph.training.extraction import extract_test_set
from simgraph.training.loop import Run
torch.set_num_threads(1)
plain = ["--train.pad", "0", "--train.flip", "0", "--train.triplet", "none"]
config, _ = from_command_line("", [*SETTINGS, *plain, "--dataset.root", sys.argv[1]])
run = Run(config, Path(sys.argv[2]))
run.model.train()
for module in run.model.modules():  # statistics of a whole batch need all its processes
    if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
        module.eval()
for batch in run.loader:
    run._step(*batch)
features = extract_test_set(run.model, run.test_set, config, run.fabric)
if run.fabric.global_rank == 0:
    torch.save(
        {"weights": run.model.module.state_dict(), "query": features.query}, sys.argv[2]
    )
"""


def test_two_processes_train_as_one(root, tmp_path):
    script = tmp_path / "two.py"
    script.write_text(TWO_PROCESSES)
    for name, launcher in (
        ("one", []),
        ("two", ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2"]),
    ):
        command = [sys.executable, *launcher, str(script), str(root), str(tmp_path / name)]
        done = subprocess.run(
            [*command, str(Path(__file__).parent)], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
    one, two = (torch.load(tmp_path / name, weights_only=True) for name in ("one", "two"))
    for name, value in one["weights"].items():
        torch.testing.assert_close(two["weights"][name], value, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(two["query"], one["query"], rtol=1e-2, atol=1e-2)
