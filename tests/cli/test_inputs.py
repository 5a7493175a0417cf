"""No command replaces what it reads, whatever the name, and before it works."""

import os

import pytest

from simgraph.cli.inputs import checkpoint_files, config_files, feature_files
from tests.cli.commands import run


def test_features_and_checkpoints_stand_for_these_files(tmp_path):
    assert list(feature_files("a.npz")) == ["a.npz", *(f"a.npz_cam{c}.mat" for c in range(1, 7))]
    assert list(feature_files("t{trial}.npz"))[:10] == [f"t{t}.npz" for t in range(1, 11)]
    assert list(feature_files(None)) == list(checkpoint_files(None)) == []
    found = list(map(str, checkpoint_files("run")))
    assert found[:3] == ["run", "run/last.safetensors", "run/best.safetensors"]
    assert found[-1] == "run/trial_10/best.safetensors"
    file = tmp_path / "a.yaml"
    file.touch()
    assert config_files(["--x", "1", "--config", str(file)]) == [file]
    assert config_files(["--config", str(file), "--x", "1", f"--config={file}"]) == [file, file]
    assert config_files(["--x", "1"]) == []


def _refused(done, file, content):
    assert done.returncode == 1
    assert "expected an output that is not an input, it is the same file" in done.stderr
    assert file.read_bytes() == content


@pytest.mark.parametrize("command", [("test",), ("study", "ablation")], ids=lambda words: words[0])
@pytest.mark.parametrize("link", [os.symlink, os.link], ids=["link", "hard"])
def test_a_report_that_is_a_link_to_the_features_is_refused(command, link, small, tmp_path):
    file = tmp_path / "f.npz"
    file.write_bytes(small.read_bytes())
    (tmp_path / "out").mkdir()
    link(file, tmp_path / "out" / "results.json")
    done = run(*command, "--features", file, "--output", tmp_path / "out")
    _refused(done, file, small.read_bytes())


def test_extract_refuses_its_checkpoint(tmp_path):
    file = tmp_path / "last.safetensors"
    file.write_bytes(b"network")
    for checkpoint in (file, tmp_path):
        done = run("extract", "--checkpoint", checkpoint, "--output", file)
        _refused(done, file, b"network")


def test_train_refuses_to_replace_its_config(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text("train: {epochs: 3}  # mine\n")
    before = file.read_bytes()
    _refused(run("train", "--config", file, "--output", tmp_path), file, before)


def test_train_refuses_to_replace_its_first_weights(tmp_path):
    file = tmp_path / "best.safetensors"
    file.write_bytes(b"weights")
    _refused(run("train", "--model.weights", file, "--output", tmp_path), file, b"weights")


def test_visualize_refuses_its_features(small, tmp_path):
    file, link = tmp_path / "f.npz", tmp_path / "f.png"
    file.write_bytes(small.read_bytes())
    link.symlink_to(file)
    done = run("visualize", "cmc", "--features", file, "--output", link)
    _refused(done, file, small.read_bytes())
