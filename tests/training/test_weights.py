"""Where ImageNet weights come from, without a network: made-up files, a made-up download."""

import hashlib
import http.client
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
from safetensors.torch import save_file

from simgraph.training import Backbone, load_imagenet, weights
from tests.training.torchvision_checkpoint import checkpoint


@pytest.fixture
def model():
    torch.manual_seed(0)
    return Backbone(2, arch="resnet18", stem="two_stream")


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "fake.pth"
    torch.save(checkpoint("resnet18"), path)
    return path


@pytest.fixture
def official(saved, tmp_path, monkeypatch):
    """The made-up file in the official one's place; its name bears the made-up file's hash."""
    name = f"resnet18-{hashlib.sha256(saved.read_bytes()).hexdigest()[:8]}.pth"
    monkeypatch.setitem(weights._FILES, "resnet18", name)
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints" / name


def offer(monkeypatch, download):
    calls = []

    def fake(url, dst, hash_prefix=None, progress=True):
        calls.append((url, dst, hash_prefix))
        download(Path(dst))

    monkeypatch.setattr(torch.hub, "download_url_to_file", fake)
    return calls


def is_filled(model):
    state = checkpoint("resnet18")
    conv1 = state["conv1.weight"]
    return (
        torch.equal(model.trunk.conv1.weight, conv1)
        and torch.equal(model.infrared_stem.conv1.weight, conv1)
        and torch.equal(model.trunk.layer4[1].bn2.running_var, state["layer4.1.bn2.running_var"])
    )


def test_addresses_are_torchvisions():
    assert weights._ADDRESS + weights._FILES["resnet18"] == (
        "https://download.pytorch.org/models/resnet18-f37072fd.pth"
    )
    assert weights._ADDRESS + weights._FILES["resnet50"] == (
        "https://download.pytorch.org/models/resnet50-0676ba61.pth"
    )


def test_downloaded_once(model, official, saved, monkeypatch):
    calls = offer(monkeypatch, lambda path: path.write_bytes(saved.read_bytes()))
    load_imagenet(model)
    assert is_filled(model)
    load_imagenet(model, "imagenet")
    prefix = official.stem.partition("-")[2]
    assert calls == [(weights._ADDRESS + official.name, str(official), prefix)]


@pytest.mark.parametrize(
    "error",
    [
        URLError("no route"),
        ConnectionResetError("reset"),
        TimeoutError("slow"),
        http.client.IncompleteRead(b""),
    ],
)
def test_offline_says_which_file_to_get_and_where_to_put_it(model, official, monkeypatch, error):
    def refuse(path):
        raise error

    offer(monkeypatch, refuse)
    with pytest.raises(FileNotFoundError) as caught:
        load_imagenet(model)
    for part in (weights._ADDRESS + official.name, str(official), official.stem[-8:], "'random'"):
        assert part in str(caught.value)


def test_a_download_with_another_hash_is_refused(model, official, monkeypatch):
    def differ(path):
        raise RuntimeError("invalid hash value")

    offer(monkeypatch, differ)
    with pytest.raises(ValueError, match=r"invalid hash value.*try again"):
        load_imagenet(model)


def test_a_full_disk_is_not_called_a_missing_network(model, official, monkeypatch):
    def full(path):
        raise OSError(28, "No space left on device")

    offer(monkeypatch, full)
    with pytest.raises(OSError, match="No space left"):
        load_imagenet(model)


def test_a_damaged_cached_file_is_refused(model, official, saved):
    official.parent.mkdir(parents=True)
    official.write_bytes(saved.read_bytes()[:-100])
    with pytest.raises(ValueError, match="delete it to download it again"):
        load_imagenet(model)


def test_local_files(model, saved, tmp_path):
    load_imagenet(model, saved)
    assert is_filled(model)
    other = Backbone(2, arch="resnet18", stem="two_stream")
    save_file(checkpoint("resnet18"), tmp_path / "fake.safetensors")
    load_imagenet(other, str(tmp_path / "fake.safetensors"))
    assert is_filled(other)


def test_random_only_by_name(model, tmp_path):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    load_imagenet(model, "random")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    with pytest.raises(FileNotFoundError, match=r"'imagenet', 'random' or a file.*resnet18-f37"):
        load_imagenet(model, "randon")


@pytest.mark.parametrize("name", ["short.pth", "short.safetensors", "empty.pth", "text.pth"])
def test_files_that_cannot_be_read(model, saved, tmp_path, name):
    path = tmp_path / name
    if name == "short.safetensors":
        save_file(checkpoint("resnet18"), tmp_path / "whole.safetensors")
        path.write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-1000])
    else:
        content = {"short": saved.read_bytes()[:-1000], "empty": b"", "text": b"<html>404</html>"}
        path.write_bytes(content[path.stem])
    with pytest.raises(ValueError, match="cut short") as caught:
        load_imagenet(model, path)
    assert str(path) in str(caught.value)


class Payload:
    """Unpickled by a careless reader, this would call exit()."""

    def __reduce__(self):
        return (exit, ())


def test_code_in_a_file_is_not_run(model, tmp_path):
    torch.save({"conv1.weight": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(ValueError, match="cannot be read"):
        load_imagenet(model, tmp_path / "evil.pth")


@pytest.mark.parametrize("content", [[1, 2], {"state": {"a": torch.zeros(1)}}])
def test_files_of_something_else(model, tmp_path, content):
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(ValueError, match="mapping of names to tensors"):
        load_imagenet(model, tmp_path / "other.pth")


def test_weights_of_another_architecture(saved):
    with pytest.raises(ValueError, match=r"fake.pth: expected .* torchvision's resnet50"):
        load_imagenet(Backbone(2), saved)


def test_a_network_of_another_width_has_no_imagenet_weights(saved, monkeypatch):
    narrow = Backbone(2, arch="resnet18", base_width=24)
    calls = offer(monkeypatch, lambda path: None)
    for source in ("imagenet", saved):
        with pytest.raises(ValueError, match=r"base_width = 24: expected 64.*'random'"):
            load_imagenet(narrow, source)
    assert calls == []  # refused before a download
    load_imagenet(narrow, "random")
