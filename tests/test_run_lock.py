"""The lock of a run's folder: one run at a time, and a killed one leaves it free."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from simgraph._run_lock import LOCK, run_lock

HOLDER = """
import sys, time
from pathlib import Path
from simgraph._run_lock import run_lock
with run_lock(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of the folder."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_second_process_is_refused_by_the_number_of_the_first(holder, tmp_path):
    message = rf"process {holder.pid} on .* another folder"
    with pytest.raises(FileExistsError, match=message), run_lock(tmp_path):
        pass
    assert holder.poll() is None
    assert str(holder.pid) in (tmp_path / LOCK).read_text()


def test_the_lock_of_a_killed_process_is_stale(holder, tmp_path):
    left = tmp_path / ".last.safetensors.01234567-1-89abcdef"
    left.touch()
    os.utime(left, (0, 0))
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / LOCK).exists()
    with run_lock(tmp_path):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")
        assert not left.exists()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", ["", "process 1 on another-host\n", "\x00" * 300])
def test_a_file_that_nobody_locks_is_stale_whatever_it_says(tmp_path, content):
    (tmp_path / LOCK).write_text(content)
    with run_lock(tmp_path):
        assert (tmp_path / LOCK).read_text().startswith(f"process {os.getpid()} on ")


def test_a_second_run_of_this_process_is_refused_by_any_spelling(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with run_lock(tmp_path):
        for spelling in (tmp_path, link, tmp_path / ".." / tmp_path.name):
            with pytest.raises(FileExistsError, match=f"process {os.getpid()}"), run_lock(spelling):
                pass
        assert (tmp_path / LOCK).exists()


def test_an_error_in_the_run_frees_the_folder(tmp_path):
    with pytest.raises(KeyboardInterrupt), run_lock(tmp_path):
        raise KeyboardInterrupt
    with run_lock(tmp_path):
        pass


def test_of_many_processes_at_once_one_at_a_time_holds_it(tmp_path):
    with multiprocessing.get_context("fork").Pool(4) as pool:
        entered = sum(pool.map(_enter_often, [tmp_path] * 4))
    assert entered > 0
    assert not list(tmp_path.iterdir())


def _enter_often(folder: Path) -> int:
    entered = 0
    for _ in range(300):
        try:
            with run_lock(folder):
                # Fails if another process is in here too.
                (folder / "inside").mkdir()
                (folder / "inside").rmdir()
                entered += 1
        except FileExistsError as error:
            assert "is writing a run" in str(error)
    return entered
