"""Measure SIM at the sizes of known test sets: tables, and curves over the gallery's size.

tools/benchmark.py --sizes sysu_multi market --output runs/benchmark
tools/benchmark.py --sizes --growth 1000 2000 4000 8000 16000 --output runs/growth
"""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro
from benchmarks import (
    SIZES,
    draw_growth,
    markdown,
    measure,
    measure_growth,
    write_results,
)

from simgraph._files import writable_folder

SizeName = Literal["sysu_single", "sysu_multi", "regdb", "market", "msmt17", "million"]


@dataclass(frozen=True)
class Arguments:
    """What is measured, on which device, and where the results go."""

    output: Path
    """Folder for tables.md, tables.json, growth.json and growth.png."""
    sizes: tuple[SizeName, ...] = ("sysu_single", "sysu_multi", "regdb", "market")
    """Test sets; msmt17 takes some ten minutes on two cores, million some four."""
    growth: tuple[int, ...] = ()
    """Gallery sizes of the curves; none by default."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Device that is measured."""
    repeats: int = 3
    """Rounds over the stages; the best time of each counts."""


def main() -> None:
    """Measure, print, write."""
    arguments = tyro.cli(Arguments, description=__doc__, use_underscores=True)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        raise ValueError("device cuda: torch sees no CUDA card here")
    writable_folder(arguments.output)
    logging.basicConfig(format="%(message)s")
    logging.getLogger("simgraph").setLevel(logging.INFO)
    results = []
    for name in arguments.sizes:
        results.append(measure(SIZES[name], arguments.device, arguments.repeats))
        print(markdown(results[-1]), flush=True)
        write_results(results, arguments.output, "tables")
    if arguments.growth:
        curves = measure_growth(sorted(arguments.growth), arguments.device, arguments.repeats)
        write_results(curves, arguments.output, "growth")
        draw_growth(curves, arguments.output / "growth.png")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("stopped")
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
