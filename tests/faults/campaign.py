"""The campaign: kinds, seeds and numbers → work for the guard."""

from __future__ import annotations

import logging
import shutil
import warnings
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.random import Generator

from tests.faults import (
    checkpoint_files,
    child,
    config_files,
    feature_files,
    graph_files,
    index_files,
    killed_runs,
    killed_saves,
    mat_files,
    study_files,
    terminals,
)
from tests.faults.guard import Work, folder_of, run_all
from tests.faults.judge import Kind, judge
from tests.faults.outcomes import ERROR, LOST, Result

FILES = {
    kind.name: kind
    for kind in (
        feature_files.KIND, mat_files.KIND, index_files.KIND, checkpoint_files.KIND,
        graph_files.KIND, config_files.KIND, config_files.WORDS, study_files.KIND,
    )
}  # fmt: skip
RUNS = {"train": killed_runs.TRAIN, "study": killed_runs.STUDY}
KINDS = (*FILES, "killed saves", *(f"killed {name} runs" for name in RUNS), "terminals")
# Studies draw figures, and cost a hundred times what other inputs do.
_SHARE = {"study": 0.2}
_CHAIN = 5  # kills per run or file, one after the other


@dataclass(frozen=True)
class Campaign:
    """How much of what, and from which seed.

    Attributes:
        inputs: damaged files per kind.
        kills: processes killed: half of them in saves, a quarter in training runs and in studies.
        terminals: commands in terminals; None takes all.
        seed: of everything.
        jobs: processes at a time.
        only: names of kinds; empty takes all.
    """

    inputs: int
    kills: int
    terminals: int | None
    seed: int
    jobs: int
    only: tuple[str, ...] = ()

    def run(self, scratch: Path) -> Iterator[Result]:
        """All results, as they come; the folders of faults stay in the scratch folder."""
        quiet()
        chosen = [name for name in KINDS if not self.only or name in self.only]
        work = [(name, *self._work(name, scratch)) for name in chosen]
        prepare(chosen, scratch)
        for result in run_all([item for item in work if item[2]], scratch, self.jobs):
            yield _described(result, scratch)

    def work(self, name: str, scratch: Path) -> Work:
        """What turns the numbers of a kind into results."""
        return self._work(name, scratch)[0]

    def _work(self, name: str, scratch: Path) -> tuple[Work, int, float]:
        """The work of a kind, how many numbers it has, and their time limit in seconds."""
        good = good_folder(scratch, name)
        if name in FILES:
            count = -int(-self.inputs * _SHARE.get(name, 1) // 1)
            return partial(_damaged, FILES[name], good, self.seed), count, 60
        if name == "terminals":
            cases = _some(terminals.cases(), self.terminals, _generator(self.seed, name, 0))
            return partial(_in_terminal, cases, good), len(cases), 600
        share = self.kills / (2 if name == "killed saves" else 4)
        return partial(_killed, name, good, self.seed), int(-(-share // _CHAIN)), 600


def quiet() -> None:
    """No words on the damage: thousands of warnings are expected."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def good_folder(scratch: Path, name: str) -> Path:
    """The folder with the good files of a kind."""
    return scratch / f"good-{name.replace(' ', '_')}"


def prepare(names: Sequence[str], scratch: Path) -> None:
    """Write the good files, in processes of their own: threads started here survive no fork."""
    for name in names:
        good = good_folder(scratch, name)
        shutil.rmtree(good, ignore_errors=True)
        child.finish(partial(_preparation(name), good))


def _preparation(name: str) -> Callable[[Path], None]:
    for run in RUNS.values():
        if name == f"killed {run.name} runs":
            return partial(killed_runs.prepare, run)
    if name == "killed saves":
        return lambda good: None
    write = terminals.prepare if name == "terminals" else FILES[name].prepare
    return lambda good: (good.mkdir(parents=True), write(good))[1]


def _generator(seed: int, name: str, number: int) -> Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode()), number])


def _some(cases: list[terminals.Case], count: int | None, rng: Generator) -> list[terminals.Case]:
    if count is None or count >= len(cases):
        return cases
    return [cases[place] for place in rng.permutation(len(cases))[:count]]


def _damaged(kind: Kind, good: Path, seed: int, number: int, folder: Path) -> Result:
    damage = kind.damage(good, folder, _generator(seed, kind.name, number))
    # Before it is read: the process may not live to tell.
    (folder / "what.txt").write_text(damage.what, "utf-8", "backslashreplace")
    outcome, detail = judge(damage)
    return Result(kind.name, number, damage.what, outcome, detail)


def _killed(name: str, good: Path, seed: int, number: int, folder: Path) -> Result:
    rng = _generator(seed, name, number)
    if name == "killed saves":
        what, outcome, detail = killed_saves.kill_saves(folder, rng, _CHAIN)
    else:
        run = RUNS[name.split()[1]]
        try:
            what, outcome, detail = killed_runs.kill_run(run, good, folder, rng, _CHAIN)
        except RuntimeError as error:
            what, outcome, detail = f"{name} that goes on", LOST, str(error)
    return Result(name, number, what, outcome, detail)


def _in_terminal(cases: list[terminals.Case], good: Path, number: int, folder: Path) -> Result:
    outcome, detail = terminals.run_case(cases[number], good, folder, 500)
    return Result("terminals", number, str(cases[number]), outcome, detail)


def _described(result: Result, scratch: Path) -> Result:
    """The result of a process that died, with what was done to its input; a note of a fault."""
    folder = folder_of(scratch, result.kind, result.number)
    note = folder / "what.txt"
    what = result.what or (note.read_text(encoding="utf-8") if note.is_file() else "unknown")
    described = Result(result.kind, result.number, what, result.outcome, result.detail)
    if described.is_fault:
        folder.mkdir(parents=True, exist_ok=True)
        text = f"{what}\n{described.outcome}\n{described.detail}\n"
        note.write_text(text, "utf-8", "backslashreplace")
    return described


__all__ = ["ERROR", "KINDS", "Campaign", "prepare", "quiet"]
