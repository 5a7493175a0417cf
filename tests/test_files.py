"""Outputs: links are written through, and no output replaces an input."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from simgraph._files import atomic_write, refuse_input_as_output
from simgraph.synthetic.features import write_sysu_mm01
from simgraph.synthetic.pedestrians import draw_regdb


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_is_written_through(tmp_path: Path, exists: bool) -> None:
    target, link = tmp_path / "store" / "new.txt", tmp_path / "link.txt"
    if exists:
        target.parent.mkdir()
        target.write_text("old")
    link.symlink_to("store/new.txt")
    with atomic_write(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert [f.name for f in target.parent.iterdir()] == ["new.txt"]


def _spellings(file: Path) -> list[Path]:
    link, hard = file.with_name("link.npz"), file.with_name("hard.npz")
    link.symlink_to(file)
    os.link(file, hard)
    return [file, file.parent / "x" / ".." / file.name, link, hard]


def test_an_output_that_is_an_input_is_refused_in_every_spelling(tmp_path: Path) -> None:
    file = tmp_path / "f.npz"
    file.touch()
    (tmp_path / "x").mkdir()
    for output in _spellings(file):
        with pytest.raises(ValueError, match=r"same file as the input .*f\.npz"):
            refuse_input_as_output(output, [tmp_path / "other.npz", file])
    refuse_input_as_output(tmp_path / "new.npz", [file])


def test_synthetic_features_are_written_through_links(tmp_path: Path) -> None:
    root = tmp_path / "set"
    root.mkdir()
    for name in ("features.npz", "SYNTHETIC.txt"):
        (tmp_path / f"kept_{name}").write_bytes(b"old")
        (root / name).symlink_to(tmp_path / f"kept_{name}")
    write_sysu_mm01(root, dim=64)
    for name in ("features.npz", "SYNTHETIC.txt"):
        assert (root / name).is_symlink()
        assert (tmp_path / f"kept_{name}").read_bytes() != b"old"


def test_synthetic_images_are_drawn_through_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "set").symlink_to(tmp_path / "disk")
    draw_regdb(tmp_path / "set", ids=2, images=1, size=(32, 16), workers=1)
    assert (tmp_path / "set").is_symlink()
    assert (tmp_path / "disk" / "SYNTHETIC.txt").is_file()
