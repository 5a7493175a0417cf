"""A short campaign, and proof that it would notice each of the faults that it looks for."""

import faulthandler
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tests.faults.guard import run_all
from tests.faults.judge import Damage, judge, same
from tests.faults.outcomes import (
    CRASH,
    ERROR,
    HANG,
    LOST,
    REFUSED,
    RIGHT,
    WRONG,
    Result,
    table,
)

ROOT = Path(__file__).parents[2]


def campaign(folder, *words):
    command = [sys.executable, "-m", "tests.faults", "--faults", str(folder), *words]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=900
    )  # fmt: skip


def test_a_short_campaign_finds_no_fault(tmp_path):
    done = campaign(tmp_path / "faults", "--inputs", "40", "--kills", "20", "--terminals", "4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "killed train runs" in done.stdout


def raising(error):
    def read():
        raise error

    return read


def overwriting(path):
    path.write_bytes(b"other")
    raise ValueError("good.npz: refused, too late")


JUDGED = {
    "a refusal that names the file": (raising(ValueError("good.npz: damaged")), REFUSED),
    "a missing file": (raising(FileNotFoundError("good.npz: no such file")), REFUSED),
    "a refusal that names nothing": (raising(ValueError("damaged")), ERROR),
    "a bare KeyError": (raising(KeyError("good.npz")), ERROR),
    "a deep recursion": (raising(RecursionError("good.npz")), ERROR),
    "no memory": (raising(MemoryError("good.npz")), ERROR),
    "a command that says so": (raising(SystemExit("error: good.npz: damaged")), REFUSED),
    "a command that ends in silence": (raising(SystemExit(1)), ERROR),
    "the right answer": (lambda: np.ones(3), RIGHT),
    "another answer": (lambda: np.array([1, 1, 2.0]), WRONG),
    "another type": (lambda: np.ones(3, "f4"), WRONG),
    "nothing": (lambda: None, WRONG),
}


@pytest.mark.parametrize(("read", "outcome"), JUDGED.values(), ids=JUDGED)
def test_outcomes_are_told_apart(read, outcome, tmp_path):
    damage = Damage("", tmp_path / "good.npz", read, lambda found: same(found, np.ones(3)))
    assert judge(damage)[0] == outcome


def test_a_good_file_that_is_overwritten_is_lost(tmp_path):
    good = tmp_path / "good.npz"
    good.write_bytes(b"good")
    assert judge(Damage("", good, lambda: overwriting(good), None))[0] == LOST


def test_an_answer_where_a_refusal_is_due_is_wrong(tmp_path):
    assert judge(Damage("", tmp_path / "a", lambda: 1, None))[0] == WRONG
    lawful = Damage("", tmp_path / "a", raising(ValueError("a")), lambda _: True, must_read=True)
    assert judge(lawful)[0] == WRONG


def of_number(kind, number, folder):
    """Input 2 crashes, input 4 hangs, input 6 ends its process; the others are right."""
    (folder / "input").touch()
    if number == 2:
        faulthandler.disable()  # its report of this crash would stand in the log of the tests
        os.kill(os.getpid(), signal.SIGSEGV)
    if number == 4:
        time.sleep(100)
    if number == 6:
        os._exit(3)
    return Result(kind, number, "", RIGHT)


def test_a_dead_or_hanging_process_costs_one_input(tmp_path):
    kinds = [(kind, partial(of_number, kind), 9, 1.0) for kind in ("one", "two")]
    results = list(run_all(kinds, tmp_path, jobs=2, chunk=5))
    for kind in ("one", "two"):
        found = {result.number: result.outcome for result in results if result.kind == kind}
        assert found == {**dict.fromkeys(range(9), RIGHT), 2: CRASH, 4: HANG, 6: ERROR}
    # The inputs of faults stay, to be read again.
    assert {folder.name for folder in tmp_path.iterdir()} == {
        f"{kind}-{number}" for kind in ("one", "two") for number in (2, 4, 6)
    }


def test_the_table_counts():
    results = [Result("a", 0, "", RIGHT), Result("a", 1, "", CRASH), Result("b", 0, "", LOST)]
    head, *lines = (line.split() for line in table(results).splitlines())
    assert head[:4] == ["kind", "inputs", "refused", "right"]
    assert lines == [
        ["a", "2", "0", "1", "0", "1", "0", "0", "0"],
        ["b", "1", "0", "0", "0", "0", "0", "0", "1"],
        ["all", "3", "0", "1", "0", "1", "0", "0", "1"],
    ]


def test_a_seed_gives_the_same_damage(tmp_path):
    from tests.faults import feature_files

    (tmp_path / "good").mkdir()
    feature_files.prepare(tmp_path / "good")
    for number in range(20):
        written = []
        for folder in (f"one {number}", f"other {number}"):
            (tmp_path / folder).mkdir()
            rng = np.random.default_rng([7, number])
            damage = feature_files.damage(tmp_path / "good", tmp_path / folder, rng)
            written.append((damage.what, damage.path.is_file() and damage.path.read_bytes()))
        assert written[0] == written[1]


def test_a_file_replaced_by_a_killed_save_is_noticed(tmp_path, monkeypatch):
    """A save that writes in place, as none of simgraph's does, is caught."""
    from tests.faults import killed_saves

    def in_place(content):
        def save(path):
            with path.open("wb") as file:
                for _ in range(200):
                    file.write(content)
                    file.flush()

        return save

    def read(path):
        content = path.read_bytes()
        if content not in (b"a" * 200_000, b"b" * 200_000):
            raise ValueError("half a file")
        return content

    saved = killed_saves.Saved("in place", [in_place(b"a" * 1000), in_place(b"b" * 1000)], read)
    monkeypatch.setattr(killed_saves, "KINDS", (lambda: saved,))
    what, outcome, _ = killed_saves.kill_saves(tmp_path, np.random.default_rng(0), 30)
    assert outcome == LOST, what
