"""Outputs: written through links, never over an input, and without leftovers of killed saves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from simgraph._files import atomic_write, refuse_input_as_output, remove_leftovers
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


KILLED = """
import os, signal, sys
from simgraph._files import atomic_write
with atomic_write(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _kill_a_save(file: Path) -> Path:
    done = subprocess.run([sys.executable, "-c", KILLED, str(file)])
    assert done.returncode == -signal.SIGKILL
    (left,) = file.parent.glob(f".{file.name}.*")
    return left


@pytest.mark.parametrize("name", ["f.npz", "other.npz"])
def test_the_next_save_in_a_folder_removes_what_a_killed_save_left(
    tmp_path: Path, name: str
) -> None:
    left = _kill_a_save(tmp_path / "f.npz")
    assert left.read_text() == "half"
    with atomic_write(tmp_path / name) as temporary:
        temporary.write_text("whole")
    assert [f.name for f in tmp_path.iterdir()] == [name]


def test_the_temporary_file_of_a_living_save_stays(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "f.npz") as first:
        first.write_text("first")
        with atomic_write(tmp_path / "f.npz") as second:
            second.write_text("second")
        assert first.exists()
    assert (tmp_path / "f.npz").read_text() == "first"


@pytest.mark.parametrize("kind", ["f.npz.01234567-1-89abcdef", f"f.npz.{'0123456789abcdef' * 2}"])
def test_leftovers_of_other_hosts_and_versions_go_after_a_day(tmp_path: Path, kind: str) -> None:
    left = tmp_path / f".{kind}"
    for hours, stays in ((1, True), (25, False)):
        left.touch()
        then = time.time() - 3600 * hours
        os.utime(left, (then, then))
        with atomic_write(tmp_path / "f.npz") as temporary:
            temporary.touch()
        assert left.exists() == stays


def test_files_of_other_names_stay_for_ever(tmp_path: Path) -> None:
    names = {".f.npz", f".cache.{'0123456789abcdef' * 2}", ".f.npz.01234567-x-89abcdef", "f-1-2"}
    for name in names:
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (0, 0))
    (tmp_path / ".d.01234567-1-89abcdef").mkdir()
    remove_leftovers(tmp_path, "f.npz")
    assert {f.name for f in tmp_path.iterdir()} == {*names, ".d.01234567-1-89abcdef"}


@pytest.mark.parametrize("linked", [False, True])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_what_is_no_file_is_never_replaced(tmp_path: Path, make: Any, linked: bool) -> None:
    there = tmp_path / "there"
    make(there)
    before = there.lstat()
    target = tmp_path / "out.npz" if linked else there
    if linked:
        target.symlink_to(there)
    with pytest.raises(ValueError, match="expected a file to write, there is a"), \
         atomic_write(target):  # fmt: skip
        pass
    assert (there.lstat().st_ino, there.lstat().st_mode) == (before.st_ino, before.st_mode)
    assert {entry.name for entry in tmp_path.iterdir()} <= {"there", "out.npz"}
