"""Run the campaign: `python -m tests.faults --inputs 1000 --kills 200 --seed 0`.

It prints a table of the outcomes per kind, and exits with 1 on any fault. The input of each fault
stays in the folder --faults with a note; --repeat KIND NUMBER reads one again in this process.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from pathlib import Path

import torch

from tests.faults.campaign import KINDS, Campaign, prepare, quiet
from tests.faults.outcomes import Result, table


def main() -> int:
    """Run, or repeat one input."""
    asked = _arguments()
    torch.set_num_threads(1)
    campaign = Campaign(
        asked.inputs, asked.kills, asked.terminals, asked.seed, asked.jobs, tuple(asked.only)
    )
    if asked.repeat:
        return _repeat(campaign, *asked.repeat, asked.faults)
    began, results = time.monotonic(), []
    shutil.rmtree(asked.faults, ignore_errors=True)
    for result in campaign.run(asked.faults):
        results.append(result)
        if result.is_fault:
            print(_line(result), flush=True)
    print(table(sorted(results, key=lambda result: KINDS.index(result.kind))))
    print(f"seed {asked.seed}, {time.monotonic() - began:.0f} s")
    return _clean(results, asked.faults)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1000, help="damaged inputs per kind")
    parser.add_argument("--kills", type=int, default=200, help="processes killed")
    parser.add_argument("--terminals", type=int, help="commands in terminals; all by default")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--only", nargs="*", default=[], choices=KINDS, help="kinds")
    parser.add_argument("--faults", type=Path, default=Path("runs/faults"), help="their folder")
    parser.add_argument("--repeat", nargs=2, metavar=("KIND", "NUMBER"), help="one input again")
    return parser.parse_args()


def _line(result: Result) -> str:
    reason = (result.detail.strip().splitlines() or [""])[-1][:200]
    return f"{result.outcome}: {result.kind} {result.number}: {result.what[:120]}: {reason}"


def _repeat(campaign: Campaign, kind: str, number: str, folder: Path) -> int:
    quiet()
    scratch = folder.resolve() / "repeated"
    shutil.rmtree(scratch, ignore_errors=True)
    prepare([kind], scratch)
    own = scratch / "input"
    own.mkdir()
    result = campaign.work(kind, scratch)(int(number), own)
    print(f"{result.what}\n{result.outcome}\n{result.detail}\nthe input is in {own}")
    return int(result.is_fault)


def _clean(results: list[Result], folder: Path) -> int:
    for good in folder.glob("good-*"):
        shutil.rmtree(good)
    faults = [result for result in results if result.is_fault]
    if faults:
        print(f"{len(faults)} faults; their inputs are in {folder}")
    return int(bool(faults))


if __name__ == "__main__":
    sys.exit(main())
