"""Files in tests/legacy were written by the version before the packages; they still load.

They hold 20 gallery images of 5 identities and 10 queries, with k = 4, K = 3, k_q = 4, k_g = 3.
`expected.npz` has what that version computed.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

import simgraph as sg
from simgraph.config import Config, load_config, parse_config
from simgraph.training.checkpoint import read_checkpoint, restore
from simgraph.training.optimization import adam, step_schedule

LEGACY = Path(__file__).parent / "legacy"
PARAMS = {"k": 4, "num_paths": 3, "k_query": 4, "k_gallery": 3}


@pytest.fixture(scope="module")
def expected():
    with np.load(LEGACY / "expected.npz") as file:
        return dict(file)


def close(found, expected):
    # Another processor sums the products in another order.
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-5, atol=1e-6)


def test_features(expected):
    features = sg.load_features(LEGACY / "features.npz")
    assert features.query_pids.tolist() == sorted(2 * list(range(5)))
    assert set(features.gallery_cams.tolist()) == {2}
    for method in ("baseline", "sgr", "mnnr", "sim"):
        own = {k: v for k, v in PARAMS.items() if k in sg.rerankers.parameters(method)}
        found = sg.rerank(features.query, features.gallery, method, **own)
        close(found, expected[f"rerank_{method}"])


@pytest.mark.parametrize("method", ["sgr", "mnnr", "sim"])
def test_the_authors_variant_has_the_same_values_under_its_new_name(method, expected):
    features = sg.load_features(LEGACY / "features.npz")
    own = {k: v for k, v in PARAMS.items() if k in sg.rerankers.parameters(method)}
    found = sg.rerank(features.query, features.gallery, f"{method}_authors", **own)
    close(found, expected[f"rerank_{method}_authors"])
    with pytest.warns(DeprecationWarning, match=f"{method}_authors"):
        old = sg.rerank(features.query, features.gallery, method, variant="authors", **own)
    assert torch.equal(old, found)


@pytest.mark.parametrize(
    ("file", "key"), [("graph", "sim"), ("graph_candidates", "sim_candidates")]
)
def test_graphs(file, key, expected):
    graph = sg.load_graph(LEGACY / f"{file}.safetensors")
    close(sg.SIM(num_paths=3, k_query=4, k_gallery=3)(graph), expected[key])
    assert (graph.k, graph.lam) == (4, 0.01)


def test_labels_of_a_graph():
    graph = sg.load_graph(LEGACY / "graph.safetensors")
    assert graph["gallery"].y.tolist() == sorted(4 * list(range(5)))
    assert set(graph["query"].camera.tolist()) == {1}


@pytest.mark.parametrize(("file", "key"), [("index", "search"), ("index_lists", "lists")])
def test_indexes(file, key, expected):
    index = sg.SIMIndex.load(LEGACY / f"{file}.safetensors")
    query = sg.load_features(LEGACY / "features.npz").query
    distances, indices = index.search(query, 6)
    close(distances, expected[f"{key}_distances"])
    np.testing.assert_array_equal(indices, expected[f"{key}_indices"])


def test_an_index_written_now_has_the_bytes_of_one_written_before(tmp_path):
    sg.SIMIndex.load(LEGACY / "index.safetensors").save(tmp_path / "index.safetensors")
    written, before = (f / "index.safetensors" for f in (tmp_path, LEGACY))
    assert written.read_bytes() == before.read_bytes()


OLD_TRAIN = {"identities": 2, "visible": 3, "infrared": 2, "exchange_grey": True}
NEW_TRAIN = {"num_ids": 2, "visible_per_id": 3, "infrared_per_id": 2, "exchange_gray": True}


def config_of_the_run(train):
    return parse_config(
        {
            "dataset": {"name": "folder", "root": "data"},
            "model": {"arch": "resnet18", "weights": "random"},
            "train": {"epochs": 4, "channel_exchange": True, "milestones": [2], **train},
            "sim": PARAMS,
        }
    )


def test_checkpoints_resume():
    model = torch.nn.Linear(3, 2)
    optimizer = adam(model.parameters())
    schedule = step_schedule(optimizer, (2,), 0)
    file = LEGACY / "checkpoint.safetensors"
    progress, _ = restore(file, model, config_of_the_run(NEW_TRAIN), optimizer, schedule)
    assert (progress.epoch, progress.step, progress.loss, progress.best) == (1, 2, 0.5, 0.25)
    tensors, _ = read_checkpoint(file)
    assert torch.equal(model.weight, tensors["model.weight"])
    moments = optimizer.state_dict()["state"][0]["exp_avg"]
    assert torch.equal(moments, tensors["optimizer.0.exp_avg"])


def test_a_checkpoint_of_another_run_is_still_refused():
    other = config_of_the_run(NEW_TRAIN | {"num_ids": 3})
    model = torch.nn.Linear(3, 2)
    optimizer = adam(model.parameters())
    with pytest.raises(ValueError, match=r"train\.num_ids was 2, is 3"):
        restore(
            LEGACY / "checkpoint.safetensors", model, other, optimizer,
            step_schedule(optimizer, (2,), 0),
        )  # fmt: skip


def test_old_keys_of_settings_warn_and_work():
    with pytest.warns(DeprecationWarning, match="num_ids") as warned:
        config = config_of_the_run(OLD_TRAIN)
    assert config == config_of_the_run(NEW_TRAIN)
    told = " ".join(str(w.message) for w in warned)
    assert all(old in told and new in told for old, new in zip(OLD_TRAIN, NEW_TRAIN, strict=True))


def test_a_study_goes_on_from_its_experiments(tmp_path, monkeypatch):
    from simgraph.studies import StudyConfig, experiment, run_study

    shutil.copytree(LEGACY, tmp_path / "legacy")
    monkeypatch.chdir(tmp_path / "legacy")
    monkeypatch.setattr(experiment, "measure", lambda *_: pytest.fail("measured again"))
    before = Path("study/results.csv").read_text()
    results = run_study("ablation", load_config("study.yaml", StudyConfig))
    assert len(results.experiments) == 4
    values = [line.rsplit(",", 1)[-1] for line in before.splitlines()[1:]]
    after = Path("study/results.csv").read_text().splitlines()[1:]
    assert [line.rsplit(",", 1)[-1] for line in after] == values


def test_settings_beside_a_run_are_read():
    import yaml

    content = yaml.safe_load((LEGACY / "run_config.yaml").read_text())
    with pytest.warns(DeprecationWarning):
        assert parse_config(content["config"]).train.num_ids == 2
    assert Config().train.num_ids == 8
