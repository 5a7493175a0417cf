"""`simgraph synthesize` as a user runs it."""

import pytest

from tests.cli.commands import run


def test_writes_features_with_the_seed_and_size_asked_for(tmp_path):
    done = run("synthesize", "features", tmp_path / "set", "--dim", "64")
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "set" / "features.npz") in done.stdout
    assert {p.name for p in (tmp_path / "set").iterdir()} >= {"features.npz", "exp"}


def test_draws_images_in_the_layout_asked_for(tmp_path, monkeypatch):
    from simgraph.cli import synthesize
    from simgraph.synthetic import pedestrians

    seen = {}
    for layout in ("sysu_mm01", "regdb"):
        monkeypatch.setattr(
            pedestrians,
            f"draw_{layout}",
            lambda root, seed, track, to=layout: seen.update({to: seed}),
        )
    synthesize.main(["images", str(tmp_path), "--seed", "3"])
    synthesize.main(["images", str(tmp_path), "--layout", "regdb"])
    assert seen == {"sysu_mm01": 3, "regdb": 0}


@pytest.mark.parametrize("arguments", [["images"], ["images", "x", "--layout", "market"]])
def test_bad_arguments_are_refused(arguments):
    done = run("synthesize", *arguments)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
