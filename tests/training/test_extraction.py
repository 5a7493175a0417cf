"""Features of a trained network: those of the test, in files and in order."""

import csv
import json

import pytest
import torch

from simgraph.config import parse_config
from simgraph.features import load_features
from simgraph.training import extraction
from simgraph.training.extraction import _in_order, checkpoint_source, extract_to_files
from simgraph.training.trainer import train
from simgraph.trials import load_test_set
from tests.training.tiny_dataset import (
    SETTINGS,
    run_tool,
    settings,
    write_folder,
)


def test_a_test_image_that_cannot_be_read_is_told_before_training_or_testing(unbroken, tmp_path):
    broken = write_folder(tmp_path / "faces")
    image = broken / "test" / "infrared" / "person 2" / "c1_0.png"
    image.write_bytes(image.read_bytes()[:100])
    config = settings(broken, "--checkpoint", str(unbroken))
    with pytest.raises(ValueError, match=r"1 of 16 images[\s\S]*person 2/c1_0\.png"):
        train(config, tmp_path / "run")
    with pytest.raises(ValueError, match=r"1 of 16 images[\s\S]*person 2/c1_0\.png"):
        checkpoint_source(config)(load_test_set(config.dataset, images=True), 1)


def test_a_checkpoint_scores_and_extracts_alike(root, unbroken, tmp_path):
    data = [*SETTINGS, "--dataset.root", root, "--checkpoint", unbroken]
    run_tool("test.py", *data, "--output", tmp_path / "images")
    run_tool("extract.py", *data, "--output", tmp_path / "f.npz")
    features = load_features(tmp_path / "f.npz")
    assert features.query_names and all((root / n).is_file() for n in features.query_names)
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


class Gathered:
    """Stands for fabric on one of several processes: what all of them would send."""

    def __init__(self, parts):
        self.parts, self.world_size = parts, len(parts)

    def to_device(self, tensor):
        return tensor

    def all_gather(self, tensor):
        if tensor.numel() == 1:
            return torch.tensor([part.shape[1] for part in self.parts])
        rows = max(map(len, self.parts))
        padded = [torch.nn.functional.pad(p, (0, 0, 0, rows - len(p))) for p in self.parts]
        return torch.stack(padded)


@pytest.mark.parametrize("processes", [2, 3])
def test_rows_of_several_processes_come_back_in_order(processes):
    whole = torch.arange(14.0).reshape(7, 2)
    parts = [whole[rank::processes] for rank in range(processes)]
    for part in parts:
        assert torch.equal(_in_order(part, len(whole), Gathered(parts)), whole)


@pytest.mark.parametrize("keys", [("--output", "f.npz"), ("--checkpoint", "run"), ()])
def test_extraction_needs_a_checkpoint_and_a_file(root, keys):
    config = settings(root, *keys)
    with pytest.raises(ValueError, match="expected --checkpoint and --output FILE"):
        next(extract_to_files(config))


def test_a_network_per_trial_needs_a_file_per_trial(root):
    config = settings(
        root, "--dataset.name", "regdb", "--dataset.trials", "2", "--checkpoint", "run",
        "--output", "f.npz",
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"output: expected '\{trial\}' in 'f\.npz'.*regdb has"):
        next(extract_to_files(config))


def test_images_are_scaled_by_the_rule_of_the_checkpoint(tmp_path, monkeypatch):
    trained = parse_config({"images": {"thermal_range": [7000, 9000]}})
    seen = []
    monkeypatch.setattr(extraction, "image_settings", lambda file: trained.images)
    monkeypatch.setattr(extraction, "load_model", lambda file: (torch.nn.Identity(), {}))
    monkeypatch.setattr(extraction, "require_images", lambda *args: seen.append(args[-1]))
    monkeypatch.setattr(
        extraction, "extract_test_set", lambda *args: seen.append(args[2].images.thermal_range)
    )
    config = settings(write_folder(tmp_path, images=1), "--checkpoint", str(tmp_path))
    monkeypatch.setattr(extraction.Fabric, "setup_module", lambda self, model: model)
    checkpoint_source(config)(load_test_set(config.dataset, images=True), 1)
    assert seen == 3 * [(7000, 9000)]
