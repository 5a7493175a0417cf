"""Cells: measured once, found again, measured anew when anything they depend on differs."""

import json
import logging
from dataclasses import replace

import pytest

from simgraph.features import Features
from simgraph.studies import experiment
from simgraph.studies.experiment import Cell, record

PARAMS = {"k": 4, "num_paths": 3}


@pytest.fixture
def counted(monkeypatch):
    """How often something was measured."""
    calls = []
    measure = experiment.measure
    monkeypatch.setattr(experiment, "measure", lambda *a: (calls.append(a[2:]), measure(*a))[1])
    return calls


def test_a_cell_is_measured_once(trial, tmp_path, counted):
    first = record(Cell(trial, "sgr", PARAMS), tmp_path, fresh=False)
    again = record(Cell(trial, "sgr", PARAMS, "k", 4, 2), tmp_path, fresh=False)
    assert len(counted) == 1 and len(list(tmp_path.iterdir())) == 1
    assert again.measurement == first.measurement
    assert (again.parameter, again.value, again.repeat) == ("k", 4, 2)


def test_what_a_measurement_depends_on_makes_another_cell(trial, tmp_path, counted, monkeypatch):
    f = trial.whole
    query = f.query.clone()
    query[0, 0] += 1e-6
    moved = Features(query, f.gallery, f.query_pids, f.gallery_pids)
    named = Features(f.query, f.gallery, f.query_pids, f.gallery_pids.roll(1))
    market = trial.config.model_copy(
        update={"dataset": trial.config.dataset.model_copy(update={"protocol": "regdb"})}
    )
    others = [
        Cell(trial, "sgr", PARAMS),
        Cell(trial, "sgr", PARAMS | {"k": 5}),
        Cell(trial, "mnnr", {"k": 4, "k_query": 4, "k_gallery": 4}),
        Cell(replace(trial, whole=moved), "sgr", PARAMS),
        Cell(replace(trial, whole=named), "sgr", PARAMS),
        Cell(replace(trial, config=market), "sgr", PARAMS),
    ]
    for cell in others:
        record(cell, tmp_path, fresh=False)
    assert len(counted) == len(others)
    monkeypatch.setattr(experiment, "_code", lambda: "edited")
    record(others[0], tmp_path, fresh=False)
    assert len(counted) == len(others) + 1


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "[1, 2]",
        lambda text: text.replace('"features"', '"feature"', 1),
        lambda text: json.dumps({**json.loads(text), "measurement": {"scores": {}}}),
        lambda text: text.replace('"k": 4', '"k": 7', 1),
    ],
    ids=["empty", "cut off", "another thing", "other key", "no figures", "other settings"],
)
def test_a_damaged_file_is_measured_again_with_a_warning(trial, tmp_path, counted, caplog, damage):
    cell = Cell(trial, "sgr", PARAMS)
    first = record(cell, tmp_path, fresh=False)
    (file,) = tmp_path.iterdir()
    whole = file.read_text()
    file.write_text(damage(whole))
    with caplog.at_level(logging.WARNING, logger="simgraph"):
        again = record(cell, tmp_path, fresh=False)
    assert f"{file}: damaged, measured again" in caplog.text
    assert len(counted) == 2 and again.measurement.scores == first.measurement.scores
    assert record(cell, tmp_path, fresh=False).measurement == again.measurement


def test_bytes_that_are_no_text_are_damage_too(trial, tmp_path, counted, caplog):
    record(Cell(trial, "sgr", PARAMS), tmp_path, fresh=False)
    (file,) = tmp_path.iterdir()
    file.write_bytes(b"\xff\xfe\x00")
    record(Cell(trial, "sgr", PARAMS), tmp_path, fresh=False)
    assert len(counted) == 2 and "damaged" in caplog.text


def test_a_refusal_is_told_and_not_kept(trial, tmp_path, caplog):
    refused = record(Cell(trial, "sgr", {"k": 99}, "k", 99), tmp_path, fresh=False)
    assert refused.measurement is None
    assert "k = 99 must be less than num_gallery = 30" in refused.refusal
    assert "small, trial 1: sgr, k = 99: left out" in caplog.text
    assert not list(tmp_path.iterdir())
