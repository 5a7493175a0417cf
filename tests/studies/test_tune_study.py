"""The check of docs/studies/tune.md: what tuning loses against the best fixed k."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "../shared/data"


@pytest.fixture(scope="module")
def study():
    spec = importlib.util.spec_from_file_location("tune_study", ROOT / "docs/studies/tune.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not (DATA / "omniglot").is_dir(), reason="needs Omniglot's images")
def test_omniglot_tuned_on_training_characters_is_within_half_a_point(study):
    tuning, test = (study.omniglot(DATA / "omniglot" / part) for part in ("train", "test"))
    m = study.measured(tuning, test)
    assert m["best"] - m["tuned"] <= 0.5 and m["tuned"] > m["baseline"] + 3


@pytest.mark.skipif(not (DATA / "real").is_dir(), reason="needs the real sets")
@pytest.mark.parametrize("name", ["omniglot_img2stroke", "viper_mdf_s1"])
def test_a_real_set_tuned_on_half_of_its_identities_is_within_half_a_point(study, name):
    from simgraph.features import load_features

    tuning, test = study.halves(load_features(DATA / "real" / f"{name}.npz"))
    assert not set(tuning.query_pids.tolist()) & set(test.query_pids.tolist())
    m = study.measured(tuning, test)
    assert m["best"] - m["tuned"] <= 0.5
