"""A tiny two-modality folder, squares whose place tells the identity; runs of the tool on it."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from PIL import Image

from simgraph.config import from_command_line

TOOLS = Path(__file__).parents[2] / "tools"


def write_folder(root: Path, identities: int = 4, images: int = 4) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        for modality in ("visible", "infrared"):
            for identity in range(identities):
                folder = root / split / modality / f"person {identity}"
                folder.mkdir(parents=True)
                for number in range(images):
                    pixels = rng.integers(0, 60, size=(32, 16, 3), dtype=np.uint8)
                    pixels[6 * identity : 6 * identity + 8, 4:12] += 150
                    image = Image.fromarray(pixels)
                    if modality == "infrared":
                        image = image.convert("L")
                    image.save(folder / f"c{number % 2 + 1}_{number}.png")
    return root


SETTINGS = [
    "--dataset.name", "folder", "--model.arch", "resnet18", "--model.weights", "random",
    "--model.height", "32", "--model.width", "16", "--train.num_ids", "2",
    "--train.visible_per_id", "2", "--train.infrared_per_id", "2", "--train.epochs", "3",
    "--train.evaluate_every", "2", "--train.milestones", "2", "--train.workers", "0",
    "--train.pad", "2", "--sim.k", "3", "--sim.num_paths", "2", "--sim.k_query", "3",
    "--sim.k_gallery", "3",
]  # fmt: skip


def start(root, output, *more, launcher=(), start_new_session=False):
    tool = [*launcher, str(TOOLS / "train.py"), *SETTINGS, "--dataset.root", str(root)]
    return subprocess.Popen(
        [sys.executable, *tool, "--output", str(output), *more],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"}, start_new_session=start_new_session,
    )  # fmt: skip


def finish(process):
    process.text, _ = process.communicate(timeout=240)
    print(process.text)
    return process.returncode


def steps_done(output):
    """(epoch, step) of the last checkpoint, (0, 0) before the first."""
    # By hand: safe_open opens the file twice, and the run may replace it in between.
    try:
        with (output / "last.safetensors").open("rb") as file:
            header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    except FileNotFoundError:
        return 0, 0
    progress = json.loads(header["__metadata__"]["state"])["progress"]
    return progress["epoch"], progress["step"]


def wait_for_mid_epoch(process, output, epoch):
    for _ in range(6000):
        now = steps_done(output)
        if now[0] >= epoch and now[1] > 0:
            return
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    raise AssertionError("the run never came to the middle of that epoch")


def settings(root, *more):
    return from_command_line("", [*SETTINGS, "--dataset.root", str(root), *more])


def run_tool(name, *arguments):
    command = [sys.executable, str(TOOLS / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done
