"""Inputs of studies: names, fingerprints, and the features of checkpoints."""

from dataclasses import replace

import pytest
import torch

from simgraph.config import Config, DatasetConfig
from simgraph.features import Features
from simgraph.studies import StudyConfig
from simgraph.studies.inputs import _stored_features, fingerprint, inputs


def test_a_fingerprint_tells_values_shapes_types_and_places_apart():
    x = torch.arange(6.0)
    others = [
        (x,), (x + 1e-6,), (x.view(2, 3),), (x.double(),), (x, None), (None, x), (x[:3], x[3:]),
        (x.int(),),
    ]  # fmt: skip
    assert len({fingerprint(*tensors) for tensors in others}) == len(others)
    assert fingerprint(x, None) == fingerprint(x.clone(), None)
    assert fingerprint(torch.arange(12.0)[::2]) == fingerprint(2 * x)


def test_the_fingerprint_of_queries_is_that_of_queries(trial, features):
    f = features
    other_gallery = replace(
        trial, whole=Features(f.query, f.gallery + 1, f.query_pids, f.gallery_pids)
    )
    assert other_gallery.query_fingerprint == trial.query_fingerprint
    assert other_gallery.fingerprint != trial.fingerprint
    fewer = replace(trial, change=lambda whole: whole.select(range(9), range(30)))
    assert fewer.query_fingerprint != trial.query_fingerprint


def test_a_checkpoint_s_features_are_extracted_once(tmp_path, features, monkeypatch):
    extracted = []
    monkeypatch.setattr(
        "simgraph.training.extraction.checkpoint_source",
        lambda config: lambda test_set, trial: (extracted.append(trial), features)[1],
    )
    network = tmp_path / "network.safetensors"
    network.write_bytes(b"weights")

    def ask(trial=1, **dataset):
        sysu = DatasetConfig(name="sysu_mm01", root="images", **dataset)
        config = Config(checkpoint=str(network), dataset=sysu)
        return _stored_features(config, tmp_path / "features")(None, trial)

    assert torch.equal(ask().query, features.query)
    assert torch.equal(ask().gallery_pids, features.gallery_pids)
    assert extracted == [1]
    ask(trial=2)
    ask(shots=1)
    network.write_bytes(b"other weights")
    ask()
    assert extracted == [1, 2, 1, 1]


def test_inputs_have_short_names_that_tell_them_apart(tmp_path):
    (tmp_path / "mine.yaml").write_text("features: x.npz\nsim: {k: 7}\n")
    config = StudyConfig(
        features=("runs/a/feats.npz", "runs/b/feats.npz"),
        checkpoints=("runs/c",),
        configs=(str(tmp_path / "mine.yaml"),),
        normalize=False,
    )
    found = inputs(config)
    assert list(found)[:2] == ["a/feats", "b/feats"] and list(found)[2].endswith("runs/c")
    first, _, network, own = found.values()
    assert (first.features, first.normalize, first.sim.k) == ("runs/a/feats.npz", False, 20)
    assert (network.checkpoint, own.sim.k, own.normalize) == ("runs/c", 7, True)


def test_no_input_and_an_input_given_twice_are_reported():
    with pytest.raises(ValueError, match="expected --features, --checkpoints or --configs"):
        inputs(StudyConfig())
    with pytest.raises(ValueError, match="once"):
        inputs(StudyConfig(features=("a.npz", "a.npz")))


@pytest.mark.parametrize("kind", ["features", "checkpoints"])
def test_a_name_that_is_not_utf_8_is_refused_before_it_is_read(kind):
    with pytest.raises(ValueError, match="expected a name in UTF-8"):
        inputs(StudyConfig(**{kind: ("caf\udce9.npz",)}))
