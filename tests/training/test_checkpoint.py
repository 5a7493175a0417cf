"""Checkpoints: whole or refused, of the same settings, and found in a run's folder."""

import json
import subprocess
import sys
import warnings

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from simgraph.config import Config, ImagesConfig, parse_config
from simgraph.training.checkpoint import (
    Progress,
    build_model,
    find_checkpoint,
    image_settings,
    load_model,
    read_checkpoint,
    save_checkpoint,
    split_folder,
)
from simgraph.training.trainer import train
from tests.training.tiny_dataset import settings


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("train.lr", "0.001", r"train\.lr was 0\.00035, is 0\.001"),
        ("train.epochs", "4", r"train\.epochs was 3, is 4"),
        ("model.stem", "two_stream", r"model\.stem was 'one_stream', is 'two_stream'"),
        ("dataset.mode", "visible_to_infrared", r"dataset\.mode was None"),
        ("images.thermal_range", "0,9", r"images\.thermal_range was 'image', is \[0\.0, 9\.0"),
        ("sim.alpha", "0.5", r"sim\.alpha was 0\.3, is 0\.5"),
    ],
)
def test_another_config_is_refused_by_key(root, unbroken, key, value, message):
    before = (unbroken / "last.safetensors").read_bytes()
    values = value.split(",")
    with pytest.raises(ValueError, match=message):
        train(settings(root, f"--{key}", *values), unbroken, resume=True)
    assert (unbroken / "last.safetensors").read_bytes() == before


def test_a_checkpoint_without_the_section_images_resumes_and_leaves_the_rule_open(
    root, unbroken, tmp_path
):
    for name in ("last.safetensors", "log.csv", "config.yaml"):
        (tmp_path / name).write_bytes((unbroken / name).read_bytes())
    file = tmp_path / "last.safetensors"
    assert image_settings(file) == ImagesConfig()
    with safe_open(file, "pt") as old:
        metadata = old.metadata()
        tensors = {name: old.get_tensor(name) for name in old.keys()}  # noqa: SIM118
    state = json.loads(metadata["state"])
    del state["config"]["images"]
    save_file(tensors, file, {"simgraph": "checkpoint-1", "state": json.dumps(state)})
    assert image_settings(file) is None
    train(settings(root), tmp_path, resume=True)


def test_the_rule_for_16_bits_comes_from_the_checkpoint(tmp_path):
    config = parse_config({"images": {"thermal_range": [7000, 9000]}})
    state = {"config": config.model_dump(mode="json"), "num_classes": 2, "progress": {}}
    file = tmp_path / "a.safetensors"
    header = {"simgraph": "checkpoint-1", "state": json.dumps(state)}
    save_file({"x": torch.zeros(1)}, file, header)
    assert image_settings(file) == config.images


def test_how_images_are_read_may_change(root, unbroken, tmp_path):
    more = ["--train.workers", "1", "--train.cache", str(tmp_path / "cache")]
    train(settings(root, *more), unbroken, resume=True)


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


def test_the_best_checkpoint_of_a_folder_is_found_else_the_last(tmp_path):
    config = parse_config({"dataset": {"name": "folder"}})
    assert find_checkpoint(str(tmp_path / "one.safetensors"), config, 1).name == "one.safetensors"
    assert find_checkpoint(str(tmp_path), config, 1) == tmp_path / "last.safetensors"
    (tmp_path / "best.safetensors").touch()
    assert find_checkpoint(str(tmp_path), config, 1) == tmp_path / "best.safetensors"


def test_a_network_per_trial_is_found_in_its_own_folder(tmp_path):
    regdb, other = (parse_config({"dataset": {"name": name}}) for name in ("regdb", "llcm"))
    assert split_folder(tmp_path, regdb, 3) == tmp_path / "trial_3"
    assert split_folder(tmp_path, other, 1) == tmp_path
    (tmp_path / "trial_3").mkdir()
    assert find_checkpoint(str(tmp_path), regdb, 3) == tmp_path / "trial_3" / "last.safetensors"
    # The folder of a single network serves all trials.
    assert find_checkpoint(str(tmp_path), regdb, 2) == tmp_path / "last.safetensors"
    assert find_checkpoint(str(tmp_path), other, 3) == tmp_path / "last.safetensors"


def test_old_keys_of_a_config_are_read_without_a_warning(tmp_path):
    old = Config().model_dump(mode="json")
    for before, after in (("identities", "num_ids"), ("exchange_grey", "exchange_gray")):
        old["train"][before] = old["train"].pop(after)
    state = {"config": old, "num_classes": 2, "progress": {}}
    tensors = {"x": torch.zeros(1)}
    file = tmp_path / "old.safetensors"
    save_file(tensors, file, {"simgraph": "checkpoint-1", "state": json.dumps(state)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _, read = read_checkpoint(file)
    assert read["config"]["train"] == Config().model_dump(mode="json")["train"]


def test_a_flipped_bit_is_refused(unbroken, tmp_path):
    content = bytearray((unbroken / "best.safetensors").read_bytes())
    content[-1000] ^= 1
    file = tmp_path / "best.safetensors"
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"best\.safetensors: damaged: .* digest"):
        load_model(file)


def edited(source, target, edit, version="checkpoint-1"):
    """A copy of a checkpoint with another state, in the format that has no digest."""
    with safe_open(source, "pt") as file:
        state = json.loads(file.metadata()["state"])
    text = json.dumps(edit(state))
    save_file(load_file(source), target, {"simgraph": version, "state": text})
    return target


def without(part):
    return lambda state: {key: value for key, value in state.items() if key != part}


@pytest.mark.parametrize(
    ("edit", "part"),
    [
        *((without(part), part) for part in (
            "config", "num_classes", "progress", "param_groups", "schedule", "scale", "random",
        )),
        (lambda state: None, "state"),
        (lambda state: state | {"more": 1}, "state"),
        (lambda state: state | {"num_classes": True}, "num_classes"),
        (lambda state: state | {"num_classes": 0}, "num_classes"),
        (lambda state: state | {"progress": {"epoch": -5}}, r"progress\.epoch"),
        (lambda state: state | {"progress": {"loss": float("nan")}}, r"progress\.loss"),
        (lambda state: state | {"progress": {"epochs": 1}}, "progress"),
        (lambda state: state | {"config": {}}, r"config\.dataset"),
        (lambda state: state | {"random": {}}, "random"),
        (lambda state: state | {"schedule": {"base_lrs": 1}, "param_groups": []}, "optimizer"),
    ],
)  # fmt: skip
def test_a_bad_part_is_refused_by_name(root, unbroken, tmp_path, edit, part):
    file = edited(unbroken / "last.safetensors", tmp_path / "last.safetensors", edit)
    with pytest.raises(ValueError, match=rf"last\.safetensors: .*{part}"):
        train(settings(root), tmp_path, resume=True)
    assert file.exists()


def test_a_checkpoint_without_digest_loads_with_a_note(unbroken, tmp_path, caplog):
    file = edited(unbroken / "best.safetensors", tmp_path / "old.safetensors", lambda state: state)
    with caplog.at_level("INFO", logger="simgraph"):
        load_model(file)
    assert "without a digest" in caplog.text


def test_a_later_format_is_refused(unbroken, tmp_path):
    file = tmp_path / "new.safetensors"
    edited(unbroken / "best.safetensors", file, lambda state: state, "checkpoint-9")
    with pytest.raises(ValueError, match="expected format checkpoint-2, got 'checkpoint-9'"):
        load_model(file)


def test_weights_that_are_not_finite_are_refused_by_name(unbroken, tmp_path):
    file = edited(unbroken / "best.safetensors", tmp_path / "nan.safetensors", lambda state: state)
    tensors = load_file(file)
    name = next(n for n, t in tensors.items() if n.startswith("model.") and t.is_floating_point())
    tensors[name].view(-1)[0] = torch.nan
    with safe_open(file, "pt") as opened:
        metadata = opened.metadata()
    save_file(tensors, file, metadata)
    with pytest.raises(ValueError, match=f"{name}: expected finite weights"):
        load_model(file)


def test_a_checkpoint_from_before_a_key_has_its_default(tmp_path):
    old = Config().model_dump(mode="json")
    for section, key in (("model", "base_width"), ("train", "channels_last")):
        del old[section][key]
    state = {"config": old, "num_classes": 2, "progress": {}}
    file = tmp_path / "old.safetensors"
    save_file({"x": torch.zeros(1)}, file, {"simgraph": "checkpoint-1", "state": json.dumps(state)})
    _, read = read_checkpoint(file)
    assert read["config"] == Config().model_dump(mode="json")


def test_the_width_of_a_network_is_in_its_checkpoint(tmp_path):
    config = parse_config({"model": {"arch": "resnet18", "base_width": 8}})
    model = build_model(config.model.model_dump(), 2)
    save_checkpoint(tmp_path / "narrow.safetensors", model, 2, config, Progress())
    loaded, settings = load_model(tmp_path / "narrow.safetensors")
    assert loaded.feature_dim == 64 and settings["base_width"] == 8
    assert all(map(torch.equal, model.state_dict().values(), loaded.state_dict().values()))
