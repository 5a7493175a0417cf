"""`simgraph rerank` as a user runs it."""

import numpy as np
import pytest
import torch

import simgraph as sg
from tests.cli.commands import run


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_ranks_without_labels(small, tmp_path, suffix):
    f = sg.load_features(small)
    np.save(tmp_path / "q.npy", f.query.numpy())
    np.savez(tmp_path / "g.npz", feat=f.gallery.numpy())
    output = tmp_path / f"ranked{suffix}"
    done = run(
        "rerank",
        "--query",
        tmp_path / "q.npy",
        "--gallery",
        tmp_path / "g.npz",
        "--output",
        output,
        "--top",
        "7",
        "--sim.k",
        "4",
        "--sim.num_paths",
        "3",
        "--sim.k_query",
        "4",
        "--sim.k_gallery",
        "4",
    )
    assert done.returncode == 0, done.stderr
    d = sg.rerank(f.query, f.gallery, k=4, num_paths=3, k_query=4, k_gallery=4)
    expected = d.sort(dim=1, stable=True).indices[:, :7]
    if suffix == ".npz":
        with np.load(output) as ranked:
            assert torch.equal(torch.from_numpy(ranked["indices"]), expected)
            assert ranked["distances"].shape == (30, 7)
    else:
        rows = np.loadtxt(output, delimiter=",", skiprows=1)
        assert rows.shape == (210, 4)
        assert torch.equal(torch.from_numpy(rows[:, 2]).long().view(30, 7), expected)


def test_checks_before_it_reads(tmp_path):
    done = run("rerank", "--query", "none.npy", "--gallery", "none.npy", "--output", "ranked.txt")
    assert done.returncode != 0
    assert "ranked.txt: expected a name ending in .npz or .csv" in done.stderr


def test_checks_top_before_it_ranks(small):
    done = run(
        "rerank",
        "--query",
        "none.npy",
        "--gallery",
        "none.npy",
        "--output",
        "r.npz",
        "--top",
        "0",
    )
    assert done.returncode != 0
    assert "top = 0 must be at least 1" in done.stderr


def test_takes_the_sides_of_one_file(small, tmp_path):
    done = run(
        "rerank",
        "--query",
        small,
        "--gallery",
        small,
        "--output",
        tmp_path / "r.npz",
        "--method",
        "baseline",
        "--top",
        "3",
    )
    assert done.returncode == 0, done.stderr
    f = sg.load_features(small)
    expected = sg.rerank(f.query, f.gallery, "baseline").sort(dim=1, stable=True).indices[:, :3]
    with np.load(tmp_path / "r.npz") as ranked:
        assert torch.equal(torch.from_numpy(ranked["indices"]), expected)


def test_an_output_that_is_an_input_is_refused_and_left_alone(small, tmp_path):
    file, link = tmp_path / "f.npz", tmp_path / "link.npz"
    np.savez(file, feat=sg.load_features(small).query.numpy())
    link.symlink_to(file)
    before = file.read_bytes()
    for output in (file, link):
        done = run("rerank", "--query", file, "--gallery", file, "--output", output)
        assert done.returncode == 1
        assert "same file as the input" in done.stderr
    assert file.read_bytes() == before
