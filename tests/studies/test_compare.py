"""The comparison of methods, with time and memory, as a user runs it."""

import csv
import re
import subprocess
import sys
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "study.py"


def run_tool(*arguments):
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)


def test_the_tool_compares_methods_with_time_and_memory(files, tmp_path):
    done = run_tool(
        "compare", "--features", files[0], "--methods", "alpha_qe", "--compare.against",
        "baseline", "--params.alpha_qe.n", "3", "--output", tmp_path / "out",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = (tmp_path / "out" / "report.md").read_text(encoding="utf-8")
    assert re.search(
        r"\| alpha_qe \| no \|.*\[[-+][\d.]+, [-+][\d.]+\]\*? \| \d+\.\d{3} \|", report
    )
    assert "n=3, alpha=3.0" in report
    rows = list(csv.DictReader((tmp_path / "out" / "results.csv").open(newline="")))
    if sys.platform == "linux":
        assert {"seconds", "peak_mib"} < {row["metric"] for row in rows}


def test_the_tool_reports_an_error_in_one_line(tmp_path):
    done = run_tool("ablation", "--features", "no.npz", "--output", tmp_path)
    assert done.returncode != 0 and "error: no.npz" in done.stderr
    assert "Traceback" not in done.stderr
